/** What of a link cannot be asked of the kernel: values that would become others on their way. */
import { isNicName } from "./ethtool.ts";
import type { LinkChanges, LinkSpec } from "./link.ts";

const U32_MAX = 0xffff_ffff;
const VLAN_ID_MAX = 4_094;

/** What cannot be asked of the kernel, in words; nothing if all of it can. */
export function linkFault(spec: LinkSpec): string | undefined {
  const peer = spec.kind === "veth" ? changesFault(spec.peer) : undefined;
  const fault = changesFault(spec) ?? (peer === undefined ? undefined : `of the peer, ${peer}`);
  if (fault !== undefined) return fault;
  if (spec.kind === "vlan" && !isWithin(spec.id, { max: VLAN_ID_MAX })) {
    return `VLAN ID ${spec.id} is not one of 0 to ${VLAN_ID_MAX}`;
  }
  if (spec.kind === "vrf" && !isWithin(spec.table, { min: 1, max: U32_MAX })) {
    return `table ${spec.table} is not one of 1 to ${U32_MAX}`;
  }
  return undefined;
}

/** What of changes cannot be asked of the kernel, in words; nothing if all of it can. */
export function changesFault(
  { name, mtu, txQueueLength }: Pick<LinkChanges, "name" | "mtu" | "txQueueLength">,
): string | undefined {
  if (name !== undefined && !isNicName(name)) return nameFault(name);
  if (mtu !== undefined && !isWithin(mtu, { max: U32_MAX })) {
    return `MTU ${mtu} is not one of 0 to ${U32_MAX}`;
  }
  if (txQueueLength !== undefined && !isWithin(txQueueLength, { max: U32_MAX })) {
    return `queue length ${txQueueLength} is not one of 0 to ${U32_MAX}`;
  }
  return undefined;
}

function nameFault(name: string): string {
  const { length } = new TextEncoder().encode(name);
  return length > 15
    ? `interface name ${JSON.stringify(name)} has ${length} bytes, at most 15 are allowed`
    : `interface name ${JSON.stringify(name)} is not allowed: take 1 to 15 characters without ` +
      `white space, "/" and ":"`;
}

function isWithin(
  value: number,
  { min = 0, max }: { readonly min?: number; readonly max: number },
): boolean {
  return Number.isInteger(value) && value >= min && value <= max;
}
