/** SpiderIPs that keep addresses from pods while a pool gives them back (design.md 2.6). */
import { SPIDERPOOL_API_VERSION } from "../../api/group.ts";
import { LABEL_HOLD, LABEL_IP_POOL, labelValue } from "../../api/labels.ts";
import type { SpiderIp } from "../../api/spider_ip.ts";
import { type Address, formatAddress, formatObjectName, type RangeSet } from "../../ip/mod.ts";

/** Milliseconds from the record to the end of its holds: agents have heard of it by then. */
export const HOLD_MS = 10_000;

/** The object to create for an address that is given back. */
export function newHold(
  { pool, address }: { readonly pool: string; readonly address: Address },
): SpiderIp {
  return {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind: "SpiderIP",
    metadata: {
      name: formatObjectName(address),
      labels: { [LABEL_IP_POOL]: labelValue(pool), [LABEL_HOLD]: "shrink" },
    },
    spec: { ip: formatAddress(address), pool, hold: "shrink" },
  };
}

/** Whether a SpiderIP holds an address of a pool back, and nobody has it. */
export function isHoldOf(pool: string, { spec }: SpiderIp): boolean {
  return spec.hold === "shrink" && spec.pool === pool;
}

/** The addresses of a set one by one: only for what is held, of which there is little. */
export function* eachAddress<A extends Address>(set: RangeSet<A>): Generator<A> {
  for (const { first, last } of set) {
    for (let one = first; one < last; one = set.family.next(one)) yield one;
    yield last;
  }
}
