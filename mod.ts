/** The public library: address arithmetic, decisions about addresses, and the Kubernetes client. */
export * from "./src/ip/mod.ts";
export * from "./src/ipam/mod.ts";
export * from "./src/kube/mod.ts";
