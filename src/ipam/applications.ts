/**
 * The pools that applications have of their own: what the annotations of their pods ask for, and
 * how such a pool is called and found again. Agents and the controller's leader both go by this.
 */
import {
  ANNOTATION_IP_NUMBER,
  ANNOTATION_IP_POOL_RECLAIM,
  ANNOTATION_SUBNET,
  ANNOTATION_SUBNETS,
} from "../api/annotations.ts";
import {
  APPLICATION_AFFINITY_LABELS,
  hashText,
  LABEL_INTERFACE,
  LABEL_IP_POOL_RECLAIM,
  LABEL_IP_VERSION,
  LABEL_OWNER_APPLICATION_GV,
  LABEL_OWNER_APPLICATION_KIND,
  LABEL_OWNER_APPLICATION_NAME,
  LABEL_OWNER_APPLICATION_NAMESPACE,
  LABEL_OWNER_APPLICATION_UID,
  LABEL_OWNER_SUBNET,
  labelValue,
} from "../api/labels.ts";
import { isTerminating } from "../api/metadata.ts";
import {
  formatIpNumber,
  type IpNumber,
  type NicSubnets,
  readIpNumber,
  readReclaim,
  readSubnetAnnotation,
  readSubnetsAnnotation,
} from "../api/pod_annotations.ts";
import type { StoredObject } from "../base/object_store.ts";
import { ok, type Result } from "../base/result.ts";
import { quoted, quotedNames } from "./brief.ts";
import type { TopController } from "./top_controller.ts";

/** What the pods of an application ask for. */
export interface PoolWishes {
  /** Key of the annotation that names the subnets. */
  readonly annotation: string;
  /** At least one; each another NIC. */
  readonly nics: readonly NicSubnets[];
  /** Absent: as many as the installation says beyond the replicas. */
  readonly number?: IpNumber | undefined;
  /** Whether the pools go with their application. */
  readonly reclaim: boolean;
  /** Sentences about what the annotations say and nobody follows; no error. */
  readonly notes: readonly string[];
}

/** One pool that an application should have. */
export interface PoolWish {
  readonly nic: string;
  readonly version: 4 | 6;
  /** Name of the SpiderSubnet that lends to it. */
  readonly subnet: string;
}

/** What tells one automatic pool from all others. */
export interface PoolIdentity extends PoolWish {
  readonly application: TopController;
}

/**
 * Reads what the annotations of a pod, or of a workload's template, ask for. `subnets` wins over
 * `subnet`.
 *
 * @returns `undefined` where they name no subnet; as an error a sentence: field, value, remedy.
 */
export function readPoolWishes(
  annotations: Readonly<Record<string, string>> | undefined = {},
): Result<PoolWishes | undefined, string> {
  const of = (key: string): string | undefined =>
    Object.hasOwn(annotations, key) ? annotations[key] : undefined;
  const many = of(ANNOTATION_SUBNETS);
  const one = of(ANNOTATION_SUBNET);
  const text = many ?? one;
  if (text === undefined) return ok(undefined);
  const read = many === undefined ? readSubnetAnnotation(text) : readSubnetsAnnotation(text);
  if (!read.ok) return read;
  const nics = "interface" in read.value ? [read.value] : read.value;
  const numberText = of(ANNOTATION_IP_NUMBER);
  const number = numberText === undefined ? ok(undefined) : readIpNumber(numberText);
  if (!number.ok) return number;
  const reclaim = readReclaim(of(ANNOTATION_IP_POOL_RECLAIM));
  if (!reclaim.ok) return reclaim;
  const annotation = many === undefined ? ANNOTATION_SUBNET : ANNOTATION_SUBNETS;
  const notes = nics.flatMap((nic) => unusedNote(nic, annotation));
  if (many !== undefined && one !== undefined) {
    notes.push(`Annotation "${ANNOTATION_SUBNET}" is not read beside "${ANNOTATION_SUBNETS}"`);
  }
  return ok({ annotation, nics, number: number.value, reclaim: reclaim.value, notes });
}

