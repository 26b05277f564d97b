/** The range syntax of pools: `a` or `a-b`, both ends included, of one family. */
import { assert } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type Address, formatAddress, parseAddress, type Range, versionOf } from "./address.ts";
import { type Cidr, formatCidr, parseAnyAddressInCidr } from "./cidr.ts";
import type { Family } from "./family.ts";
import type { RangeRefusal } from "./refusal.ts";

/**
 * Parses one entry of `spec.ips`, `spec.excludeIPs` and the like.
 *
 * No CIDR, no white space, no abbreviated end (`10.0.0.1-9`), no wildcard; addresses may be in any
 * spelling that `family.parse` takes.
 *
 * @param options.subnet If given, the whole range must be inside it.
 * @outcome all of `RangeRefusal`
 * @source spiderpool `pkg/ip`; unlike there, a reversed range is refused wherever it stands.
 */
export function parseRange<A extends Address>(
  family: Family<A>,
  text: string,
  { subnet }: { readonly subnet?: Cidr<A> | undefined } = {},
): Result<Range<A>, RangeRefusal> {
  const parts = text.split("-");
  const [firstText = "", lastText = firstText] = parts;
  if (parts.length > 2) return err({ code: "many_dashes", text, dashes: parts.length - 1 });

  const first = family.parse(firstText);
  const last = parts.length === 1 ? first : family.parse(lastText);
  if (!first.ok || !last.ok) return err(endRefusal(family, { text, firstText, lastText }));
  if (last.value < first.value) {
    const range = formatRange({ first: last.value, last: first.value });
    return err({ code: "reversed", text, range });
  }
  const range = { first: first.value, last: last.value };
  return subnet === undefined ? ok(range) : insideSubnet(range, { text, subnet });
}

/** Prints a range in canonical form: `a` if it is one address, else `a-b`. */
export function formatRange({ first, last }: Range<Address>): string {
  return first === last ? formatAddress(first) : `${formatAddress(first)}-${formatAddress(last)}`;
}

/** Whether an address is in a range. */
export function rangeContains<A extends Address>(range: Range<A>, address: A): boolean {
  return range.first <= address && address <= range.last;
}

function insideSubnet<A extends Address>(
  range: Range<A>,
  { text, subnet }: { readonly text: string; readonly subnet: Cidr<A> },
): Result<Range<A>, RangeRefusal> {
  const { family } = subnet;
  if (subnet.first <= range.first && range.last <= subnet.last) return ok(range);
  const outside = rangeContains(subnet, range.first) ? range.last : range.first;
  return err({
    code: "outside_subnet",
    text,
    outside: family.format(outside),
    subnet: formatCidr(subnet),
    subnetRange: formatRange(subnet),
  });
}

interface Ends {
  readonly text: string;
  readonly firstText: string;
  readonly lastText: string;
}

/** Says what is wrong with a range of which at least one end is no address of the family. */
function endRefusal<A extends Address>(family: Family<A>, ends: Ends): RangeRefusal {
  const { text, firstText, lastText } = ends;
  const first = family.parse(firstText);
  if (firstText === text) {
    assert(!first.ok, "a single address that parses is a range");
    return cidrRefusal(text) ?? { code: "bad_end", text, end: "only", address: first.error };
  }
  const last = family.parse(lastText);
  if (isMixed(firstText, lastText)) return { code: "mixed_families", text };
  if (!first.ok) return { code: "bad_end", text, end: "start", address: first.error };
  assert(!last.ok, "a range of two good ends is not refused for its ends");
  return shortEndRefusal(family, ends) ??
    { code: "bad_end", text, end: "end", address: last.error };
}

function cidrRefusal(text: string): RangeRefusal | undefined {
  const parsed = parseAnyAddressInCidr(text);
  if (!parsed.ok) return undefined;
  const { cidr } = parsed.value;
  const range = formatRange(cidr);
  return { code: "cidr", text, range };
}

function isMixed(firstText: string, lastText: string): boolean {
  const first = parseAddress(firstText);
  const last = parseAddress(lastText);
  return first.ok && last.ok && versionOf(first.value) !== versionOf(last.value);
}

/** `10.0.0.1-9`, `fd00::1-9`: the end replaces the last number of the start. */
function shortEndRefusal<A extends Address>(
  family: Family<A>,
  { text, firstText, lastText }: Ends,
): RangeRefusal | undefined {
  const number = family.version === 4 ? /\d+$/ : /[\da-f]+$/i;
  if (number.exec(lastText)?.[0] !== lastText) return undefined;
  const first = family.parse(firstText);
  const last = family.parse(firstText.replace(number, lastText));
  if (!first.ok || !last.ok || last.value < first.value) return undefined;
  const range = formatRange({ first: first.value, last: last.value });
  return { code: "short_end", text, range };
}
