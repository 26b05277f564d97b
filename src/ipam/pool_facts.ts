/** A pool as its object says: what is missing is derived, what contradicts itself is refused. */
import { ANNOTATION_NOT_USABLE } from "../api/annotations.ts";
import type { SpiderIpPool } from "../api/ip_pool.ts";
import { isAutomaticPool } from "../api/labels.ts";
import { isTerminating } from "../api/metadata.ts";
import type { LabelSelector, Route } from "../api/parts.ts";
import { problemSentence } from "../api/problem.ts";
import { err, ok, type Result } from "../base/result.ts";
import {
  type Address,
  type Cidr,
  cidrContains,
  describeRefusal,
  type Family,
  formatCidr,
  formatRange,
  guessVersion,
  IPV4,
  type Ipv4,
  IPV6,
  type Ipv6,
  parseAddressInCidr,
  parseRangeSet,
  RangeSet,
  type Version,
} from "../ip/mod.ts";
import { selectorProblem } from "./label_selector.ts";

/** One pool of one family. Nothing in it costs time or space per address. */
export interface FactsOf<A extends Address> {
  readonly name: string;
  readonly uid: string;
  readonly version: Version<A>;
  readonly family: Family<A>;
  /** The network of `spec.subnet`, also where that is not written in canonical form. */
  readonly subnet: Cidr<A>;
  /** What pods may get: `ips` less `excludeIPs` and the gateway. */
  readonly addresses: RangeSet<A>;
  /** Set only where `addresses` is empty: why, as the end of a sentence that the pool begins. */
  readonly emptyBecause?: string | undefined;
  readonly gateway?: A | undefined;
  /** In canonical form; of two with one destination the first. */
  readonly routes: readonly Route[];
  readonly isDefault: boolean;
  readonly isDisabled: boolean;
  readonly isTerminating: boolean;
  /** Why nobody may use it, from its annotation. */
  readonly notUsable?: string | undefined;
  /** Whether its addresses are recorded as SpiderIPs and nowhere else (design.md 2.3). */
  readonly isAdopted: boolean;
  readonly nodeNames: readonly string[];
  /** Without meaning where `nodeNames` has any. */
  readonly nodeAffinity?: LabelSelector | undefined;
  readonly namespaceNames: readonly string[];
  /** Without meaning where `namespaceNames` has any. */
  readonly namespaceAffinity?: LabelSelector | undefined;
  readonly podAffinity?: LabelSelector | undefined;
  /** `namespace/name`, or `name` for Spiderpool's own namespace. */
  readonly multusNames: readonly string[];
  /** Whether it was made for one application: then `podAffinity` is about the top controller. */
  readonly isAutomatic: boolean;
}

/** One pool; `version` tells its family. */
export type PoolFacts = FactsOf<Ipv4> | FactsOf<Ipv6>;

/** A pool that contradicts itself: nothing is given out of it. */
export interface BrokenPool {
  readonly name: string;
  /** One sentence: field, value and remedy. */
  readonly problem: string;
  /** Family that it is meant to be of, as far as can be told. */
  readonly version?: 4 | 6 | undefined;
  readonly isDefault: boolean;
}

/** What is known of a pool that somebody named. */
export type PoolReading =
  | { readonly kind: "facts"; readonly facts: PoolFacts }
  | ({ readonly kind: "broken" } & Omit<BrokenPool, "name">)
  | { readonly kind: "absent" };

/** Reads a pool, or says that there is none. */
export function readPool(pool: SpiderIpPool | undefined): PoolReading {
  if (pool === undefined) return { kind: "absent" };
  const read = readPoolFacts(pool);
  if (read.ok) return { kind: "facts", facts: read.value };
  const { name: _name, ...broken } = read.error;
  return { kind: "broken", ...broken };
}

/**
 * Reads what a pool says. `ipVersion` follows from `subnet`; ranges may overlap and stand in any
 * order; texts need no canonical form: it takes no webhook to give addresses.
 */
export function readPoolFacts(pool: SpiderIpPool): Result<PoolFacts, BrokenPool> {
  const version = guessVersion(pool.spec.subnet);
  const read = version === 6 ? factsOf(IPV6, pool) : factsOf(IPV4, pool);
  if (read.ok) return read;
  const { name } = pool.metadata;
  return err({ name, problem: read.error, version, isDefault: pool.spec.default });
}

function factsOf<A extends Address>(
  family: Family<A>,
  pool: SpiderIpPool,
): Result<FactsOf<A>, string> {
  const { metadata, spec } = pool;
  const subnet = subnetOf(family, spec);
  if (!subnet.ok) return subnet;
  const gateway = gatewayOf(subnet.value, spec);
  if (!gateway.ok) return gateway;
  const space = spaceOf(subnet.value, { spec, gateway: gateway.value });
  if (!space.ok) return space;
  const routes = routesOf(subnet.value, spec);
  if (!routes.ok) return routes;
  const selectors = selectorsProblem(spec);
  if (selectors !== undefined) return err(selectors);
  return ok({
    name: metadata.name,
    uid: metadata.uid ?? "",
    version: family.version,
    family,
    subnet: subnet.value,
    ...space.value,
    gateway: gateway.value,
    routes: routes.value,
    isDefault: spec.default,
    isDisabled: spec.disable,
    isTerminating: isTerminating(pool),
    notUsable: metadata.annotations?.[ANNOTATION_NOT_USABLE],
    isAdopted: pool.status?.truth === "SpiderIP",
    nodeNames: spec.nodeName ?? [],
    nodeAffinity: spec.nodeAffinity,
    namespaceNames: spec.namespaceName ?? [],
    namespaceAffinity: spec.namespaceAffinity,
    podAffinity: spec.podAffinity,
    multusNames: spec.multusName ?? [],
    isAutomatic: isAutomaticPool({ metadata }),
  });
}

