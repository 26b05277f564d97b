/** Which addresses count: those of a NIC, and those of the node that a pod reaches by its veth. */
import { type Address, parseAddress } from "../ip/address.ts";
import type { AddressFact, CoordinatorFacts } from "./facts.ts";
import type { IpVersion } from "./operation.ts";

/**
 * Links of a node whose addresses are not the node's own: those of bridges, tunnels and other pods.
 *
 * @source spiderpool `pkg/networking/networking/ip.go`
 */
const FOREIGN_LINK =
  /^(?:docker|cbr|dummy|virbr|lxcbr|veth|cali|flannel|kube-ipvs|cni|vx-submariner|ciliu)|^lo$/;

/** Whether an address is one beyond its own link: neither link-local nor multicast. */
export function isUsable(text: string): boolean {
  const parsed = parseAddress(text);
  return parsed.ok && !isLinkLocal(parsed.value) && !isMulticast(parsed.value);
}

/** 169.254.0.0/16 and fe80::/10. */
function isLinkLocal(address: Address): boolean {
  return typeof address === "number" ? address >>> 16 === 0xa9fe : address >> 118n === 0x3fan;
}

/** 224.0.0.0/4 and ff00::/8. */
function isMulticast(address: Address): boolean {
  return typeof address === "number" ? address >>> 28 === 0xe : address >> 120n === 0xffn;
}

/** Whether two IPv4 addresses are of networks that overlap. */
export function inOneNetwork(one: AddressFact, other: AddressFact): boolean {
  const length = Math.min(one.prefixLength, other.prefixLength);
  const [first, second] = [one, other].map(({ address }) => {
    const parsed = parseAddress(address);
    // A shift by 32 is none.
    if (!parsed.ok || typeof parsed.value !== "number") return undefined;
    return length === 0 ? 0 : parsed.value >>> (32 - length);
  });
  return first !== undefined && first === second;
}

/** The usable addresses of a link, in its order. */
export function usableAddresses(
  facts: readonly AddressFact[],
  { device, version }: { readonly device: string; readonly version?: IpVersion },
): readonly AddressFact[] {
  return facts.filter((one) =>
    one.device === device && (version === undefined || one.version === version) &&
    isUsable(one.address)
  );
}

/**
 * Addresses of the node that the pod reaches through its veth; the first of a family is the gateway
 * to what the node forwards.
 *
 * First what the node itself would send to the pod from, then its other addresses, link by link.
 * Answers that an earlier ADD made (they come from `hostRuleTable`) say nothing: such a route has
 * no source, and the kernel takes any.
 */
export function nodeAddresses(
  { pod, node }: CoordinatorFacts,
  { hostRuleTable, versions }: {
    readonly hostRuleTable: number;
    readonly versions: readonly IpVersion[];
  },
): readonly { readonly version: IpVersion; readonly address: string }[] {
  const own = new Set(pod.addresses.map(({ address }) => address));
  const found = new Set<string>();
  for (const { table, source } of node.sources) {
    if (table !== hostRuleTable) found.add(source);
  }
  for (const { device, address } of node.addresses) {
    if (!FOREIGN_LINK.test(device)) found.add(address);
  }
  return [...found]
    .filter((address) => isUsable(address) && !own.has(address))
    .map((address) => ({ version: versionOf(address), address }))
    .filter(({ version }) => versions.includes(version));
}

/** The family of an address in text. */
export function versionOf(address: string): IpVersion {
  return address.includes(":") ? 6 : 4;
}

/** An address as a destination: `10.6.0.5/32`, `fd00::5/128`. */
export function hostCidr(address: string): string {
  return `${address}/${versionOf(address) === 4 ? 32 : 128}`;
}
