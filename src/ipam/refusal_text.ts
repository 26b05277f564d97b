/** The sentence for a refusal: cause, what was compared, remedy. */
import {
  ANNOTATION_DEFAULT_IPV4_IP_POOL,
  ANNOTATION_DEFAULT_IPV6_IP_POOL,
  ANNOTATION_IP_POOL,
  ANNOTATION_IP_POOLS,
  ANNOTATION_NETWORKS,
  ANNOTATION_NOT_USABLE,
  ANNOTATION_SUBNET,
  ANNOTATION_SUBNETS,
} from "../api/annotations.ts";
import { unreachable } from "../base/assert.ts";
import { REFUSAL_BYTES_MAX } from "../base/limits.ts";
import { counted, quoted, quotedNames } from "./brief.ts";
import type {
  NoPod,
  NoPool,
  NoPoolReason,
  NotNow,
  PoolRule,
  Refusal,
  WrongInput,
} from "./refusal.ts";
import { type CandidateTrace, DROP_RULES, type DropRule, type NicTrace } from "./trace.ts";

/** Bytes of the text for one pool. */
const CANDIDATE_BYTES_MAX = 300;
/** NICs and families of one refusal that are told in full. */
const TRACES_SHOWN_MAX = 4;

/**
 * Says in one sentence why a NIC gets no address and what to do about it, with the trace in short:
 * `no IPPool available for NIC "eth0" (IPv4): pool "p1" is disabled; set spec.disable of pool "p1"
 * to false`. At most `REFUSAL_BYTES_MAX` bytes. It keeps the words that people of the reference
 * look for: `wrong input`, `must be specified`, `no IPPool available`, `all IP addresses used out`,
 * `exhaust all retries`.
 */
export function sayRefusal(refusal: Refusal): string {
  return cut(textOf(refusal), REFUSAL_BYTES_MAX);
}

function textOf(refusal: Refusal): string {
  switch (refusal.code) {
    case "no_candidates":
      return noCandidatesText(refusal);
    case "pool_not_made":
      return notMadeText(refusal);
    case "all_filtered":
      return traceText("no IPPool available", refusal);
    case "exhausted":
      return traceText("all IP addresses used out", {
        traces: [refusal.trace],
        said: refusal.said,
      });
    case "contended":
      return traceText("exhaust all retries", { traces: [refusal.trace] });
    case "pod_dead":
    case "pod_gone":
    case "uid_mismatch":
    case "other_node":
      return podText(refusal);
    case "deadline":
    case "queue_full":
    case "namespace_unknown":
    case "unavailable":
    case "forbidden":
    case "address_held":
    case "provider":
    case "data_broken":
      return notNowText(refusal);
    default:
      return wrongInputText(refusal);
  }
}

function wrongInputText(refusal: WrongInput): string {
  switch (refusal.code) {
    case "bad_annotation":
      return `wrong input on ${refusal.on} ${quoted(refusal.name)}: ${refusal.message}`;
    case "duplicate_pool":
      return `wrong input: duplicate IPPool ${quoted(refusal.pool)} specified for NIC ` +
        `${quoted(refusal.nic)} in ${refusal.field}; name it there once`;
    case "too_many_pools":
      return `wrong input: ${sourceText(refusal.rule)} has ${refusal.count} ${refusal.what} of ` +
        `pools for one pod, and at most ${refusal.max} are allowed; name fewer`;
    case "bad_pattern":
      return `wrong input: Cannot use ${quoted(refusal.pattern)} as a pattern of pools for NIC ` +
        `${quoted(refusal.nic)}: it ${refusal.problem}`;
    case "nic_not_listed":
      return notListedText(refusal);
    case "nic_beyond_list":
      return `wrong input: annotation "${ANNOTATION_IP_POOLS}" has ` +
        `${counted(refusal.count, { one: "item", more: "items" })} without an interface, all of ` +
        `them in use, and interface ${quoted(refusal.nic)} must be specified too; add an item`;
    case "nic_unknown":
      return nicUnknownText(refusal);
    case "subnet_disabled":
      return subnetText(refusal);
    case "no_application":
      return `wrong input: annotation "${refusal.annotation}" asks for a pool of the application ` +
        `that pod ${quoted(refusal.pod)} belongs to, and nothing controls the pod; make it by a ` +
        `Deployment or another workload, or name pools with annotation "${ANNOTATION_IP_POOL}"`;
    default:
      return unreachable(refusal);
  }
}

