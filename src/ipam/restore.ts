/** A SpiderIP that vanished although its pod lives and uses the address (design.md 2.1). */
import { ANNOTATION_FORCE_RELEASE } from "../api/annotations.ts";
import type { SpiderEndpoint } from "../api/endpoint.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { type Address, formatObjectName } from "../ip/mod.ts";
import { holderOfEndpoint } from "./adoption.ts";
import { addressOfClaim, newClaim } from "./claim.ts";
import { addressesOf } from "./endpoint.ts";
import { isDead, uidMatches } from "./pod_life.ts";
import { positionalNic } from "./wish.ts";

/** What is known of a vanished SpiderIP, by live reads made after it vanished. */
export interface VanishedFacts {
  /** As it was last. */
  readonly claim: SpiderIp;
  readonly pod: Pod | undefined;
  /** That of `endpointNameOfClaim`. */
  readonly endpoint: SpiderEndpoint | undefined;
}

/** The name of the SpiderEndpoint that lists a claim: its pod's, or its virtual machine's. */
export function endpointNameOfClaim({ spec }: SpiderIp): string {
  const { owner, podName = "" } = spec;
  return owner?.kind === "VirtualMachineInstance" ? owner.name : podName;
}

/**
 * The object to create again; `undefined` where the address is rightly free: its pod is dead, does
 * not list it, or a person said that it is to be freed.
 *
 * Agents delete SpiderIPs of living pods too, and take them out of the endpoint before they do.
 */
export function restoredClaim({ claim, pod, endpoint }: VanishedFacts): SpiderIp | undefined {
  const { spec, metadata } = claim;
  const { podNamespace = "", podName = "", podUID = "", containerID = "", nic = "" } = spec;
  const address = addressOfClaim(claim);
  if (address === undefined || spec.hold !== undefined) return undefined;
  if (metadata.annotations?.[ANNOTATION_FORCE_RELEASE] === "true") return undefined;
  if (pod === undefined || podUID === "" || !uidMatches(pod, podUID)) return undefined;
  if (isDead(pod) !== undefined) return undefined;
  const { current } = endpoint?.status ?? {};
  if (current === undefined || current.uid !== podUID) return undefined;
  const isListed = current.ips.some((entry) =>
    addressesOf(entry).some((listed) => listed.address === address && listed.pool === spec.pool)
  );
  if (!isListed) return undefined;
  const kind = spec.owner?.kind;
  const isKept = kind === "StatefulSet" || kind === "VirtualMachineInstance";
  return newClaim({ pool: spec.pool, address }, {
    podNamespace,
    podName,
    podUID,
    containerID,
    nic,
    node: spec.node ?? "",
    keeper: isKept ? { kind, name: spec.owner?.name ?? "" } : undefined,
    endpointName: endpointNameOfClaim(claim),
  });
}

/** An address that an endpoint lists. */
export interface ListedAddress {
  readonly address: Address;
  /** Name of its SpiderIP. */
  readonly name: string;
  readonly pool: string;
  readonly nic: string;
}

/** The addresses of an endpoint, each with its pool. */
export function listedAddresses({ status }: SpiderEndpoint): readonly ListedAddress[] {
  return (status?.current.ips ?? []).flatMap((entry, index) =>
    addressesOf(entry).map(({ address, pool }) => {
      const nic = entry.interface === "" ? positionalNic(index) : entry.interface;
      return { address, name: formatObjectName(address), pool, nic };
    })
  );
}

/**
 * The SpiderIP to make for an address that an endpoint lists and nobody has; `undefined` where its
 * pod is dead or the endpoint another pod's, or does not list it.
 *
 * @param facts.name Of the SpiderIP.
 * @param facts.pod Read before the endpoint: who frees an address of a living pod takes it out of
 *   the endpoint first.
 */
export function rebuiltClaim(
  { name, pod, endpoint }: {
    readonly name: string;
    readonly pod: Pod;
    readonly endpoint: SpiderEndpoint | undefined;
  },
): SpiderIp | undefined {
  const uid = endpoint?.status?.current.uid ?? "";
  if (endpoint === undefined || uid === "" || !uidMatches(pod, uid)) return undefined;
  if (isDead(pod) !== undefined) return undefined;
  const listed = listedAddresses(endpoint).find((one) => one.name === name);
  if (listed === undefined) return undefined;
  const { address, pool, nic } = listed;
  return newClaim({ pool, address }, holderOfEndpoint(endpoint, { pod, nic }));
}
