/** SpiderReservedIP: what is filled in, and what is refused by the object alone. */
import type { SpiderReservedIp } from "../../../api/reserved_ip.ts";
import { IPV4, IPV6 } from "../../../ip/mod.ts";
import { familyOffFault, readRanges } from "./address_space_rules.ts";
import { type Fault, fault, forbidden, missing } from "./fault.ts";
import { familyOf, withMergedRanges } from "./mutation.ts";
import type { Reviewed } from "./settings.ts";

const RANGES = "at least one address or range, such as 10.6.0.10-10.6.0.20";

/** Family, and ranges sorted and joined. */
export function mutateReserved({ object }: Reviewed<SpiderReservedIp>): SpiderReservedIp {
  const ipVersion = object.spec.ipVersion ?? familyOf(object.spec.ips?.[0]);
  if (ipVersion === undefined) return object;
  return { ...object, spec: { ...withMergedRanges(object.spec, ipVersion), ipVersion } };
}

/** Lists what is wrong with reserved addresses. */
export function reservedFaults(
  { object: { spec }, previous, settings }: Reviewed<SpiderReservedIp>,
): readonly Fault[] {
  const { ips = [], ipVersion } = spec;
  const path = ["spec", "ips"];
  const before = previous?.spec.ipVersion;
  const faults: Fault[] = [];
  if (before !== undefined && ipVersion !== undefined && before !== ipVersion) {
    const why = `it never changes; write ${before}, or create another SpiderReservedIP`;
    faults.push(forbidden(["spec", "ipVersion"], ipVersion, { why }));
  }
  if (ips.length === 0) return [...faults, missing(path, { write: RANGES })];
  const version = before ?? ipVersion ?? familyOf(ips[0]);
  if (previous === undefined) {
    faults.push(...familyOffFault(version, { path, value: undefined, settings }));
  }
  if (version === undefined) {
    const why = `it is no address; write ${RANGES}`;
    return [...faults, fault([...path, 0], ips[0], { why })];
  }
  const { faults: wrong } = version === 6
    ? readRanges(IPV6, { texts: ips, path })
    : readRanges(IPV4, { texts: ips, path });
  return [...faults, ...wrong];
}