function notListedText(
  { annotation, nic, listed }: Extract<WrongInput, { readonly code: "nic_not_listed" }>,
): string {
  const listedNics = `${listed.length === 1 ? "NIC" : "NICs"} ${quotedNames(listed)}`;
  const remedy = annotation === ANNOTATION_SUBNET
    ? `write it as "interface", or list both in annotation "${ANNOTATION_SUBNETS}"`
    : "add an item for it";
  return `wrong input: annotation "${annotation}" is for ${listedNics}, and interface ` +
    `${quoted(nic)} must be specified too; ${remedy}`;
}

function nicUnknownText(
  { nic, position, networks }: Extract<WrongInput, { readonly code: "nic_unknown" }>,
): string {
  const wished = position === undefined ? `is for NIC ${quoted(nic)}` : `has an item [${position}]`;
  const has = networks.length === 0
    ? `has no annotation "${ANNOTATION_NETWORKS}", which would give it one`
    : `has only ${quotedNames(networks)} by annotation "${ANNOTATION_NETWORKS}"`;
  return `wrong input: annotation "${ANNOTATION_IP_POOLS}" ${wished}, and the pod ${has}; ` +
    `correct one of the two annotations`;
}

function subnetText(
  { annotation, feature }: Extract<WrongInput, { readonly code: "subnet_disabled" }>,
): string {
  const name = feature === "spiderSubnet" ? "SpiderSubnet" : "Auto-Pool";
  const instead = `name pools with annotation "${ANNOTATION_IP_POOL}" instead`;
  const disabled = `wrong input: annotation "${annotation}" asks for a pool out of a ` +
    `SpiderSubnet, and the ${name} feature is disabled`;
  switch (feature) {
    case "spiderSubnet":
      return `${disabled}; set enableSpiderSubnet to true, or ${instead}`;
    case "autoPool":
      return `${disabled}; set enableAutoPoolForApplication to true, or ${instead}`;
    default:
      return unreachable(feature);
  }
}

function noCandidatesText(
  { nic, rule, reason }: {
    readonly nic: string;
    readonly rule: PoolRule;
    readonly reason: NoPoolReason;
  },
): string {
  const head = `no IPPool available for NIC ${quoted(nic)}`;
  const source = sourceText(rule);
  switch (reason.kind) {
    case "none_named":
      if (rule !== "default") {
        return `${head}: ${source} names no pool for it; name one under "ipv4" or "ipv6"`;
      }
      return `${head}: no pool selection rules of any type are specified, and no pool has ` +
        `spec.default true; name a pool in annotation "${ANNOTATION_IP_POOL}" of the pod or ` +
        `"${ANNOTATION_DEFAULT_IPV4_IP_POOL}" of its namespace, or set spec.default of a pool`;
    case "family_off":
      return `${head}: ${familyOffText(reason.versions, source)}`;
    case "no_match": {
      const misses = reason.lists.map(({ version, patterns }) =>
        `no IPv${version} pool has a name that matches ${quotedNames(patterns)}`
      );
      return `${head}: ${misses.join(" and ")} of ${source}; create one, or correct the pattern`;
    }
    default:
      return unreachable(reason);
  }
}

function familyOffText(versions: readonly (4 | 6)[], source: string): string {
  const [version] = versions;
  if (versions.length > 1 || version === undefined) {
    return "IPv4 and IPv6 are both disabled; set enableIPv4 or enableIPv6 to true";
  }
  return `${source} names only IPv${version} pools, and IPv${version} is disabled; set ` +
    `enableIPv${version} to true, or name IPv${version === 4 ? 6 : 4} pools`;
}

