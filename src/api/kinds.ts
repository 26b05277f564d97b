/** All kinds that this project has the CRDs of. */
import { SPIDER_COORDINATORS } from "./coordinator.ts";
import { SPIDER_ENDPOINTS } from "./endpoint.ts";
import { SPIDER_IP_POOLS } from "./ip_pool.ts";
import { SPIDER_MULTUS_CONFIGS } from "./multus_config.ts";
import { NETWORK_ATTACHMENT_DEFINITIONS } from "./network_attachment.ts";
import { SPIDER_RESERVED_IPS } from "./reserved_ip.ts";
import { SPIDER_IPS } from "./spider_ip.ts";
import { SPIDER_SUBNETS } from "./subnet.ts";

/** Spiderpool's own kinds. */
export const SPIDER_KINDS = [
  SPIDER_IP_POOLS,
  SPIDER_SUBNETS,
  SPIDER_IPS,
  SPIDER_ENDPOINTS,
  SPIDER_RESERVED_IPS,
  SPIDER_MULTUS_CONFIGS,
  SPIDER_COORDINATORS,
] as const;

/** Every kind with a CRD in `manifests/crds`. */
export const CUSTOM_KINDS = [...SPIDER_KINDS, NETWORK_ATTACHMENT_DEFINITIONS] as const;
