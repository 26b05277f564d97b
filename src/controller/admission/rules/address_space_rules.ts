/** Rules of what pools and subnets have in common: network, ranges, gateway and routes. */
import {
  type Address,
  type Cidr,
  cidrContains,
  type Family,
  formatCidr,
  formatRange,
  guessVersion,
  IPV4,
  IPV6,
  parseAddressInCidr,
  parseCidr,
  parseRange,
  type Range,
  rangeContains,
  RangeSet,
} from "../../../ip/mod.ts";
import { CONFIG_MAP_NAME } from "../../../api/config_map.ts";
import type { SpaceObject, SpaceSpec } from "./address_space.ts";
import { type Fault, fault, faultOfRefusal, type FieldPath, forbidden } from "./fault.ts";
import type { AdmissionSettings, Reviewed } from "./settings.ts";

/**
 * Lists what is wrong with the addresses that a pool or a subnet says it has, by the object alone.
 *
 * A stored subnet need not be in canonical form, and its family need not be switched on: that is
 * asked of new objects only, since neither can be changed.
 */
export function addressSpaceFaults(reviewed: Reviewed<SpaceObject>): readonly Fault[] {
  const { object: { spec, kind }, previous, settings } = reviewed;
  const version = guessVersion(spec.subnet);
  const isNew = previous === undefined;
  return [
    ...previous === undefined ? [] : changeFaults(spec, { before: previous.spec, kind }),
    ...isNew ? familyFaults(version, { spec, settings }) : [],
    ...version === 6 ? faultsIn(IPV6, { spec, isNew }) : faultsIn(IPV4, { spec, isNew }),
  ];
}

/** Says that a family is switched off; nothing for one that is on, or for none. */
export function familyOffFault(
  version: 4 | 6 | undefined,
  { path, value, settings }: {
    readonly path: FieldPath;
    readonly value: unknown;
    readonly settings: AdmissionSettings;
  },
): readonly Fault[] {
  if (version === undefined) return [];
  if (version === 4 ? settings.enableIPv4 : settings.enableIPv6) return [];
  const why = `IPv${version} is switched off in this cluster; write "enableIPv${version}: true" ` +
    `into the ConfigMap "${CONFIG_MAP_NAME}" and restart the controller, or use IPv${
      version === 4 ? 6 : 4
    }`;
  return [forbidden(path, value, { why })];
}

function changeFaults(
  { subnet, ipVersion }: SpaceSpec,
  { before, kind }: { readonly before: SpaceSpec; readonly kind: string },
): readonly Fault[] {
  const faults: Fault[] = [];
  if (subnet !== before.subnet) {
    const why = `it never changes; write "${before.subnet}", or create another ${kind}`;
    faults.push(forbidden(["spec", "subnet"], subnet, { why }));
  }
  if (ipVersion !== undefined && before.ipVersion !== undefined && ipVersion !== before.ipVersion) {
    const why = `it never changes; write ${before.ipVersion}, or create another ${kind}`;
    faults.push(forbidden(["spec", "ipVersion"], ipVersion, { why }));
  }
  return faults;
}

function familyFaults(
  version: 4 | 6 | undefined,
  { spec, settings }: { readonly spec: SpaceSpec; readonly settings: AdmissionSettings },
): readonly Fault[] {
  const path = ["spec", "ipVersion"];
  if (version !== undefined && spec.ipVersion !== undefined && spec.ipVersion !== version) {
    const why = `spec.subnet "${spec.subnet}" is IPv${version}; write ${version}, or leave it out`;
    return [fault(path, spec.ipVersion, { why })];
  }
  return familyOffFault(version, { path: ["spec", "subnet"], value: spec.subnet, settings });
}

interface Asked {
  readonly spec: SpaceSpec;
  readonly isNew: boolean;
}

