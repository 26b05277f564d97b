/** The public library: address arithmetic and the Kubernetes client. */
export * from "./src/ip/mod.ts";
export * from "./src/kube/mod.ts";