function sourceText(rule: PoolRule): string {
  switch (rule) {
    case "subnets":
      return `annotation "${ANNOTATION_SUBNETS}" or "${ANNOTATION_SUBNET}"`;
    case "ippools":
      return `annotation "${ANNOTATION_IP_POOLS}"`;
    case "ippool":
      return `annotation "${ANNOTATION_IP_POOL}"`;
    case "namespace":
      return `annotation "${ANNOTATION_DEFAULT_IPV4_IP_POOL}" or ` +
        `"${ANNOTATION_DEFAULT_IPV6_IP_POOL}" of the namespace`;
    case "cni":
      return "the CNI configuration";
    case "default":
      return "the cluster default (spec.default)";
    default:
      return unreachable(rule);
  }
}

function podText(refusal: NoPod): string {
  const pod = `pod ${quoted(refusal.pod)}`;
  switch (refusal.code) {
    case "pod_dead":
      return `Cannot give an address to ${pod}: it ${refusal.reason}; a new pod gets one`;
    case "pod_gone":
      return `Cannot give an address to ${pod}: it does not exist any more`;
    case "uid_mismatch":
      return `Cannot give an address to ${pod}: the runtime asks for UID ` +
        `${quoted(refusal.asked)} and the pod of this name now has ${quoted(refusal.found)}; the ` +
        `old sandbox is of no use, the new pod gets one of its own`;
    case "other_node":
      return `Cannot give an address to ${pod} on node ${quoted(refusal.asked)}: the pod of this ` +
        `name is ${refusal.found === "" ? "on no node yet" : `on ${quoted(refusal.found)}`}; the ` +
        `sandbox here is of a former pod and of no use`;
    default:
      return unreachable(refusal);
  }
}

function notNowText(refusal: NotNow): string {
  const again = "the kubelet tries again";
  switch (refusal.code) {
    case "deadline":
      return `Cannot give an address in time: ${refusal.cause} while ${refusal.what}; ${again}`;
    case "queue_full":
      return `Cannot give an address now: the queue is full with ${refusal.max} requests; ${again}`;
    case "namespace_unknown":
      return `Cannot tell the default pools of namespace ${quoted(refusal.namespace)}: the agent ` +
        `has not read it yet; ${again}`;
    case "unavailable":
      return `Cannot reach the API server: ${refusal.message}; ${again}`;
    case "forbidden":
      return `The API server refuses what an address needs: ${refusal.message}`;
    case "address_held":
      return `Cannot hand over the fixed address ${quoted(refusal.address)}: ${refusal.reason}; ` +
        again;
    case "provider":
    case "data_broken":
      return refusal.message;
    default:
      return unreachable(refusal);
  }
}

function notMadeText(
  { nic, pools, application, waitedMs, said }: Extract<NoPool, { readonly code: "pool_not_made" }>,
): string {
  const versions = pools.map(({ version }) => `IPv${version}`).join(" and ");
  const subnets = quotedNames(pools.map(({ subnet }) => subnet));
  const waited = counted(Math.round(waitedMs / 1_000), { one: "second", more: "seconds" });
  const head = `no IPPool available for NIC ${quoted(nic)} (${versions})`;
  if (said !== undefined) return `${head}: ${application} has no pool: ${said}`;
  return `${head}: no pool was made out of SpiderSubnet ${subnets} for ${application} within ` +
    `${waited}; look at the Events of ${application}, and whether a spiderpool-controller runs`;
}

/**
 * One text for each pool that was left out, as many as fit, what helps the likeliest, and what was
 * said by whoever lends addresses to it.
 */
function traceText(
  cause: string,
  { traces, said }: { readonly traces: readonly NicTrace[]; readonly said?: string | undefined },
): string {
  const shown = traces.slice(0, TRACES_SHOWN_MAX);
  const heads = shown.map(({ nic, version }, index) =>
    `${index === 0 ? `${cause} for` : "for"} NIC ${quoted(nic)} (IPv${version})`
  );
  const remedies = new Set(shown.map(remedyOf).filter((remedy) => remedy !== ""));
  const hidden = traces.length - shown.length;
  const tail = [
    ...(hidden === 0 ? [] : [`and ${counted(hidden, { one: "more NIC", more: "more NICs" })}`]),
    ...[...remedies].slice(0, 2),
    ...(said === undefined ? [] : [cut(said, CANDIDATE_BYTES_MAX)]),
  ];
  // Per NIC: its head, ": ", and "; and 1000 more pools; " where not all fit.
  const fixed = [...heads, ...tail].reduce((sum, text) => sum + bytesOf(text) + 2, 0);
  const each = Math.floor((REFUSAL_BYTES_MAX - fixed) / shown.length) - 24;
  const sections = shown.map(({ candidates }, index) => {
    const pools = poolsText(candidates, { bytesMax: each });
    return pools === "" ? heads[index] ?? "" : `${heads[index]}: ${pools}`;
  });
  return [...sections, ...tail].join("; ");
}

