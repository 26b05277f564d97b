/**
 * What pods and namespaces say in annotations about their addresses. JSON is read as Go reads it:
 * member names in any case, unknown members ignored, `null` as absent.
 */
import { err, ok, type Result } from "../base/result.ts";
import {
  ANNOTATION_DEFAULT_IPV4_IP_POOL,
  ANNOTATION_DEFAULT_IPV6_IP_POOL,
  ANNOTATION_IP_NUMBER,
  ANNOTATION_IP_POOL,
  ANNOTATION_IP_POOL_RECLAIM,
  ANNOTATION_IP_POOLS,
  ANNOTATION_ROUTES,
  ANNOTATION_SUBNET,
  ANNOTATION_SUBNETS,
} from "./annotations.ts";
import {
  type Decoded,
  type Decoder,
  flag,
  listOf,
  members,
  optional,
  otherwise,
  readJson,
  refined,
  text,
} from "./decode.ts";
import { GO_BOOL_ALLOWED, parseGoBool, parseGoInteger } from "./go_text.ts";
import { type Problem, problemSentence } from "./problem.ts";

/** NIC of a pod that names none. */
export const DEFAULT_NIC = "eth0";

const noNames: readonly string[] = [];
const names = otherwise(listOf(text), noNames);

const nicPools = members({
  interface: optional(text),
  ipv4: names,
  ipv6: names,
  cleangateway: otherwise(flag, false),
});

/** The pools of one NIC. Names may hold the wildcards `*`, `?` and `[...]`. */
export interface NicPools {
  /** Absent (never empty): the NIC is found by the item's position. */
  readonly interface?: string | undefined;
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  /** Whether the NIC gets no default route. */
  readonly cleanGateway: boolean;
}

/**
 * Reads `ipam.spidernet.io/ippools`. Either every item names its NIC or none does; no NIC and no
 * pool of a list is named twice.
 */
export function readPoolsAnnotation(value: string): Result<readonly NicPools[], string> {
  const decoder = refined(listOf(nicPools), poolsProblem);
  const read = readJson(decoder, value, { root: annotation(ANNOTATION_IP_POOLS) });
  if (!read.ok) return read;
  return ok(read.value.map(({ interface: nic, ipv4, ipv6, cleangateway: cleanGateway }) => {
    if (nic === undefined || nic === "") return { ipv4, ipv6, cleanGateway };
    return { interface: nic, ipv4, ipv6, cleanGateway };
  }));
}

const poolLists = members({ ipv4: names, ipv6: names });

/** Pools by family. */
export type PoolLists = Decoded<typeof poolLists>;

/** Reads `ipam.spidernet.io/ippool`: the pools of the NIC that is being added. */
export function readPoolAnnotation(value: string): Result<PoolLists, string> {
  const decoder = refined(poolLists, listsProblem);
  return readJson(decoder, value, { root: annotation(ANNOTATION_IP_POOL) });
}

/** Reads a namespace's default pools of one family; `null` is an empty list. */
export function readDefaultPools(
  value: string,
  { version }: { readonly version: 4 | 6 },
): Result<readonly string[], string> {
  const key = version === 4 ? ANNOTATION_DEFAULT_IPV4_IP_POOL : ANNOTATION_DEFAULT_IPV6_IP_POOL;
  const decoder: Decoder<readonly string[]> = (list) => list === null ? noNames : poolNames(list);
  return readJson(decoder, value, { root: annotation(key) });
}

const poolNames = refined(listOf(text), (list) => repeated(list, []));

const subnetItem = members({ interface: otherwise(text, ""), ipv4: names, ipv6: names });

/** The subnets that the automatic pools of one NIC are lent from: at least one of the two. */
export interface NicSubnets {
  readonly interface: string;
  readonly ipv4?: string | undefined;
  readonly ipv6?: string | undefined;
  /** Further names of its lists, which nothing is lent from; absent: none. */
  readonly unused?: readonly string[] | undefined;
}

/**
 * Reads `ipam.spidernet.io/subnets`. Of each list the first name counts, as in the reference, but
 * the others are told; an item without a NIC is for `eth0`; every item names another NIC and other
 * subnets.
 */
export function readSubnetsAnnotation(value: string): Result<readonly NicSubnets[], string> {
  const decoder = refined(listOf(refined(subnetItem, subnetProblem)), subnetsProblem);
  const read = readJson(decoder, value, { root: annotation(ANNOTATION_SUBNETS) });
  return read.ok ? ok(read.value.map(nicSubnets)) : read;
}

/** Reads `ipam.spidernet.io/subnet`; without a NIC it is for `eth0`. */
export function readSubnetAnnotation(value: string): Result<NicSubnets, string> {
  const decoder = refined(subnetItem, subnetProblem);
  const read = readJson(decoder, value, { root: annotation(ANNOTATION_SUBNET) });
  return read.ok ? ok(nicSubnets(read.value)) : read;
}

/** Size of an automatic pool: a fixed number, or as many more than there are replicas. */
export type IpNumber =
  | { readonly kind: "fixed"; readonly count: number }
  | { readonly kind: "flexible"; readonly count: number };

/**
 * Reads `ipam.spidernet.io/ippool-ip-number`: `5`, or `+2`. The reference takes `3+5` for `+5`,
 * which nobody means.
 */