function unusedNote(
  { interface: nic, unused = [] }: NicSubnets,
  annotation: string,
): readonly string[] {
  if (unused.length === 0) return [];
  const which = unused.length === 1 ? "is" : "are";
  return [
    `Annotation "${annotation}" names more than one SpiderSubnet of a family for NIC ` +
    `${quoted(nic)}: the first is used, ${quotedNames(unused)} ${which} not`,
  ];
}

/**
 * Lists the pools that wishes come to: those of families that are switched off are left out.
 *
 * @param options.nic Only those of this NIC.
 */
export function wishedPools(
  { nics }: Pick<PoolWishes, "nics">,
  { ipv4, ipv6, nic }: {
    readonly ipv4: boolean;
    readonly ipv6: boolean;
    readonly nic?: string | undefined;
  },
): readonly PoolWish[] {
  return nics.filter((item) => nic === undefined || item.interface === nic).flatMap((item) => {
    const wished: PoolWish[] = [];
    const place = { nic: item.interface };
    if (ipv4 && item.ipv4 !== undefined) wished.push({ ...place, version: 4, subnet: item.ipv4 });
    if (ipv6 && item.ipv6 !== undefined) wished.push({ ...place, version: 6, subnet: item.ipv6 });
    return wished;
  });
}

/** How many addresses a pool should have. */
export function wishedCount(
  number: IpNumber | undefined,
  { replicas, flexible }: {
    /** Pods that the application should have. */
    readonly replicas: number;
    /** Addresses beyond them, where its pods do not say (`Config.flexibleIpNumber`). */
    readonly flexible: number;
  },
): number {
  return number?.kind === "fixed" ? number.count : replicas + (number?.count ?? flexible);
}

const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  "apps/v1": ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"],
  "batch/v1": ["Job", "CronJob"],
};

/** Whether an application is one of Kubernetes' own workloads, whose replicas can be counted. */
export function isBuiltIn({ apiVersion, kind }: TopController): boolean {
  return Object.hasOwn(BUILT_IN, apiVersion) && BUILT_IN[apiVersion]?.includes(kind) === true;
}

/** What a new automatic pool says by itself; addresses, gateway and owner come from its Subnet. */
export interface AutomaticPool {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly podAffinity: { readonly matchLabels: Readonly<Record<string, string>> };
}

/**
 * Says how a new automatic pool is called and labelled.
 *
 * @param options.number As the application's pods say, or the installation.
 */
export function automaticPool(
  identity: PoolIdentity,
  { number, reclaim }: { readonly number: IpNumber; readonly reclaim: boolean },
): AutomaticPool {
  const { application } = identity;
  return {
    name: poolName(identity),
    labels: {
      ...identityLabels(identity),
      [LABEL_OWNER_APPLICATION_UID]: labelValue(application.uid),
      [LABEL_IP_POOL_RECLAIM]: String(reclaim),
    },
    annotations: { [ANNOTATION_IP_NUMBER]: formatIpNumber(number) },
    podAffinity: { matchLabels: affinityOf(application) },
  };
}

/** Labels that stay as they are while the pool is. */
function identityLabels(
  { application, nic, version, subnet }: PoolIdentity,
): Readonly<Record<string, string>> {
  const { apiVersion, kind, namespace, name } = application;
  return {
    [LABEL_OWNER_SUBNET]: labelValue(subnet),
    [LABEL_OWNER_APPLICATION_GV]: labelValue(apiVersion.replace("/", "_")),
    [LABEL_OWNER_APPLICATION_KIND]: labelValue(kind),
    [LABEL_OWNER_APPLICATION_NAMESPACE]: namespace,
    [LABEL_OWNER_APPLICATION_NAME]: labelValue(name),
    [LABEL_INTERFACE]: nic,
    [LABEL_IP_VERSION]: `IPv${version}`,
  };
}

