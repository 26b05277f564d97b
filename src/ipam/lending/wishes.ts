/** Pools that applications should have of a SpiderSubnet, and those that they have. */
import { SPIDERPOOL_API_VERSION } from "../../api/group.ts";
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import {
  APPLICATION_AFFINITY_LABELS,
  LABEL_INTERFACE,
  LABEL_IP_POOL_CIDR,
  LABEL_IP_POOL_RECLAIM,
  LABEL_IP_VERSION,
  LABEL_OWNER_APPLICATION_GV,
  LABEL_OWNER_APPLICATION_KIND,
  LABEL_OWNER_APPLICATION_NAME,
  LABEL_OWNER_APPLICATION_NAMESPACE,
  LABEL_OWNER_APPLICATION_UID,
} from "../../api/labels.ts";
import type { IpNumber } from "../../api/pod_annotations.ts";
import type { SpiderSubnet } from "../../api/subnet.ts";
import { formatApplication } from "../../api/subnet_records.ts";
import { formatCidrLabel, parseAnyAddressInCidr } from "../../ip/mod.ts";
import { type AutomaticPool, automaticPool, type PoolIdentity, poolOf } from "../applications.ts";
import type { TopController } from "../top_controller.ts";

/** A pool that an application should have. */
export interface ApplicationWish {
  readonly identity: PoolIdentity;
  /** As the application says it, or the installation. */
  readonly number: IpNumber;
  /** Whether the pool goes with its application. */
  readonly reclaim: boolean;
  /** Addresses that it should have. */
  readonly count: number;
  /** How it is called and labelled when it is made. */
  readonly pool: AutomaticPool;
  /** The same for the pools that it may find: so that not each is compared with each. */
  readonly likeness: string;
}

/** Makes a wish. */
export function applicationWish(
  wish: Omit<ApplicationWish, "pool" | "likeness">,
): ApplicationWish {
  const pool = automaticPool(wish.identity, wish);
  return { ...wish, pool, likeness: likenessOf(pool) };
}

/** The wishes of a Subnet, and its pools. */
export interface WishMatch {
  /** By name of a pool that is there. */
  readonly made: ReadonlyMap<string, ApplicationWish>;
  /** By the name that the pool will have. */
  readonly missing: ReadonlyMap<string, ApplicationWish>;
}

/**
 * Finds the pool of each wish. One whose name another pool has, because it is being deleted or is
 * not what it is called, waits until that is gone: it is in neither.
 *
 * @param options.pools All of the Subnet's network.
 * @param options.isOwn Whether a pool is the Subnet's.
 */
export function matchWishes(
  wishes: Iterable<ApplicationWish>,
  { pools, isOwn }: {
    readonly pools: ReadonlyMap<string, SpiderIpPool>;
    readonly isOwn: (pool: SpiderIpPool) => boolean;
  },
): WishMatch {
  const byKey = Map.groupBy(
    [...pools.values()].filter(isOwn),
    ({ metadata }) => likenessOf(metadata),
  );
  const made = new Map<string, ApplicationWish>();
  const missing = new Map<string, ApplicationWish>();
  for (const wish of wishes) {
    const alike = byKey.get(wish.likeness) ?? [];
    const pool = poolOf(alike, wish.identity);
    if (pool !== undefined) made.set(pool.metadata.name, wish);
    else if (!pools.has(wish.pool.name)) missing.set(wish.pool.name, wish);
  }
  return { made, missing };
}

/** Labels that are alike. No value of a label has a space. */
const LIKENESS = [
  LABEL_OWNER_APPLICATION_GV,
  LABEL_OWNER_APPLICATION_KIND,
  LABEL_OWNER_APPLICATION_NAMESPACE,
  LABEL_OWNER_APPLICATION_NAME,
  LABEL_INTERFACE,
  LABEL_IP_VERSION,
];

function likenessOf(
  { labels = {} }: { readonly labels?: Readonly<Record<string, string>> | undefined },
): string {
  return LIKENESS.map((key) => labels[key] ?? "").join(" ");
}

/** The pool with what its application wants it to say; the same object if nothing changes. */
export function withWish(
  pool: SpiderIpPool,
  { pool: { labels, annotations } }: ApplicationWish,
): SpiderIpPool {
  const wanted = {
    ...pool.metadata,
    labels: { ...pool.metadata.labels, ...labels },
    annotations: { ...pool.metadata.annotations, ...annotations },
  };
  const isSame = hasAll(pool.metadata.labels, labels) &&
    hasAll(pool.metadata.annotations, annotations);
  return isSame ? pool : { ...pool, metadata: wanted };
}

function hasAll(
  has: Readonly<Record<string, string>> = {},
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => has[key] === value);
}

/** The pool to create, without what every pool of the Subnet has of it. */
export function poolToMake(
  { pool: { name, labels, annotations, podAffinity }, identity: { version } }: ApplicationWish,
  { subnet, ips }: { readonly subnet: SpiderSubnet; readonly ips: readonly string[] },
): SpiderIpPool {
  const parsed = parseAnyAddressInCidr(subnet.spec.subnet);
  const cidr = parsed.ok ? { [LABEL_IP_POOL_CIDR]: formatCidrLabel(parsed.value.cidr) } : {};
  return {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind: "SpiderIPPool",
    metadata: { name, labels: { ...labels, ...cidr }, annotations },
    spec: {
      ipVersion: version,
      subnet: subnet.spec.subnet,
      ips: [...ips],
      podAffinity,
      disable: false,
      default: false,
    },
  };
}

/** The application that an automatic pool was made for, as far as the pool tells. */
export function applicationOfPool({ metadata, spec }: SpiderIpPool): TopController | undefined {
  const { group, version, kind, namespace, name } = APPLICATION_AFFINITY_LABELS;
  const labels = spec.podAffinity?.matchLabels ?? {};
  const [ofGroup, ofVersion, ofKind, ofNamespace, ofName] = [
    group,
    version,
    kind,
    namespace,
    name,
  ].map((key) => labels[key]);
  const uid = metadata.labels?.[LABEL_OWNER_APPLICATION_UID];
  if (ofGroup === undefined || !ofVersion || !ofKind || !ofNamespace || !ofName || !uid) {
    return undefined;
  }
  const apiVersion = ofGroup === "" ? ofVersion : `${ofGroup}/${ofVersion}`;
  return { apiVersion, kind: ofKind, namespace: ofNamespace, name: ofName, uid };
}

/** An application as records of a Subnet name it. */
export function recordedApplication(
  { apiVersion, kind, namespace, name }: TopController,
): string {
  const [version = "", group = ""] = apiVersion.split("/").reverse();
  return formatApplication({ group, version, kind, namespace, name });
}

/** Whether a pool goes with its application. */
export function goesWithApplication({ metadata }: SpiderIpPool): boolean {
  return metadata.labels?.[LABEL_IP_POOL_RECLAIM] !== "false";
}
