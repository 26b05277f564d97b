/**
 * The HTTP interface of a network provider, which gives the addresses of pods their hardware
 * address and VLAN. The provider is somebody else's program. No zod.
 */
import type { Result } from "../base/result.ts";
import {
  type Decoded,
  integer,
  listOf,
  members,
  optional,
  otherwise,
  readJson,
  text,
} from "./decode.ts";

/** Paths below the provider's URL; both are POST, and any status of 200 to 299 is success. */
export const PROVIDER_PATHS = {
  allocate: "/v1/apis/network.iaas.io/ipam/allocate-ips",
  release: "/v1/apis/network.iaas.io/ipam/release-ip",
} as const;

/** Header with the milliseconds that the caller still waits, rounded up. */
export const PROVIDER_TIMEOUT_HEADER = "X-Request-Timeout-Ms";

/** Milliseconds of one request, where nothing is said; less than `belowMs` are allowed. */
export const PROVIDER_TIMEOUT = { otherwiseMs: 50_000, belowMs: 100_000 } as const;

/** Whether a text is a URL that a provider can have: of HTTP or HTTPS, with a host. */
export function isProviderUrl(value: string): boolean {
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) && url.hostname !== "";
}

/** Milliseconds that a provider may need at worst: with less left, it is not asked at all. */
export const PROVIDER_WORST_CASE_MS = 48_000;

/** The pod that addresses are for; absent where it is gone and nobody knows. */
export interface ProviderPod {
  readonly podName?: string | undefined;
  readonly podNamespace?: string | undefined;
  readonly podUID?: string | undefined;
  readonly nodeName: string;
}

/** Body of `allocate`. */
export interface ProviderAllocateRequest extends ProviderPod {
  readonly iaasIPsAllocationRequest: readonly {
    /** Without prefix length. */
    readonly ipAddress: string;
    /** The network of the pool: `10.6.0.0/16`. */
    readonly subnet: string;
    /** Hardware address of the node's interface below the pod's. */
    readonly parentNicMac: string;
  }[];
}

/** Body of `release`: one address. */
export interface ProviderReleaseRequest extends ProviderPod {
  readonly ipAddress: string;
  readonly subnet: string;
  readonly parentNicMac?: string | undefined;
}

const mark = members({ parentNicMac: text, podUID: text, subnet: text });

/** What a SpiderIP remembers of what a provider was told: it is to be told of the end as well. */
export type ProviderMark = Decoded<typeof mark>;

/** Reads the annotation of a SpiderIP; `undefined` for what nobody of ours wrote. */
export function readProviderMark(annotation: string | undefined): ProviderMark | undefined {
  if (annotation === undefined) return undefined;
  const read = readJson(mark, annotation, { root: "the annotation" });
  return read.ok ? read.value : undefined;
}

const allocation = members({
  ipAddress: text,
  subnet: otherwise(text, ""),
  parentNicMac: otherwise(text, ""),
  macAddress: otherwise(text, ""),
  vlanId: otherwise(integer({ min: 0, max: 4094 }), 0),
});

/** What the provider says of one address; `""` and 0 are "nothing". */
export type ProviderAllocation = Decoded<typeof allocation>;

const noAllocations: readonly ProviderAllocation[] = [];

const allocateResponse = members({
  podName: optional(text),
  podNamespace: optional(text),
  nodeName: optional(text),
  iaasIPsAllocationResponse: otherwise(listOf(allocation), noAllocations),
});

/** Answer to `allocate`. */
export type ProviderAllocateResponse = Decoded<typeof allocateResponse>;

/** Reads the answer to `allocate`; that to `release` has no meaning. */
export function readProviderAllocateResponse(
  body: string,
): Result<ProviderAllocateResponse, string> {
  return readJson(allocateResponse, body, { root: "the network provider's answer" });
}
