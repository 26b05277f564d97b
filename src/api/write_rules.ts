/**
 * The CEL rules of the definitions, for stores without an API server: standalone mode and the
 * simulation. `tests/contract` tries both on the same cases.
 */
import { formatAddress, formatObjectName, parseAddress } from "../ip/mod.ts";
import { ADDRESS_SPACE_MESSAGES } from "./address_space.ts";
import { isRecord } from "./decode.ts";
import { blockMessage, CNI_TYPE_FIELDS, CNI_TYPES } from "./multus_config.ts";
import { RESERVED_FAMILY_MESSAGE } from "./reserved_ip.ts";
import { SPIDER_IP_MESSAGES } from "./spider_ip.ts";
import { SPIDERPOOL_GROUP } from "./group.ts";
import { TRUTH_FENCE_MESSAGE } from "./truth_fence.ts";

/** A write, as any store has it before it stores it. */
export interface RuledWrite {
  readonly kind: { readonly group: string; readonly kind: string };
  /** What would be stored, with the defaults of its kind. */
  readonly object: unknown;
  /** What is stored; `undefined` for a creation. */
  readonly previous?: unknown;
}

/** What a rule of the kind's definition says against a write: a sentence, or nothing. */
export function writeRefusal({ kind, object, previous }: RuledWrite): string | undefined {
  if (kind.group !== SPIDERPOOL_GROUP) return undefined;
  switch (kind.kind) {
    case "SpiderIPPool":
      return fenceRefusal(object, previous) ?? addressSpaceRefusal(object, previous);
    case "SpiderEndpoint":
      return fenceRefusal(object, previous);
    case "SpiderSubnet":
      return addressSpaceRefusal(object, previous);
    case "SpiderReservedIP":
      return reservedRefusal(object, previous);
    case "SpiderIP":
      return spiderIpRefusal(object, previous);
    case "SpiderMultusConfig":
      return multusConfigRefusal(object);
    default:
      return undefined;
  }
}

function fenceRefusal(object: unknown, previous: unknown): string | undefined {
  const truth = ["status", "truth"];
  if (at(previous, truth) === undefined || at(object, truth) !== undefined) return undefined;
  return TRUTH_FENCE_MESSAGE;
}

function addressSpaceRefusal(object: unknown, previous: unknown): string | undefined {
  const said = ADDRESS_SPACE_MESSAGES;
  if (changed(object, previous, { path: ["spec", "ipVersion"] })) return said.ipVersionChanged;
  if (changed(object, previous, { path: ["spec", "subnet"] })) return said.subnetChanged;
  const spec = at(object, ["spec"]);
  const isIpv6 = looksIpv6(at(spec, ["subnet"]));
  const version = at(spec, ["ipVersion"]);
  if (version !== undefined && (version === 6) !== isIpv6) return said.ipVersion;
  if (!ofFamily(at(spec, ["ips"]), { isIpv6 })) return said.ips;
  if (!ofFamily(at(spec, ["excludeIPs"]), { isIpv6 })) return said.excludeIPs;
  const gateway = at(spec, ["gateway"]) ?? "";
  if (gateway !== "" && looksIpv6(gateway) !== isIpv6) return said.gateway;
  for (const route of list(at(spec, ["routes"]))) {
    const ends = [at(route, ["dst"]), at(route, ["gw"])];
    if (ends.some((end) => looksIpv6(end) !== isIpv6)) return said.routes;
  }
  return undefined;
}

function reservedRefusal(object: unknown, previous: unknown): string | undefined {
  const path = ["spec", "ipVersion"];
  if (changed(object, previous, { path })) return ADDRESS_SPACE_MESSAGES.ipVersionChanged;
  const version = at(object, path);
  if (version === undefined) return undefined;
  const ranges = at(object, ["spec", "ips"]);
  return ofFamily(ranges, { isIpv6: version === 6 }) ? undefined : RESERVED_FAMILY_MESSAGE;
}

function spiderIpRefusal(object: unknown, previous: unknown): string | undefined {
  const said = SPIDER_IP_MESSAGES;
  if (changed(object, previous, { path: ["spec", "ip"] })) return said.ipChanged;
  if (changed(object, previous, { path: ["spec", "pool"] })) return said.poolChanged;
  const holder = ["podNamespace", "podName", "podUID"].map((name) => at(object, ["spec", name]));
  const held = at(object, ["spec", "hold"]) !== undefined;
  if (!held && holder.includes(undefined)) return said.nobody;
  const ip = String(at(object, ["spec", "ip"]));
  const address = parseAddress(ip);
  if (!address.ok) return address.error.code === "mapped" ? said.mapped : said.name;
  const name = at(object, ["metadata", "name"]);
  const canonical = formatAddress(address.value) === ip && formatObjectName(address.value) === name;
  return canonical ? undefined : said.name;
}

function multusConfigRefusal(object: unknown): string | undefined {
  const spec = at(object, ["spec"]);
  const type = CNI_TYPES.find((name) => name === at(spec, ["cniType"]));
  if (type === undefined || type === "custom") return undefined;
  return at(spec, [CNI_TYPE_FIELDS[type]]) === undefined ? blockMessage(type) : undefined;
}

/** Whether a field that was there is there with another value. */
function changed(
  object: unknown,
  previous: unknown,
  { path }: { readonly path: readonly string[] },
): boolean {
  const before = at(previous, path);
  const now = at(object, path);
  return before !== undefined && now !== undefined && before !== now;
}

/** As `ofFamily` of `address_space.ts`, which says why a single entry is looked at differently. */
function ofFamily(ranges: unknown, { isIpv6 }: { readonly isIpv6: boolean }): boolean {
  const texts = list(ranges);
  if (texts.length === 1) return looksIpv6(texts[0]) === isIpv6;
  return texts.every((text) => !String(text).includes(isIpv6 ? "." : ":"));
}

function looksIpv6(text: unknown): boolean {
  return typeof text === "string" && text.includes(":");
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) found = isRecord(found) ? found[name] : undefined;
  return found;
}
