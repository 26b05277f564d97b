import { err, ok, type Result } from "../base/result.ts";
import { inOneNetwork, usableAddresses } from "./addresses.ts";
import type { Draft } from "./draft.ts";
import type { CoordinatorFacts, CoordinatorWish } from "./facts.ts";
import { fixedMac } from "./fixed_mac.ts";
import { type Place, POD_VETH } from "./place.ts";
import type { PlanRefusal } from "./plan.ts";
import type { WishValues } from "./wish_values.ts";

/** Hardware addresses for a new pair: drawn at random by the caller, local and unicast. */
export interface VethMacs {
  readonly pod: string;
  readonly node: string;
}

/** What links and sysctls are planned from. */
export interface LinkWorld {
  readonly wish: CoordinatorWish;
  readonly facts: CoordinatorFacts;
  readonly place: Place;
  readonly values: WishValues;
}

/**
 * Plans the pair between pod and node, the NIC's own settings, and the sysctls of the pod.
 *
 * `disable_ipv6` is cleared where it matters and not in `conf/all`: writing there reaches every
 * link of the pod, and setting it back would take all their IPv6 addresses.
 *
 * @outcome `name_taken`, `fixed_mac`, `bad_value`
 */
export function planLinks(
  draft: Draft,
  world: LinkWorld,
  { macs }: { readonly macs: VethMacs },
): Result<undefined, PlanRefusal> {
  const { wish, place } = world;
  planSysctls(draft, world);
  planNotices(draft, place);
  if (wish.tunePodRoutes) planAnswers(draft, world);
  if (place.mode === "underlay" && place.isFirst) {
    const pair = planPair(draft, world, { macs });
    if (!pair.ok) return pair;
  }
  if (wish.podMacPrefix !== undefined) {
    const mac = planMac(draft, place, { prefix: wish.podMacPrefix });
    if (!mac.ok) return mac;
  }
  if (wish.txQueueLength !== undefined && wish.txQueueLength > 0) {
    draft.setQueue("pod", { name: wish.ifName, length: wish.txQueueLength });
  }
  return ok(undefined);
}

/** The kernel takes the greater of `all` and a link's own value; a new link's is `default`. */
function planSysctls(draft: Draft, { wish, facts, place }: LinkWorld): void {
  const names = facts.pod.links.filter(({ isLoopback }) => !isLoopback).map(({ name }) => name);
  if (place.versions.includes(6)) {
    const needed = ["default", place.nic.name, place.podLink];
    for (const name of needed) {
      draft.setSysctl("pod", { path: `net/ipv6/conf/${name}/disable_ipv6`, value: "0" });
    }
  }
  if (wish.podRpFilter === undefined) return;
  for (const name of ["all", "default", ...names]) {
    const value = `${wish.podRpFilter}`;
    draft.setSysctl("pod", { path: `net/ipv4/conf/${name}/rp_filter`, value });
  }
}

/**
 * Has the kernel tell the neighbours where the addresses are: whenever the hardware address is set,
 * and once it has found out that nobody else has an IPv6 address. Else they ask a pod that is gone
 * for some seconds, where its address was given to this one.
 *
 * @source Linux `Documentation/networking/ip-sysctl.rst`, arp_notify and ndisc_notify
 */
function planNotices(draft: Draft, { nic: { name }, versions }: Place): void {
  const paths = { 4: `net/ipv4/conf/${name}/arp_notify`, 6: `net/ipv6/conf/${name}/ndisc_notify` };
  for (const version of versions) draft.setSysctl("pod", { path: paths[version], value: "1" });
}

/**
 * NICs in one network would each answer ARP for the addresses of all: then requests come in by any
 * of them. Each answers by its own table, so the kernel can tell whose turn it is.
 *
 * @source Linux `Documentation/networking/ip-sysctl.rst`, arp_filter
 */