function faultsIn<A extends Address>(family: Family<A>, { spec, isNew }: Asked): readonly Fault[] {
  const faults: Fault[] = [];
  const read = parseAddressInCidr(family, spec.subnet);
  const canonical = parseCidr(family, spec.subnet);
  const refusal = !read.ok ? read.error : isNew && !canonical.ok ? canonical.error : undefined;
  if (refusal !== undefined) faults.push(faultOfRefusal(["spec", "subnet"], refusal));
  const subnet = read.ok ? read.value.cidr : undefined;
  const listed = readRanges(family, { texts: spec.ips, path: ["spec", "ips"], subnet });
  const excluded = readRanges(family, {
    texts: spec.excludeIPs,
    path: ["spec", "excludeIPs"],
    subnet,
  });
  faults.push(...listed.faults, ...excluded.faults);
  const gateway = hopFaults(family, {
    text: spec.gateway ?? "",
    path: ["spec", "gateway"],
    subnet,
  });
  if (spec.gateway !== undefined && spec.gateway !== "") {
    faults.push(...gateway, ...gatewayInRangeFaults(family, { spec, listed, excluded }));
  }
  return [...faults, ...routeFaults(family, { spec, subnet })];
}

interface ReadRanges<A extends Address> {
  readonly faults: readonly Fault[];
  /** Those that could be read, with their index in the list. */
  readonly ranges: readonly (readonly [index: number, range: Range<A>])[];
}

/** Reads a list of ranges, each by itself: every wrong one is told. */
export function readRanges<A extends Address>(
  family: Family<A>,
  { texts = [], path, subnet }: {
    readonly texts: readonly string[] | undefined;
    readonly path: FieldPath;
    readonly subnet?: Cidr<A> | undefined;
  },
): ReadRanges<A> {
  const faults: Fault[] = [];
  const ranges: (readonly [number, Range<A>])[] = [];
  for (const [index, text] of texts.entries()) {
    const parsed = parseRange(family, text, { subnet });
    if (parsed.ok) ranges.push([index, parsed.value]);
    else faults.push(faultOfRefusal([...path, index], parsed.error));
  }
  return { faults, ranges };
}

interface Hop<A extends Address> {
  readonly text: string;
  readonly path: FieldPath;
  readonly subnet: Cidr<A> | undefined;
}

function hopFaults<A extends Address>(
  family: Family<A>,
  { text, path, subnet }: Hop<A>,
): readonly Fault[] {
  const parsed = family.parse(text);
  if (!parsed.ok) return [faultOfRefusal(path, parsed.error)];
  if (subnet === undefined || cidrContains(subnet, parsed.value)) return [];
  const why = `it is outside the subnet "${formatCidr(subnet)}"; write an address of ` +
    `"${formatRange(subnet)}"`;
  return [fault(path, text, { why })];
}

function gatewayInRangeFaults<A extends Address>(
  family: Family<A>,
  { spec, listed, excluded }: {
    readonly spec: SpaceSpec;
    readonly listed: ReadRanges<A>;
    readonly excluded: ReadRanges<A>;
  },
): readonly Fault[] {
  const gateway = family.parse(spec.gateway ?? "");
  if (!gateway.ok || excluded.faults.length > 0) return [];
  const left = RangeSet.of(family, excluded.ranges.map(([, range]) => range));
  if (left.has(gateway.value)) return [];
  const name = family.format(gateway.value);
  const why = `it has the gateway "${name}"; write "${name}" into spec.excludeIPs, or leave it out`;
  return listed.ranges.filter(([, range]) => rangeContains(range, gateway.value))
    .map(([index]) => fault(["spec", "ips", index], spec.ips?.[index], { why }));
}

function routeFaults<A extends Address>(
  family: Family<A>,
  { spec, subnet }: { readonly spec: SpaceSpec; readonly subnet: Cidr<A> | undefined },
): readonly Fault[] {
  const faults: Fault[] = [];
  const seen = new Map<string, number>();
  for (const [index, { dst, gw }] of (spec.routes ?? []).entries()) {
    const path = ["spec", "routes", index];
    const parsed = parseAddressInCidr(family, dst);
    if (parsed.ok) {
      const network = formatCidr(parsed.value.cidr);
      const first = seen.get(network);
      seen.set(network, first ?? index);
      const why = parsed.value.cidr.prefixLength === 0
        ? "it is the default route; write its next hop as spec.gateway"
        : first === undefined
        ? undefined
        : `spec.routes[${first}] has this destination too; write each destination once`;
      if (why !== undefined) faults.push(fault([...path, "dst"], dst, { why }));
    } else faults.push(faultOfRefusal([...path, "dst"], parsed.error));
    faults.push(...hopFaults(family, { text: gw, path: [...path, "gw"], subnet }));
  }
  return faults;
}