type Spec = SpiderIpPool["spec"];

function subnetOf<A extends Address>(family: Family<A>, spec: Spec): Result<Cidr<A>, string> {
  const parsed = parseAddressInCidr(family, spec.subnet);
  if (!parsed.ok) return err(describeRefusal(parsed.error, "spec.subnet"));
  const { version } = family;
  if (spec.ipVersion !== undefined && spec.ipVersion !== version) {
    const reason = `spec.subnet ${JSON.stringify(spec.subnet)} is IPv${version}`;
    const allowed = `${version}, or leave it out`;
    const problem = { path: ["spec", "ipVersion"], value: spec.ipVersion, allowed, reason };
    return err(problemSentence(problem));
  }
  return ok(parsed.value.cidr);
}

function gatewayOf<A extends Address>(
  subnet: Cidr<A>,
  { gateway }: Spec,
): Result<A | undefined, string> {
  if (gateway === undefined || gateway === "") return ok(undefined);
  return hopOf(subnet, { text: gateway, path: "spec.gateway" });
}

/** Reads an address that must be inside the subnet, as a next hop must. */
function hopOf<A extends Address>(
  subnet: Cidr<A>,
  { text, path }: { readonly text: string; readonly path: string },
): Result<A, string> {
  const parsed = subnet.family.parse(text);
  if (!parsed.ok) return err(describeRefusal(parsed.error, path));
  if (cidrContains(subnet, parsed.value)) return parsed;
  return err(
    `Cannot use ${path} ${JSON.stringify(text)}: it is outside the subnet ` +
      `"${formatCidr(subnet)}"; write an address of "${formatRange(subnet)}"`,
  );
}

function spaceOf<A extends Address>(
  subnet: Cidr<A>,
  { spec, gateway }: { readonly spec: Spec; readonly gateway: A | undefined },
): Result<Pick<FactsOf<A>, "addresses" | "emptyBecause">, string> {
  const listed = rangesOf(subnet, { texts: spec.ips ?? [], path: "spec.ips" });
  if (!listed.ok) return listed;
  const excluded = rangesOf(subnet, { texts: spec.excludeIPs ?? [], path: "spec.excludeIPs" });
  if (!excluded.ok) return excluded;
  const left = listed.value.subtract(excluded.value);
  // A pod with the address of its gateway would take every other pod's traffic.
  const addresses = gateway === undefined ? left : left.without(gateway);
  if (!addresses.isEmpty) return ok({ addresses });
  if (listed.value.isEmpty) return ok({ addresses, emptyBecause: "has no address in spec.ips" });
  const taker = left.isEmpty ? "spec.excludeIPs takes away all" : "spec.gateway is the only one";
  return ok({ addresses, emptyBecause: `has no address left, ${taker} of spec.ips` });
}

function rangesOf<A extends Address>(
  subnet: Cidr<A>,
  { texts, path }: { readonly texts: readonly string[]; readonly path: string },
): Result<RangeSet<A>, string> {
  if (texts.length === 0) return ok(RangeSet.empty(subnet.family));
  const parsed = parseRangeSet(subnet.family, texts, { subnet });
  if (parsed.ok) return parsed;
  const [first] = parsed.error;
  const more = parsed.error.length - 1;
  if (first === undefined) return ok(RangeSet.empty(subnet.family));
  const sentence = describeRefusal(first.refusal, `${path}[${first.index}]`);
  return err(more === 0 ? sentence : `${sentence} (and ${more} more of ${path})`);
}

function routesOf<A extends Address>(
  subnet: Cidr<A>,
  { routes = [] }: Spec,
): Result<readonly Route[], string> {
  const byDestination = new Map<string, Route>();
  for (const [index, { dst: dstText, gw: gwText }] of routes.entries()) {
    const path = `spec.routes[${index}]`;
    const parsed = parseAddressInCidr(subnet.family, dstText);
    if (!parsed.ok) return err(describeRefusal(parsed.error, `${path}.dst`));
    const { cidr } = parsed.value;
    const dst = formatCidr(cidr);
    if (cidr.prefixLength === 0) {
      return err(
        `Cannot use ${path}.dst ${JSON.stringify(dstText)}: it is the default route; write its ` +
          `next hop as spec.gateway`,
      );
    }
    const hop = hopOf(subnet, { text: gwText, path: `${path}.gw` });
    if (!hop.ok) return hop;
    // A kernel has one route to a destination, and CNI plugins let the first one win.
    if (!byDestination.has(dst)) {
      byDestination.set(dst, { dst, gw: subnet.family.format(hop.value) });
    }
  }
  return ok([...byDestination.values()]);
}

/** What is wrong with the selectors that are in force; names win over them. */
function selectorsProblem(spec: Spec): string | undefined {
  const { nodeName = [], namespaceName = [] } = spec;
  const selectors = {
    podAffinity: spec.podAffinity,
    nodeAffinity: nodeName.length === 0 ? spec.nodeAffinity : undefined,
    namespaceAffinity: namespaceName.length === 0 ? spec.namespaceAffinity : undefined,
  };
  for (const [field, selector] of Object.entries(selectors)) {
    const problem = selector === undefined ? undefined : selectorProblem(selector, ["spec", field]);
    if (problem !== undefined) return problemSentence(problem);
  }
  return undefined;
}
