/** What the plugin vlan does: a VLAN of a link of the node that is a NIC of one pod. */
import { err, ok } from "../base/result.ts";
import { canonicalAddress } from "./vlan_addresses.ts";
import type { VlanOperation, VlanPlan } from "./vlan_operation.ts";

/** A link of the node or of the pod. */
export interface VlanLink {
  readonly name: string;
  readonly index: number;
  readonly isUp: boolean;
  readonly mtu: number;
  readonly mac?: string;
  /** Absent for hardware. */
  readonly kind?: string;
  /** Of a VLAN of the protocol 802.1Q. */
  readonly vlanId?: number;
  /** Of a VLAN: what it stands on. */
  readonly parentIndex?: number;
  /** Whether that is in another namespace: the pod's NIC stands on a link of the node. */
  readonly isParentElsewhere: boolean;
}

/** Which NIC is asked for. */
export interface NicWish {
  readonly ifName: string;
  readonly master: string;
  /** 0 to 4094. */
  readonly vlanId: number;
  /** 0: as the master's. */
  readonly mtu: number;
  /** Absent: as the master's. */
  readonly mac?: string | undefined;
}

/** What is known when a NIC is planned. */
export interface NicFacts {
  readonly master: VlanLink | undefined;
  /** Links that the node has, where the master is not among them; else none. */
  readonly nodeNames: readonly string[];
  /** The pod's. */
  readonly links: readonly VlanLink[];
}

const NAME_PREFIX = "spvlan";

/**
 * Name that a NIC has until it is whole. The kernel refuses a link's name that the node has, also
 * where it is made in a pod; so `eth0` must be another's for a moment. It is always the same for a
 * NIC: who finds it knows that an ADD was killed.
 */
export function temporaryName(ifName: string): string {
  let hash = 0x811c9dc5; // FNV-1a
  for (const byte of new TextEncoder().encode(ifName)) hash = Math.imul(hash ^ byte, 0x01000193);
  return NAME_PREFIX + (hash >>> 0).toString(16).padStart(8, "0");
}

/** What of a pod's links an ADD of this NIC made; there may be two where one was killed. */
export function planRemoval(
  ifName: string,
  links: readonly VlanLink[],
): readonly VlanOperation[] {
  const names = [temporaryName(ifName), ifName];
  return links.filter(({ name, kind, isParentElsewhere }) =>
    names.includes(name) && kind === "vlan" && isParentElsewhere
  ).map(({ name }) => ({ kind: "remove", name }));
}

/**
 * Plans the NIC, without addresses and down. What an earlier ADD left of it is made anew; what is
 * there and is something else is refused, and nothing is changed.
 */
export function planNic(wish: NicWish, { master, nodeNames, links }: NicFacts): VlanPlan {
  const { ifName, vlanId: id, mtu, mac } = wish;
  const cannot = cannotMake(wish);
  if (master === undefined) {
    return err(
      `${cannot}: the node has no link "${wish.master}", name one of ${
        listed(nodeNames)
      } as master`,
    );
  }
  if (!master.isUp) {
    return err(
      `${cannot}: "${wish.master}" is down, set it up on the node ("ip link set ${wish.master} ` +
        `up") or name another master`,
    );
  }
  if (mtu > master.mtu) {
    return err(
      `${cannot}: mtu ${mtu} is more than the ${master.mtu} of "${wish.master}", write at most ` +
        `that, or 0 to have the same`,
    );
  }
  const isSame = (link: VlanLink): boolean =>
    link.vlanId === id && link.parentIndex === master.index && link.isParentElsewhere;
  const found = links.find(({ name }) => name === ifName);
  if (found !== undefined && !isSame(found)) {
    return err(
      `${cannot}: the pod has a link "${ifName}" already that is ${kindText(found)}, have this ` +
        `network's NIC named otherwise`,
    );
  }
  const temporary = temporaryName(ifName);
  const other = links.find((link) => isSame(link) && ![ifName, temporary].includes(link.name));
  if (other !== undefined) {
    return err(
      `${cannot}: it is the pod's NIC "${other.name}" already, and a link has a VLAN once; write ` +
        `another vlanId or master`,
    );
  }
  const basics = { name: temporary, master: wish.master, id, mtu: mtu === 0 ? master.mtu : mtu };
  return ok([
    ...planRemoval(ifName, links),
    { kind: "vlan_add", ...basics, ...(mac !== undefined && { mac }) },
    { kind: "rename", name: temporary, to: ifName },
  ]);
}