function poolsText(
  candidates: readonly CandidateTrace[],
  { bytesMax }: { readonly bytesMax: number },
): string {
  const texts = candidates.filter(({ droppedBy }) => droppedBy !== undefined).map(candidateText);
  const shown: string[] = [];
  let bytes = 0;
  for (const text of texts) {
    bytes += bytesOf(text) + 2;
    if (bytes > bytesMax && shown.length > 0) break;
    shown.push(text);
  }
  const hidden = texts.length - shown.length;
  if (hidden > 0) shown.push(`and ${counted(hidden, { one: "more pool", more: "more pools" })}`);
  return shown.join("; ");
}

/** `pool "p1" is disabled`. */
function candidateText({ pool, detail }: CandidateTrace): string {
  return cut(`pool ${quoted(pool)} ${detail}`, CANDIDATE_BYTES_MAX);
}

/** What helps the pool that came furthest: it is the one that was meant, most of the time. */
function remedyOf({ version, candidates }: NicTrace): string {
  let furthest: Pick<CandidateTrace, "pool" | "remedy"> & { readonly rule: DropRule } | undefined;
  for (const { pool, droppedBy: rule, remedy } of candidates) {
    if (rule === undefined) continue;
    const isFurther = furthest === undefined ||
      DROP_RULES.indexOf(rule) > DROP_RULES.indexOf(furthest.rule);
    if (isFurther) furthest = { pool, rule, remedy };
  }
  if (furthest === undefined) return "";
  return furthest.remedy ??
    remedyFor(furthest.rule, { pool: `pool ${quoted(furthest.pool)}`, version });
}

function remedyFor(
  rule: DropRule,
  { pool, version }: { readonly pool: string; readonly version: 4 | 6 },
): string {
  switch (rule) {
    case "absent":
      return `create ${pool}, or name one that exists`;
    case "broken":
      return ""; // Its problem says what to write.
    case "terminating":
      return `name another pool, or create ${pool} again once it is gone`;
    case "disabled":
      return `set spec.disable of ${pool} to false`;
    case "notUsable":
      return `resolve that, and annotation "${ANNOTATION_NOT_USABLE}" is taken away`;
    case "notAdopted":
      return "the kubelet tries again until the controller or an agent has recorded them";
    case "family":
      return `name an IPv${version} pool`;
    case "node":
      return `widen spec.nodeName or spec.nodeAffinity of ${pool}, or keep the pod off the node`;
    case "namespace":
      return `widen spec.namespaceName or spec.namespaceAffinity of ${pool}, or name another`;
    case "pod":
      return `widen spec.podAffinity of ${pool}, or name another`;
    case "multus":
      return `widen spec.multusName of ${pool}, or name another`;
    case "masterSubnet":
      return `name a pool of the master's subnet, or set match_master_subnet to false`;
    case "nothingLeft":
      return `widen spec.ips of ${pool}, or exclude and reserve less`;
    case "contended":
      return "the kubelet tries again";
    case "exhausted":
      return `add addresses to spec.ips of ${pool}, or delete pods that hold some`;
    default:
      return unreachable(rule);
  }
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** Cuts a text that is too long, never inside a character. */
function cut(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax || bytesOf(text) <= bytesMax) return text;
  let bytes = bytesOf("…");
  let kept = "";
  for (const character of text) {
    bytes += bytesOf(character);
    if (bytes > bytesMax) break;
    kept += character;
  }
  return `${kept}…`;
}