function affinityOf(
  { apiVersion, kind, namespace, name }: TopController,
): Readonly<Record<string, string>> {
  const parts = apiVersion.split("/");
  const version = parts.pop() ?? "";
  return {
    [APPLICATION_AFFINITY_LABELS.group]: parts.join("/"),
    [APPLICATION_AFFINITY_LABELS.version]: version,
    [APPLICATION_AFFINITY_LABELS.kind]: kind,
    [APPLICATION_AFFINITY_LABELS.namespace]: namespace,
    [APPLICATION_AFFINITY_LABELS.name]: name,
  };
}

/** Characters of an object's name. */
const NAME_CHARACTERS_MAX = 253;
/** Hex digits at a name's end: 48 bits, beside the name of application and NIC. */
const HASH_CHARACTERS = 12;

/**
 * The name of a new pool: `auto4-web-eth0-` and a hash of everything that tells it from others, the
 * subnet and the application's UID among it. So an application that is made again, or that changes
 * its subnet, has its new pool while the old one is still in use, which the reference's names do
 * not allow. A name is never parsed.
 */
function poolName(identity: PoolIdentity): string {
  const { application: { apiVersion, kind, namespace, name, uid }, nic, version, subnet } =
    identity;
  const all = JSON.stringify([apiVersion, kind, namespace, name, uid, nic, version, subnet]);
  const end = `-${namePart(nic)}-${hashText(all, { characters: HASH_CHARACTERS })}`;
  const begin = `auto${version}-`;
  const room = NAME_CHARACTERS_MAX - begin.length - end.length;
  const shown = name.toLowerCase().slice(0, room).replace(/[^a-z0-9]+$/, "");
  return `${begin}${shown}${end}`;
}

/** As much of a text as may stand inside a name. */
function namePart(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]/g, "-");
}

/**
 * Whether a pool is the application's own for this NIC, family and subnet: by its labels, so that
 * the reference's pools are found too. One that goes with its application is of this very UID; one
 * that stays is of whoever has the application's name.
 */
export function isPoolOf(pool: StoredObject, identity: PoolIdentity): boolean {
  return isPoolOfName(pool, identity) && mayUse(pool, identity);
}

/** As `isPoolOf`, of whatever UID the application was that it was made for. */
export function isPoolOfName(pool: StoredObject, identity: PoolIdentity): boolean {
  return hasLabels(pool, Object.entries(identityLabels(identity)));
}

function hasLabels(
  { metadata: { labels = {} } }: StoredObject,
  wanted: readonly (readonly [string, string])[],
): boolean {
  return wanted.every(([key, value]) => labels[key] === value);
}

function mayUse(pool: StoredObject, identity: PoolIdentity): boolean {
  return pool.metadata.labels?.[LABEL_IP_POOL_RECLAIM] === "false" || isOfUid(pool, identity);
}

function isOfUid({ metadata }: StoredObject, { application: { uid } }: PoolIdentity): boolean {
  return metadata.labels?.[LABEL_OWNER_APPLICATION_UID] === labelValue(uid);
}

/**
 * The pool that an application uses. Of several, which only a person makes, one of its very UID,
 * then the first by name; one that is being deleted is none.
 */
export function poolOf<P extends StoredObject>(
  pools: Iterable<P>,
  identity: PoolIdentity,
): P | undefined {
  const labels = Object.entries(identityLabels(identity));
  let best: P | undefined;
  for (const pool of pools) {
    if (!hasLabels(pool, labels) || isTerminating(pool) || !mayUse(pool, identity)) continue;
    if (best === undefined || isBefore({ pool, other: best }, identity)) best = pool;
  }
  return best;
}

function isBefore(
  { pool, other }: { readonly pool: StoredObject; readonly other: StoredObject },
  identity: PoolIdentity,
): boolean {
  const isOwn = isOfUid(pool, identity);
  if (isOwn !== isOfUid(other, identity)) return isOwn;
  return pool.metadata.name < other.metadata.name;
}

/** `Deployment "default/web"`: an application as messages name it. */
export function applicationText(
  { kind, namespace, name }: Pick<TopController, "kind" | "namespace" | "name">,
): string {
  return `${kind} ${quoted(`${namespace}/${name}`)}`;
}
