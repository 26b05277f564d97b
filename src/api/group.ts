/** Names that all of Spiderpool's own kinds share. No zod: plugins may load this. */

/** API group of all own kinds. */
export const SPIDERPOOL_GROUP = "spiderpool.spidernet.io";
/** The only version. */
export const SPIDERPOOL_VERSION = "v2beta1";
/** `apiVersion` of all own kinds. */
export const SPIDERPOOL_API_VERSION = "spiderpool.spidernet.io/v2beta1";
/** Finalizer of pools and subnets; the reference set it on endpoints and coordinators too. */
export const SPIDERPOOL_FINALIZER = "spiderpool.spidernet.io";
/** `kubectl get spiderpool` lists every kind of this category. */
export const SPIDERPOOL_CATEGORY = "spiderpool";
