/** Addresses that pods use: who loses one is named. */
import { type AllocationRecords, readAllocatedIps } from "../../../api/ip_pool_records.ts";
import type { SpiderIpPool } from "../../../api/ip_pool.ts";
import type { SpiderIp } from "../../../api/spider_ip.ts";
import { type Address, formatAddress, parseAddress } from "../../../ip/mod.ts";
import type { AddressSet } from "./address_set.ts";
import { spaceOf } from "./address_space.ts";
import { type Fault, forbidden } from "./fault.ts";

/** Holders that a refusal names. */
export const HOLDERS_SHOWN = 5;

/** Who has an address. */
export interface Holder {
  readonly address: Address;
  /** `pod "default/web-0", NIC "eth0"`, or why nobody else may have it. */
  readonly who: string;
}

/** Some holders, and how many more there are. */
export interface Holders {
  readonly shown: readonly Holder[];
  readonly more: number;
}

/**
 * The holder that a SpiderIP records; `undefined` if it is of another pool than the one asked, or
 * if nobody has the address and its pool is giving it back.
 */
export function holderOf(
  { spec }: SpiderIp,
  { pool = spec.pool }: { readonly pool?: string | undefined },
): Holder | undefined {
  const address = parseAddress(spec.ip);
  if (!address.ok || spec.pool !== pool || spec.hold !== undefined) return undefined;
  return { address: address.value, who: holderText(spec) };
}

/** The holders among some addresses that a pool's status records: of installations before ours. */
export function recordedHolders(pool: SpiderIpPool, addresses: AddressSet): readonly Holder[] {
  if (pool.status?.truth === "SpiderIP") return [];
  const read = readAllocatedIps(pool.status?.allocatedIPs);
  const records: AllocationRecords = read.ok ? read.value : {};
  return Object.entries(records).flatMap(([text, { pod }]) => {
    const address = parseAddress(text);
    if (!address.ok || !addresses.has(address.value)) return [];
    return [{ address: address.value, who: `pod ${JSON.stringify(pod)}` }];
  });
}

/** Says of each address that a pool gives up whose it is. */
export function holderFaults(pool: SpiderIpPool, { shown, more }: Holders): readonly Fault[] {
  const excluded = spaceOf(pool)?.excluded;
  const faults = shown.map(({ address, who }) => {
    const text = formatAddress(address);
    const isExcluded = excluded?.has(address) ?? false;
    const why = isExcluded
      ? `it takes away "${text}", which ${who} uses; keep the address until that has ended`
      : `it leaves out "${text}", which ${who} uses; keep the address until that has ended`;
    return forbidden(["spec", isExcluded ? "excludeIPs" : "ips"], undefined, { why });
  });
  if (more === 0) return faults;
  const why = `${more} more ${more === 1 ? "address is" : "addresses are"} in use; keep them too`;
  return [...faults, forbidden(["spec", "ips"], undefined, { why })];
}

/** Names holders in one sentence: `"10.6.0.5" of pod "a/b", NIC "eth0"` and how many more. */
export function holdersText({ shown, more }: Holders): string {
  const texts = shown.map(({ address, who }) => `"${formatAddress(address)}" of ${who}`);
  return more === 0 ? texts.join(", ") : `${texts.join(", ")} and ${more} more`;
}

function holderText({ podNamespace, podName, nic }: SpiderIp["spec"]): string {
  const pod = JSON.stringify(`${podNamespace}/${podName}`);
  return nic === undefined || nic === "" ? `pod ${pod}` : `pod ${pod} (NIC ${JSON.stringify(nic)})`;
}
