/** Which pools a pod asks for, before anybody looks at the pools. */
import {
  ANNOTATION_DEFAULT_IPV4_IP_POOL,
  ANNOTATION_DEFAULT_IPV6_IP_POOL,
  ANNOTATION_IP_POOL,
  ANNOTATION_IP_POOLS,
  ANNOTATION_ROUTES,
  ANNOTATION_SUBNET,
  ANNOTATION_SUBNETS,
} from "../api/annotations.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import type { Route } from "../api/parts.ts";
import {
  DEFAULT_NIC,
  type IpNumber,
  type NicPools,
  readDefaultPools,
  readPoolAnnotation,
  readPoolsAnnotation,
  readRoutesAnnotation,
} from "../api/pod_annotations.ts";
import { assert } from "../base/assert.ts";
import { WISHED_PATTERNS_MAX, WISHED_POOLS_MAX } from "../base/limits.ts";
import { err, ok, type Result } from "../base/result.ts";
import {
  describeRefusal,
  formatAddress,
  formatCidr,
  IPV4,
  IPV6,
  parseAnyAddressInCidr,
} from "../ip/mod.ts";
import { type PoolWish, readPoolWishes, wishedPools } from "./applications.ts";
import { isPattern, parseGlob } from "./glob.ts";
import type { PoolRule, Refusal } from "./refusal.ts";
import type { IpamSettings } from "./settings.ts";
import type { TopController } from "./top_controller.ts";

/** What the CNI call says of the NIC that it adds. */
export interface NicRequest {
  readonly nic: string;
  readonly defaultIpv4Pools: readonly string[];
  readonly defaultIpv6Pools: readonly string[];
  readonly cleanGateway: boolean;
  readonly matchMasterSubnet: boolean;
}

/** The pools that one NIC is meant to have. */
export interface NicWish {
  /** As named; in positional mode `eth0` for position 0, else `positionalNic(position)`. */
  readonly nic: string;
  /** Set in positional mode only. */
  readonly position?: number | undefined;
  /** Whether it gets no default route. */
  readonly cleanGateway: boolean;
  /**
   * Names and patterns in the user's order, also where the family is switched off. Absent: no
   * address of this family is asked for; the `default` rule names no pool at all.
   */
  readonly ipv4?: readonly string[] | undefined;
  readonly ipv6?: readonly string[] | undefined;
  /** Families to select for, where the NIC keeps its address of the other; absent: both. */
  readonly versions?: ReadonlySet<4 | 6> | undefined;
}

/** Pools of the pod's application that the NIC being added is to have its addresses of. */
export interface AutomaticWish {
  /** Key of the annotation that asks for them. */
  readonly annotation: string;
  /** One of each family, at least one. */
  readonly pools: readonly PoolWish[];
  /** Those of the pod's other NICs: the application is lent all or none. */
  readonly others: readonly PoolWish[];
  /** How many addresses they should have; absent: as the installation says. */
  readonly number?: IpNumber | undefined;
}

/** What a pod asks for. */
export interface Wish {
  /** The NIC that is being added. */
  readonly nic: string;
  /** The strongest rule that applies: only this one counts, for both families. */
  readonly rule: PoolRule;
  /**
   * The NIC being added; with rule `ippools` all NICs of the list. With rule `subnets` it names no
   * pool before `withPools`.
   */
  readonly nics: readonly NicWish[];
  /** Set with rule `subnets` only. */
  readonly automatic?: AutomaticWish | undefined;
  /** Further routes of the pod, in canonical form. */
  readonly routes: readonly Route[];
}

/** What a wish follows from. */
export interface WishFacts {
  readonly pod: Pod;
  /** `undefined`: the agent does not know the namespace yet. */
  readonly namespaceAnnotations: Readonly<Record<string, string>> | undefined;
  readonly request: NicRequest;
  /** Whose application the pod is. */
  readonly controller: TopController;
  readonly settings: Pick<IpamSettings, "ipv4" | "ipv6" | "spiderSubnet" | "autoPool">;
}

/** How a NIC of positional mode is called until its own ADD names it: `#1`, `#2`. */
export function positionalNic(position: number): string {
  return position === 0 ? DEFAULT_NIC : `#${position}`;
}

/**
 * Finds the strongest rule that gives the NIC pools: annotations of the pod, of its namespace, the
 * CNI configuration, else the pools with `spec.default`. A weaker rule never fills in what a
 * stronger one leaves open.
 *
 * @outcome all of `WrongInput` except `nic_unknown` and `nic_beyond_list`; `namespace_unknown`;
 *   `no_candidates` where the subnets that are named are of families that are switched off
 */
