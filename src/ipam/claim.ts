/** SpiderIP objects: who has an address. Creating one is the allocation (design.md 2). */
import { SPIDERPOOL_API_VERSION } from "../api/group.ts";
import { LABEL_IP_POOL, LABEL_NODE, LABEL_POD, labelValue, podLabelValue } from "../api/labels.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { type Address, formatAddress, formatObjectName, parseObjectName } from "../ip/mod.ts";

/** Who keeps an address when the pod is replaced, in the pod's namespace. */
export interface Keeper {
  readonly kind: "StatefulSet" | "VirtualMachineInstance";
  readonly name: string;
}

/** One NIC of one pod, as a claim names it. */
export interface Holder {
  readonly podNamespace: string;
  /** Name of the pod itself, also for a virtual machine. */
  readonly podName: string;
  readonly podUID: string;
  /** Sandbox of the last ADD. */
  readonly containerID: string;
  readonly nic: string;
  readonly node: string;
  /** Absent for pods whose addresses go with them. */
  readonly keeper?: Keeper | undefined;
  /** Name of the SpiderEndpoint, which the label of the pod is made of (`endpointNameOf`). */
  readonly endpointName: string;
}

/** The object to create for an address. */
export function newClaim(
  { pool, address }: { readonly pool: string; readonly address: Address },
  holder: Holder,
): SpiderIp {
  return {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind: "SpiderIP",
    metadata: { name: formatObjectName(address), labels: labelsOf(pool, holder) },
    spec: { ip: formatAddress(address), pool, ...heldBy(holder) },
  };
}

/**
 * The object to replace a claim with when another pod or sandbox takes it over. Whatever else the
 * claim carries stays, resourceVersion and UID included: the replace is refused if it changed.
 */
export function reboundClaim(claim: SpiderIp, holder: Holder): SpiderIp {
  const { owner: _owner, ...spec } = claim.spec;
  const labels = { ...claim.metadata.labels, ...labelsOf(spec.pool, holder) };
  return {
    ...claim,
    metadata: { ...claim.metadata, labels },
    spec: { ...spec, ...heldBy(holder) },
  };
}

/** Whether a claim is that of this NIC of this very pod; a claim without a UID is nobody's. */
export function isHeldBy(
  { spec }: SpiderIp,
  { podUID, nic }: { readonly podUID: string; readonly nic: string },
): boolean {
  if (spec.hold !== undefined || podUID === "") return false;
  return spec.podUID === podUID && spec.nic === nic;
}

/** The address that a claim's name says; `undefined` for a name that is no address. */
export function addressOfClaim(claim: SpiderIp): Address | undefined {
  return parseObjectName(claim.metadata.name);
}

function labelsOf(pool: string, holder: Holder): Readonly<Record<string, string>> {
  return {
    [LABEL_IP_POOL]: labelValue(pool),
    [LABEL_NODE]: labelValue(holder.node),
    [LABEL_POD]: podLabelValue({ namespace: holder.podNamespace, name: holder.endpointName }),
  };
}

function heldBy(holder: Holder): Omit<SpiderIp["spec"], "ip" | "pool" | "hold"> {
  const { podNamespace, podName, podUID, containerID, nic, node, keeper } = holder;
  const held = { podNamespace, podName, podUID, containerID, nic, node };
  return keeper === undefined ? held : { ...held, owner: { ...keeper } };
}