function planAnswers(draft: Draft, { facts: { pod }, place }: LinkWorld): void {
  const { name, isLoopback } = place.nic;
  if (isLoopback) return;
  const own = usableAddresses(pod.addresses, { device: name, version: 4 });
  const neighbors = pod.links.filter((link) =>
    !link.isLoopback && link.name !== name && link.name !== place.podLink &&
    usableAddresses(pod.addresses, { device: link.name, version: 4 })
      .some((one) => own.some((other) => inOneNetwork(one, other)))
  );
  for (const link of neighbors.length === 0 ? [] : [...neighbors, place.nic]) {
    draft.setSysctl("pod", { path: `net/ipv4/conf/${link.name}/arp_filter`, value: "1" });
  }
}

function planPair(
  draft: Draft,
  { wish, facts: { pod }, place, values }: LinkWorld,
  { macs }: { readonly macs: VethMacs },
): Result<undefined, PlanRefusal> {
  const { podLink: podName, nodeLink: nodeName } = place;
  const inPod = draft.link("pod", podName);
  const onNode = draft.link("node", nodeName);
  const acceptRa = { path: `net/ipv6/conf/${nodeName}/accept_ra`, value: "0" };
  if (inPod !== undefined) {
    const isPair = onNode !== undefined && inPod.kind === "veth" && onNode.kind === "veth" &&
      inPod.parentIndex === onNode.index && onNode.parentIndex === inPod.index;
    if (!isPair) {
      return refuse(
        "name_taken",
        `Cannot connect the pod to its node: it has a link "${POD_VETH}" already that does not ` +
          `lead to the node's "${nodeName}", remove that link`,
      );
    }
    const { mtu, mac: podMac = "" } = inPod;
    draft.keepVeth({ podName, nodeName, mtu, podMac, nodeMac: onNode.mac ?? "" });
    draft.setSysctl("node", acceptRa);
  } else {
    if (onNode !== undefined && onNode.kind !== "veth") {
      return refuse(
        "name_taken",
        `Cannot connect the pod to its node: the node has a link "${nodeName}" already that is ` +
          `no veth, remove or rename it`,
      );
    }
    // Its other end was in an earlier namespace of this very container.
    if (onNode !== undefined) draft.removeLink("node", nodeName);
    const ends = { podName, nodeName, podMac: macs.pod, nodeMac: macs.node };
    draft.addVeth({ ...ends, mtu: wish.vethMtu });
    if (pod.hasIpv6) draft.setNewSysctl("node", acceptRa);
  }
  draft.setUp("node", nodeName);
  draft.setUp("pod", podName);
  const { vethLinkAddress: address } = values;
  if (address !== undefined && place.versions.includes(4)) {
    const isThere = pod.addresses.some((one) =>
      one.device === podName && `${one.address}/${one.prefixLength}` === address
    );
    draft.addAddress("pod", { device: podName, address, isThere });
  }
  return ok(undefined);
}

function planMac(
  draft: Draft,
  { nic, addresses }: Place,
  { prefix }: { readonly prefix: string },
): Result<undefined, PlanRefusal> {
  const [first] = addresses.toSorted((a, b) => a.version - b.version);
  const mac = fixedMac(first?.address ?? "", { prefix });
  if (!mac.ok) return refuse("bad_value", `Cannot use podMACPrefix "${prefix}": ${mac.error}`);
  if (nic.kind === "ipvlan" && nic.mac !== mac.value) {
    return refuse(
      "fixed_mac",
      `Cannot give NIC "${nic.name}" the hardware address ${mac.value}: an ipvlan shares that ` +
        `of its master, leave podMACPrefix empty or use macvlan`,
    );
  }
  // The kernel tells the neighbours, once for each address: now, and when the old one is back.
  draft.setMac("pod", { name: nic.name, mac: mac.value });
  return ok(undefined);
}

function refuse(code: PlanRefusal["code"], message: string): Result<never, PlanRefusal> {
  return err({ code, message });
}