export function readWish(facts: WishFacts): Result<Wish, Refusal> {
  const { pod, request } = facts;
  const routes = readRoutes(pod);
  if (!routes.ok) return routes;
  const rule = hasSubnets(pod) ? readAutomatic(facts) : readRule(facts);
  if (!rule.ok) return rule;
  const namesRefusal = refusalOfNames(rule.value);
  if (namesRefusal !== undefined) return err(namesRefusal);
  return ok({ nic: request.nic, ...rule.value, routes: routes.value });
}

/** A wish of rule `subnets` with the names of its pools. */
export function withPools(
  wish: Wish,
  names: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] },
): Wish {
  return { ...wish, nics: wish.nics.map((nic) => ({ ...nic, ...wished(names) })) };
}

type Ruled = Pick<Wish, "rule" | "nics" | "automatic">;

function hasSubnets(pod: Pod): boolean {
  return [ANNOTATION_SUBNETS, ANNOTATION_SUBNET].some((key) =>
    annotationOf(pod, key) !== undefined
  );
}

/** Pools of the application are asked for: never another pool in their place. */
function readAutomatic({ pod, request, controller, settings }: WishFacts): Result<Ruled, Refusal> {
  const { nic, cleanGateway } = request;
  const read = readPoolWishes(pod.metadata.annotations);
  if (!read.ok) return err(podRefusal(pod, read.error));
  assert(read.value !== undefined, "the pod names subnets");
  const { annotation, nics, number } = read.value;
  for (const feature of ["spiderSubnet", "autoPool"] as const) {
    if (!settings[feature]) return err({ code: "subnet_disabled", annotation, feature });
  }
  if (controller.apiVersion === "v1" && APART.has(controller.kind)) {
    const { namespace = "", name } = pod.metadata;
    return err({ code: "no_application", pod: `${namespace}/${name}`, annotation });
  }
  const own = nics.find((item) => item.interface === nic);
  if (own === undefined) {
    const listed = nics.map((item) => item.interface);
    return err({ code: "nic_not_listed", annotation, nic, listed });
  }
  const { ipv4, ipv6 } = settings;
  const all = wishedPools({ nics }, { ipv4, ipv6 });
  const pools = all.filter((pool) => pool.nic === nic);
  if (pools.length > 0) {
    const others = all.filter((pool) => pool.nic !== nic);
    const automatic = { annotation, pools, others, number };
    return ok({ rule: "subnets", nics: [{ nic, cleanGateway }], automatic });
  }
  const versions = own.ipv4 === undefined ? [6] as const : [4] as const;
  const reason = { kind: "family_off", versions } as const;
  return err({ code: "no_candidates", nic, rule: "subnets", reason });
}

/** Kinds of what stands above a pod that is of no application: itself, or its node. */
const APART: ReadonlySet<string> = new Set(["Pod", "Node"]);

function readRule(facts: WishFacts): Result<Ruled, Refusal> {
  const { pod, request, namespaceAnnotations } = facts;
  const perNic = annotationOf(pod, ANNOTATION_IP_POOLS);
  if (perNic !== undefined) return readPerNic(perNic, facts);
  const { nic, cleanGateway } = request;

  const own = annotationOf(pod, ANNOTATION_IP_POOL);
  if (own !== undefined) {
    const lists = readPoolAnnotation(own);
    if (!lists.ok) return err(podRefusal(pod, lists.error));
    return ok({ rule: "ippool", nics: [{ nic, cleanGateway, ...wished(lists.value) }] });
  }
  if (namespaceAnnotations === undefined) {
    return err({ code: "namespace_unknown", namespace: pod.metadata.namespace ?? "" });
  }
  const defaults = readNamespace(namespaceAnnotations, pod.metadata.namespace ?? "");
  if (!defaults.ok) return defaults;
  if (namesAny(defaults.value)) {
    return ok({ rule: "namespace", nics: [{ nic, cleanGateway, ...defaults.value }] });
  }
  const configured = wished({ ipv4: request.defaultIpv4Pools, ipv6: request.defaultIpv6Pools });
  if (namesAny(configured)) {
    const twice = duplicateRefusal(request);
    if (twice !== undefined) return err(twice);
    return ok({ rule: "cni", nics: [{ nic, cleanGateway, ...configured }] });
  }
  return ok({ rule: "default", nics: [{ nic, cleanGateway }] });
}

function refusalOfNames({ rule, nics }: Ruled): Refusal | undefined {
  const entries = nics.flatMap(({ nic, ipv4 = [], ipv6 = [] }) =>
    [...ipv4, ...ipv6].map((name) => ({ nic, name }))
  );
  const patterns = entries.filter(({ name }) => isPattern(name));
  for (
    const [what, count, max] of [
      ["names", entries.length, WISHED_POOLS_MAX],
      ["patterns", patterns.length, WISHED_PATTERNS_MAX],
    ] as const
  ) {
    if (count > max) return { code: "too_many_pools", rule, what, count, max };
  }
  for (const { nic, name: pattern } of patterns) {
    const glob = parseGlob(pattern);
    if (!glob.ok) return { code: "bad_pattern", nic, pattern, problem: glob.error };
  }
  return undefined;
}

