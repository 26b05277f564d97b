/**
 * The public library: address arithmetic, decisions about addresses, the Kubernetes client, and the
 * kernel.
 */
export * from "./src/ip/mod.ts";
export * from "./src/ipam/mod.ts";
export * from "./src/kube/mod.ts";
export * from "./src/netlink/mod.ts";
