/** What the rules of pools and subnets read of a spec. */
import type { SpiderIpPool } from "../../../api/ip_pool.ts";
import type { SpiderSubnet } from "../../../api/subnet.ts";
import { type AnyCidr, formatCidr, parseAnyAddressInCidr } from "../../../ip/mod.ts";
import { AddressSet } from "./address_set.ts";

/** A pool or a subnet: both say which addresses there are. */
export type SpaceObject = SpiderIpPool | SpiderSubnet;

/** The part of a spec that says which addresses there are. */
export type SpaceSpec = SpiderSubnet["spec"];

/** The addresses of a pool or a subnet. */
export interface Space {
  readonly cidr: AnyCidr;
  /** The network in canonical form. */
  readonly network: string;
  readonly excluded: AddressSet;
  /** `ips` less `excludeIPs`. */
  readonly addresses: AddressSet;
}

/** Spaces of objects that were read before; what an informer holds is never changed in place. */
const known = new WeakMap<SpaceObject, { readonly space: Space | undefined }>();

/** Reads the addresses of an object; `undefined` where its spec contradicts itself. */
export function spaceOf(object: SpaceObject): Space | undefined {
  const before = known.get(object);
  if (before !== undefined) return before.space;
  const space = readSpace(object.spec);
  known.set(object, { space });
  return space;
}

function readSpace({ subnet, ips, excludeIPs }: SpaceSpec): Space | undefined {
  const parsed = parseAnyAddressInCidr(subnet);
  if (!parsed.ok) return undefined;
  const { cidr } = parsed.value;
  const listed = AddressSet.parse(cidr, ips);
  const excluded = AddressSet.parse(cidr, excludeIPs);
  if (listed === undefined || excluded === undefined) return undefined;
  return { cidr, network: formatCidr(cidr), excluded, addresses: listed.subtract(excluded) };
}
