import { err, ok, type Result } from "../base/result.ts";
import { usableAddresses } from "./addresses.ts";
import type { AddressFact, CoordinatorFacts, CoordinatorWish, LinkFact } from "./facts.ts";
import { type IpVersion, PROTOCOL_OWN } from "./operation.ts";
import type { PlanRefusal } from "./plan.ts";
import type { CoordinatorRecord } from "./record.ts";

/** Name of the pod's end of the pair that leads to its node. */
export const POD_VETH = "veth0";
/** Kinds of links that come in pairs, one end in the pod and one on the node. */
const PAIR_KINDS = new Set(["veth", "netkit"]);

/** Where a NIC stands in its pod, and how the pod is connected to its node. */
export interface Place {
  readonly mode: "underlay" | "overlay";
  /** Whether it is the first that is coordinated: what all NICs share comes with it. */
  readonly isFirst: boolean;
  readonly nic: LinkFact;
  /** Usable addresses of the NIC; at least one. */
  readonly addresses: readonly AddressFact[];
  readonly versions: readonly IpVersion[];
  /** The pod's link to its node. */
  readonly podLink: string;
  /** The node's link to the pod. */
  readonly nodeLink: string;
  /** Links of the pod that count as NICs, this one and `veth0` among them. */
  readonly nicCount: number;
}

/** Name of the node's end of a pod's pair. */
export function nodeVethName(containerId: string): string {
  return `veth${containerId.slice(0, 11)}`;
}

/** Finds out where a NIC stands. */
export function findPlace(
  wish: CoordinatorWish,
  facts: CoordinatorFacts,
  { record }: { readonly record: CoordinatorRecord | undefined },
): Result<Place, PlanRefusal> {
  const { ifName, firstNic } = wish;
  const { pod } = facts;
  const nic = pod.links.find(({ name }) => name === ifName);
  if (nic === undefined) {
    return refuse(
      "no_nic",
      `Cannot coordinate NIC "${ifName}": the pod has no link of that name, the plugin ` +
        `before this one must have made it`,
    );
  }
  const addressed = addressesOf(wish, facts);
  if (!addressed.ok) return addressed;
  const hasVeth = pod.links.some(({ name }) => name === POD_VETH);
  const mode = wish.mode === "auto"
    ? ifName === firstNic || hasVeth ? "underlay" : "overlay"
    : wish.mode;
  const nicCount =
    pod.links.filter((link) =>
      link.isBroadcast && !link.isLoopback && (link.isUp || link.name === ifName)
    ).length;
  const base = { nic, ...addressed.value, nicCount };
  if (mode === "underlay") {
    const isFirst = ifName === firstNic;
    if (!isFirst && !hasVeth) {
      return refuse(
        "first_nic_missing",
        `Cannot coordinate NIC "${ifName}" in underlay mode: the pod has no link ` +
          `"${POD_VETH}", coordinate its first NIC "${firstNic}" in underlay mode as well`,
      );
    }
    const nodeLink = nodeVethName(wish.containerId);
    if (!isFirst && !facts.node.links.some(({ name }) => name === nodeLink)) {
      return refuse(
        "first_nic_missing",
        `Cannot coordinate NIC "${ifName}" in underlay mode: the node has no link "${nodeLink}", ` +
          `the pod's link "${POD_VETH}" does not lead to it; remove that or use mode overlay`,
      );
    }
    return ok({ ...base, mode, isFirst, podLink: POD_VETH, nodeLink });
  }
  const nodeLink = overlayLink(wish, { facts, hasVeth });
  if (!nodeLink.ok) return nodeLink;
  const isFirst = nicCount <= 2 || (record?.mode === "overlay" && record.isFirst) ||
    !isCoordinated(facts, { firstNic });
  return ok({ ...base, mode, isFirst, podLink: firstNic, nodeLink: nodeLink.value });
}

/**
 * Whether an overlay pod has a NIC that is coordinated. Links alone do not tell: some may be of
 * networks without a coordinator.
 */
function isCoordinated(
  { pod, node }: CoordinatorFacts,
  { firstNic }: { readonly firstNic: string },
): boolean {
  const own = new Set(node.addresses.map(({ address }) => address));
  return pod.rules.some(({ protocol }) => protocol === PROTOCOL_OWN) ||
    pod.neighbors.some((one) => one.isPermanent && one.device === firstNic && own.has(one.address));
}

function addressesOf(
  { ifName, addresses: promised }: CoordinatorWish,
  { pod }: CoordinatorFacts,
): Result<Pick<Place, "addresses" | "versions">, PlanRefusal> {
  const ipv6 = promised.find((address) => address.includes(":"));
  if (ipv6 !== undefined && !pod.hasIpv6) {
    return refuse(
      "no_ipv6",
      `Cannot coordinate NIC "${ifName}": prevResult gives it ${ipv6} and the kernel of this ` +
        `node has no IPv6, enable it or use IPv4 pools only`,
    );
  }
  const addresses = usableAddresses(pod.addresses, { device: ifName });
  if (addresses.length === 0) {
    return refuse(
      "no_address",
      `Cannot coordinate NIC "${ifName}": it has no address but link-local ones, the plugin ` +
        `before this one must give it one`,
    );
  }
  const versions = ([4, 6] as const).filter((version) =>
    addresses.some((one) => one.version === version)
  );
  return ok({ addresses, versions });
}

/** The node's end of the first NIC, which the overlay network made. */
function overlayLink(
  { ifName, firstNic }: CoordinatorWish,
  { facts: { pod, node }, hasVeth }: {
    readonly facts: CoordinatorFacts;
    readonly hasVeth: boolean;
  },
): Result<string, PlanRefusal> {
  if (ifName === firstNic) {
    return refuse(
      "overlay_on_first_nic",
      `Cannot coordinate NIC "${ifName}" in overlay mode: it is the pod's first NIC, which the ` +
        `overlay network must give; use mode auto or underlay`,
    );
  }
  if (hasVeth) {
    return refuse(
      "overlay_on_underlay",
      `Cannot coordinate NIC "${ifName}" in overlay mode: link "${POD_VETH}" says that the ` +
        `pod's first NIC is coordinated in underlay mode; use mode auto or underlay`,
    );
  }
  const first = pod.links.find(({ name }) => name === firstNic);
  const peer = first === undefined || !PAIR_KINDS.has(first.kind ?? "")
    ? undefined
    : node.links.find((link) =>
      link.index === first.parentIndex && link.parentIndex === first.index &&
      link.kind === first.kind
    );
  if (peer !== undefined) return ok(peer.name);
  const found = first === undefined ? "is not there" : `is no veth pair with the node`;
  return refuse(
    "no_overlay_link",
    `Cannot coordinate NIC "${ifName}" in overlay mode: the pod's first NIC "${firstNic}" ` +
      `${found}; podDefaultCniNic must name the NIC of the overlay network`,
  );
}

function refuse(code: PlanRefusal["code"], message: string): Result<never, PlanRefusal> {
  return err({ code, message });
}