/** Reads `ipam.spidernet.io/ippools`: the pools of all NICs at once. */
function readPerNic(value: string, { pod, request }: WishFacts): Result<Ruled, Refusal> {
  const read = readPoolsAnnotation(value);
  if (!read.ok) return err(podRefusal(pod, read.error));
  const nics = read.value.map(nicWish);
  const isPositional = nics.some(({ position }) => position !== undefined);
  if (!isPositional && nics.every(({ nic }) => nic !== request.nic)) {
    const listed = nics.map(({ nic }) => nic);
    const annotation = ANNOTATION_IP_POOLS;
    return err({ code: "nic_not_listed", annotation, nic: request.nic, listed });
  }
  return ok({ rule: "ippools", nics });
}

function nicWish({ interface: nic, ipv4, ipv6, cleanGateway }: NicPools, index: number): NicWish {
  const lists = { cleanGateway, ...wished({ ipv4, ipv6 }) };
  if (nic !== undefined) return { nic, ...lists };
  return { nic: positionalNic(index), position: index, ...lists };
}

function readNamespace(
  annotations: Readonly<Record<string, string>>,
  name: string,
): Result<ReturnType<typeof wished>, Refusal> {
  const lists: { ipv4: readonly string[]; ipv6: readonly string[] } = { ipv4: [], ipv6: [] };
  for (
    const [family, version, key] of [
      ["ipv4", 4, ANNOTATION_DEFAULT_IPV4_IP_POOL],
      ["ipv6", 6, ANNOTATION_DEFAULT_IPV6_IP_POOL],
    ] as const
  ) {
    const value = Object.hasOwn(annotations, key) ? annotations[key] : undefined;
    if (value === undefined) continue;
    const read = readDefaultPools(value, { version });
    if (!read.ok) {
      return err({ code: "bad_annotation", on: "namespace", name, message: read.error });
    }
    lists[family] = read.value;
  }
  return ok(wished(lists));
}

/** Lists without a name ask for nothing. */
function wished(
  { ipv4, ipv6 }: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] },
): Pick<NicWish, "ipv4" | "ipv6"> {
  return { ...(ipv4.length > 0 ? { ipv4 } : {}), ...(ipv6.length > 0 ? { ipv6 } : {}) };
}

function namesAny({ ipv4, ipv6 }: Pick<NicWish, "ipv4" | "ipv6">): boolean {
  return ipv4 !== undefined || ipv6 !== undefined;
}

/** The annotations were checked for this where they were read. */
function duplicateRefusal(
  { nic, defaultIpv4Pools, defaultIpv6Pools }: NicRequest,
): Refusal | undefined {
  const lists = { default_ipv4_ippool: defaultIpv4Pools, default_ipv6_ippool: defaultIpv6Pools };
  for (const [key, names] of Object.entries(lists)) {
    const seen = new Set<string>();
    for (const pool of names) {
      const field = `${key} of the CNI configuration`;
      if (seen.has(pool)) return { code: "duplicate_pool", nic, pool, field };
      seen.add(pool);
    }
  }
  return undefined;
}

function readRoutes(pod: Pod): Result<readonly Route[], Refusal> {
  const value = annotationOf(pod, ANNOTATION_ROUTES);
  if (value === undefined) return ok([]);
  const read = readRoutesAnnotation(value);
  if (!read.ok) return err(podRefusal(pod, read.error));
  const routes: Route[] = [];
  for (const [index, { dst, gw }] of read.value.entries()) {
    const of = `of annotation "${ANNOTATION_ROUTES}"`;
    const destination = parseAnyAddressInCidr(dst);
    if (!destination.ok) {
      return err(podRefusal(pod, describeRefusal(destination.error, `[${index}].dst ${of}`)));
    }
    const { version, cidr } = destination.value;
    const hop = version === 4 ? IPV4.parse(gw) : IPV6.parse(gw);
    if (!hop.ok) return err(podRefusal(pod, describeRefusal(hop.error, `[${index}].gw ${of}`)));
    routes.push({ dst: formatCidr(cidr), gw: formatAddress(hop.value) });
  }
  return ok(routes);
}

function podRefusal(pod: Pod, message: string): Refusal {
  const { namespace = "", name } = pod.metadata;
  return { code: "bad_annotation", on: "pod", name: `${namespace}/${name}`, message };
}

function annotationOf(pod: Pod, key: string): string | undefined {
  return pod.metadata.annotations?.[key];
}