export function readIpNumber(value: string): Result<IpNumber, string> {
  const isFlexible = value.startsWith("+");
  const digits = isFlexible ? value.slice(1) : value;
  const count = /^[0-9]+$/.test(digits) ? parseGoInteger(digits) : undefined;
  if (count === undefined) {
    const problem = {
      path: [],
      value,
      allowed: 'a count such as "5", or "+2" beyond the replicas',
    };
    return err(problemSentence(problem, { root: annotation(ANNOTATION_IP_NUMBER) }));
  }
  return ok({ kind: isFlexible ? "flexible" : "fixed", count });
}

/** Prints what `readIpNumber` reads. */
export function formatIpNumber({ kind, count }: IpNumber): string {
  return kind === "flexible" ? `+${count}` : String(count);
}

/**
 * Reads `ipam.spidernet.io/ippool-reclaim`: whether the automatic pool goes with its application.
 */
export function readReclaim(value: string | undefined): Result<boolean, string> {
  if (value === undefined) return ok(true);
  const reclaim = parseGoBool(value);
  if (reclaim !== undefined) return ok(reclaim);
  const problem = { path: [], value, allowed: GO_BOOL_ALLOWED };
  return err(problemSentence(problem, { root: annotation(ANNOTATION_IP_POOL_RECLAIM) }));
}

const routeList = listOf(members({ dst: otherwise(text, ""), gw: otherwise(text, "") }));

/** A route as its user wrote it; `src/ipam` checks that `dst` and `gw` are of one family. */
export type AnnotatedRoute = Decoded<typeof routeList>[number];

/** Reads `ipam.spidernet.io/routes`. */
export function readRoutesAnnotation(value: string): Result<readonly AnnotatedRoute[], string> {
  return readJson(routeList, value, { root: annotation(ANNOTATION_ROUTES) });
}

function annotation(key: string): string {
  return `annotation ${JSON.stringify(key)}`;
}

function poolsProblem(items: readonly Decoded<typeof nicPools>[]): Problem | undefined {
  if (items.length === 0) return { path: [], value: items, allowed: "at least one item" };
  const nics = items.map((item) => item.interface ?? "");
  const unnamed = nics.filter((nic) => nic === "").length;
  if (unnamed > 0 && unnamed < items.length) {
    const path = [nics.indexOf(""), "interface"];
    const reason = "other items name their NIC";
    return { path, value: undefined, allowed: "a NIC in every item or in none", reason };
  }
  if (unnamed === 0) {
    const twice = repeated(nics, ["interface"]);
    if (twice !== undefined) return { ...twice, allowed: "each NIC once" };
  }
  for (const [index, item] of items.entries()) {
    const problem = listsProblem(item);
    if (problem !== undefined) return { ...problem, path: [index, ...problem.path] };
  }
  return undefined;
}

function listsProblem({ ipv4, ipv6 }: PoolLists): Problem | undefined {
  const problem = repeated(ipv4, []);
  if (problem !== undefined) return { ...problem, path: ["ipv4", ...problem.path] };
  const other = repeated(ipv6, []);
  return other === undefined ? undefined : { ...other, path: ["ipv6", ...other.path] };
}

/** The first value that was there before. @param within Path below the item, for the message. */
function repeated(
  values: readonly string[],
  within: readonly PropertyKey[],
): Problem | undefined {
  const seen = new Set<string>();
  for (const [index, value] of values.entries()) {
    if (seen.has(value)) {
      const reason = "it is listed twice";
      return { path: [index, ...within], value, allowed: "each name once", reason };
    }
    seen.add(value);
  }
  return undefined;
}

/** NICs that a label can say: automatic pools carry theirs. */
const LABELLED_NIC = /^[A-Za-z0-9](?:[-\w.]{0,13}[A-Za-z0-9])?$/;

function subnetProblem(
  { interface: nic, ipv4, ipv6 }: Decoded<typeof subnetItem>,
): Problem | undefined {
  if (nic !== "" && !LABELLED_NIC.test(nic)) {
    const allowed =
      'the name of a NIC, such as "eth0": at most 15 letters, digits, "-", "_" and "."';
    return { path: ["interface"], value: nic, allowed };
  }
  const allowed = "the name of a SpiderSubnet";
  if (ipv4[0] === undefined && ipv6[0] === undefined) {
    return { path: ["ipv4"], value: undefined, allowed: `${allowed} there or in ipv6` };
  }
  if (ipv4[0] === "") return { path: ["ipv4", 0], value: "", allowed };
  return ipv6[0] === "" ? { path: ["ipv6", 0], value: "", allowed } : undefined;
}

function subnetsProblem(items: readonly Decoded<typeof subnetItem>[]): Problem | undefined {
  if (items.length === 0) return { path: [], value: items, allowed: "at least one item" };
  const nic = repeated(items.map((item) => item.interface || DEFAULT_NIC), ["interface"]);
  if (nic !== undefined) return { ...nic, allowed: "each NIC once" };
  for (const family of ["ipv4", "ipv6"] as const) {
    const used = items.map((item, index) => ({ name: item[family][0], index }))
      .filter(({ name }) => name !== undefined);
    const twice = repeated(used.map(({ name }) => name ?? ""), []);
    const at = used[Number(twice?.path[0])];
    if (twice !== undefined && at !== undefined) {
      return { ...twice, path: [at.index, family, 0], allowed: "each subnet for one NIC" };
    }
  }
  return undefined;
}

function nicSubnets(item: Decoded<typeof subnetItem>): NicSubnets {
  const [ipv4, ...others4] = item.ipv4;
  const [ipv6, ...others6] = item.ipv6;
  const unused = [...others4, ...others6];
  return {
    interface: item.interface || DEFAULT_NIC,
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    ...(unused.length === 0 ? {} : { unused }),
  };
}
