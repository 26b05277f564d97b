/**
 * IP arithmetic: addresses, CIDRs, ranges and sets of ranges, for both families, without IO. Start
 * with `IPV4` and `IPV6` (parse, print, arithmetic), `parseCidr`, `parseRangeSet` and `RangeSet`.
 */
export {
  type Address,
  formatAddress,
  formatAddressBytes,
  formatObjectName,
  guessVersion,
  type Ipv4,
  type Ipv6,
  parseAddress,
  parseAddressBytes,
  parseIpv4,
  parseIpv6,
  parseObjectName,
  type Range,
  versionOf,
} from "./address.ts";
export { type Count, type Family, IPV4, IPV6, type Version } from "./family.ts";
export {
  type AddressInCidr,
  type AnyAddressInCidr,
  type AnyCidr,
  type Cidr,
  cidrAround,
  cidrContains,
  cidrSize,
  cidrsOverlap,
  formatAddressInCidr,
  formatCidr,
  formatCidrLabel,
  hostCount,
  hostRange,
  parseAddressInCidr,
  parseAnyAddressInCidr,
  parseAnyCidr,
  parseAnyDestination,
  parseCidr,
  parseDestination,
} from "./cidr.ts";
export { formatRange, parseRange, rangeContains } from "./range.ts";
export { type EntryRefusal, parseRangeSet, RangeSet } from "./range_set.ts";
export {
  type AddressRefusal,
  type CidrRefusal,
  describeRefusal,
  explainRefusal,
  type IpRefusal,
  type RangeRefusal,
} from "./refusal.ts";
