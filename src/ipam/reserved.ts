/** Addresses that no pool gives out. */
import type { SpiderReservedIp } from "../api/reserved_ip.ts";
import {
  describeRefusal,
  guessVersion,
  IPV4,
  type Ipv4,
  IPV6,
  type Ipv6,
  parseRange,
  type Range,
  RangeSet,
} from "../ip/mod.ts";

/** Reserved addresses, by family. */
export interface Reserved {
  readonly ipv4: RangeSet<Ipv4>;
  readonly ipv6: RangeSet<Ipv6>;
}

/** No address is reserved. */
export const NOTHING_RESERVED: Reserved = {
  ipv4: RangeSet.empty(IPV4),
  ipv6: RangeSet.empty(IPV6),
};

/**
 * Reads what an object reserves.
 *
 * @returns An entry that cannot be read reserves nothing; the others still count.
 */
export function readReserved(
  { spec }: SpiderReservedIp,
): { readonly reserved: Reserved; readonly problems: readonly string[] } {
  const ipv4: Range<Ipv4>[] = [];
  const ipv6: Range<Ipv6>[] = [];
  const problems: string[] = [];
  for (const [index, text] of (spec.ips ?? []).entries()) {
    const read = guessVersion(text) === 6
      ? addTo(ipv6, parseRange(IPV6, text))
      : addTo(ipv4, parseRange(IPV4, text));
    if (read !== undefined) problems.push(describeRefusal(read, `spec.ips[${index}]`));
  }
  return {
    reserved: { ipv4: RangeSet.of(IPV4, ipv4), ipv6: RangeSet.of(IPV6, ipv6) },
    problems,
  };
}

/** What several objects reserve together. */
export function allReserved(parts: Iterable<Reserved>): Reserved {
  let { ipv4, ipv6 } = NOTHING_RESERVED;
  for (const part of parts) {
    ipv4 = ipv4.union(part.ipv4);
    ipv6 = ipv6.union(part.ipv6);
  }
  return { ipv4, ipv6 };
}

type Refused = ReturnType<typeof parseRange<Ipv4>> & { readonly ok: false };

function addTo<R>(
  ranges: R[],
  parsed: { readonly ok: true; readonly value: R } | Refused,
): Refused["error"] | undefined {
  if (!parsed.ok) return parsed.error;
  ranges.push(parsed.value);
  return undefined;
}