/** What the kernel says when it refuses a VLAN. */
export interface VlanRefusal {
  /** Such as `EEXIST`. */
  readonly name: string;
  readonly text: string;
}

/**
 * Says why the kernel refuses a VLAN, where that is known.
 *
 * @param options.links All links of the node.
 */
export function refusedVlanText(
  wish: NicWish,
  { name: errno, text }: VlanRefusal,
  { links }: { readonly links: readonly VlanLink[] },
): string | undefined {
  const cannot = cannotMake(wish);
  if (errno === "EOPNOTSUPP" && /not supported on device/i.test(text)) {
    return `${cannot}: "${wish.master}" carries no VLANs, name another master`;
  }
  if (errno === "EOPNOTSUPP") {
    return `${cannot}: the node's kernel has no VLANs, load the module 8021q there ("modprobe ` +
      `8021q")`;
  }
  if (errno !== "EEXIST") return undefined;
  const temporary = temporaryName(wish.ifName);
  if (links.some(({ name }) => name === temporary)) {
    return `${cannot}: the node has a link "${temporary}", which the NIC is called while it is ` +
      `made; remove or rename it`;
  }
  const master = links.find(({ name }) => name === wish.master);
  const own = links.find((link) =>
    link.vlanId === wish.vlanId && link.parentIndex === master?.index && !link.isParentElsewhere
  );
  if (own !== undefined) {
    return `${cannot}: it is link "${own.name}" of the node already, and a link has a VLAN once; ` +
      `remove that one, or write another vlanId or master`;
  }
  return `${cannot}: another pod of this node has it, and a link has a VLAN once; place the pods ` +
    `on different nodes, or write another vlanId or master`;
}

/** What of a NIC is not as its ADD left it. */
export function nicDifferences(
  { ifName, master, vlanId, addresses }: {
    readonly ifName: string;
    readonly master: string;
    /** Absent: not known. */
    readonly vlanId?: number | undefined;
    /** Those of `prevResult`, with prefix length. */
    readonly addresses: readonly string[];
  },
  facts: NicFacts & {
    /** Those that the NIC has, with prefix length. */
    readonly addresses: readonly string[];
  },
): readonly string[] {
  const found = facts.links.find(({ name }) => name === ifName);
  if (found === undefined) return [`the pod has no link "${ifName}"`];
  const base = facts.master;
  if (base === undefined) return [`the node has no link "${master}"`];
  const has = new Set(facts.addresses);
  const isOn = found.kind === "vlan" && found.isParentElsewhere && found.parentIndex === base.index;
  return [
    ...(isOn ? [] : [`it is ${kindText(found)} and not on "${master}"`]),
    ...(isOn && vlanId !== undefined && found.vlanId !== vlanId
      ? [`it is ${kindText(found)} and not ${vlanId}`]
      : []),
    ...(found.isUp ? [] : ["it is down"]),
    ...addresses.filter((one) => !has.has(canonicalAddress(one)))
      .map((one) => `it lacks ${one} of prevResult`),
  ];
}

function cannotMake({ vlanId, master, ifName }: NicWish): string {
  return `Cannot make VLAN ${vlanId} of "${master}" as NIC "${ifName}"`;
}

function kindText({ kind, vlanId }: VlanLink): string {
  if (vlanId !== undefined) return `VLAN ${vlanId}`;
  return kind === undefined ? "hardware" : `a ${kind}`;
}

function listed(names: readonly string[]): string {
  return names.filter((name) => name !== "lo").map((name) => `"${name}"`).join(", ");
}
