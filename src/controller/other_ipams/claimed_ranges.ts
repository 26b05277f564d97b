/** What other IPAM plugins hand out, as NetworkAttachmentDefinitions say. Pure. */
import { isRecord } from "../../api/decode.ts";
import type { NetworkAttachmentDefinition } from "../../api/network_attachment.ts";
import {
  type Address,
  type Family,
  hostRange,
  IPV4,
  type Ipv4,
  IPV6,
  type Ipv6,
  parseAddressInCidr,
  parseDestination,
  type Range,
  RangeSet,
} from "../../ip/mod.ts";

/** The IPAM plugin of a network that is not Spiderpool's. */
export interface OtherIpam {
  /** `whereabouts` and the like. */
  readonly type: string;
  readonly ipv4: RangeSet<Ipv4>;
  readonly ipv6: RangeSet<Ipv6>;
}

type Fields = Readonly<Record<string, unknown>>;

/** Entries of each list that are read: a person's text costs no more than that. */
const ENTRIES_MAX = 256;
/** As our plugin calls itself. */
const OUR_TYPE = "spiderpool";

/**
 * Reads the IPAM of each plugin of a network. What is not understood hands nothing out: it is not
 * ours to refuse.
 *
 * @source `host-local` and `static` of containernetworking/plugins; `whereabouts`: `range` (a
 *   network, or `first-last/length`), `range_start`, `range_end`, `exclude`; `ipRanges` of these
 */
export function otherIpamsOf({ spec }: NetworkAttachmentDefinition): readonly OtherIpam[] {
  const config = parsed(spec?.config);
  const plugins = Array.isArray(config?.plugins) ? config.plugins.slice(0, ENTRIES_MAX) : [config];
  const ipams = plugins.map((plugin) => isRecord(plugin) ? plugin.ipam : undefined);
  return ipams.flatMap((ipam) => {
    if (!isRecord(ipam) || typeof ipam.type !== "string" || ipam.type === OUR_TYPE) return [];
    const ipv4 = addressesOf(IPV4, ipam);
    const ipv6 = addressesOf(IPV6, ipam);
    return ipv4.isEmpty && ipv6.isEmpty ? [] : [{ type: ipam.type, ipv4, ipv6 }];
  });
}

function parsed(text: string | undefined): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "");
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function addressesOf<A extends Address>(family: Family<A>, ipam: Fields): RangeSet<A> {
  const parts = [ipam, ...recordsIn(ipam.ipRanges), ...recordsIn(ipam.ranges)];
  const ranges = parts.reduce(
    (all, part) => all.union(rangeOf(family, part)),
    RangeSet.empty(family),
  );
  const fixed = recordsIn(ipam.addresses).map(({ address }) => {
    const read = parseDestination(family, textOf(address));
    return read.ok ? [read.value.address] : [];
  });
  return ranges.union(RangeSet.ofAddresses(family, fixed.flat()));
}

/** What one range gives out, less what it leaves out. */
function rangeOf<A extends Address>(family: Family<A>, part: Fields): RangeSet<A> {
  const [before = "", behind] = (textOf(part.range) || textOf(part.subnet)).split("-");
  const network = parseAddressInCidr(family, behind ?? before);
  if (!network.ok) return RangeSet.empty(family);
  const { address, cidr } = network.value;
  const hosts = hostRange(cidr);
  const ends = behind === undefined
    ? [
      textOf(part.range_start) || textOf(part.rangeStart),
      textOf(part.range_end) || textOf(part.rangeEnd),
    ]
    : [before, family.format(address)];
  const [first = hosts.first, last = hosts.last] = ends.map((text) => {
    const read = family.parse(text);
    return read.ok ? read.value : undefined;
  });
  if (last < first) return RangeSet.empty(family);
  return RangeSet.of(family, [{ first, last }]).subtract(leftOut(family, part.exclude));
}

function leftOut<A extends Address>(family: Family<A>, exclude: unknown): RangeSet<A> {
  const texts: readonly unknown[] = Array.isArray(exclude) ? exclude.slice(0, ENTRIES_MAX) : [];
  const ranges = texts.flatMap((text): readonly Range<A>[] => {
    const read = parseDestination(family, textOf(text));
    return read.ok ? [read.value.cidr] : [];
  });
  return RangeSet.of(family, ranges);
}

/** The records of a list, and of lists in it. */
function recordsIn(value: unknown): readonly Fields[] {
  const items: readonly unknown[] = Array.isArray(value) ? value.flat() : [];
  return items.slice(0, ENTRIES_MAX).filter(isRecord);
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.trim() : "";
}
