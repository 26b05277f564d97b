/** Changes of metadata that the mutations of several kinds share. */
import type { SpiderIpPool } from "../../../api/ip_pool.ts";
import type { SpiderReservedIp } from "../../../api/reserved_ip.ts";
import type { ObjectMeta, StoredObject } from "../../../base/object_store.ts";
import { SPIDERPOOL_FINALIZER } from "../../../api/group.ts";
import {
  type Address,
  type Family,
  guessVersion,
  IPV4,
  IPV6,
  parseRangeSet,
} from "../../../ip/mod.ts";

/** The object with other metadata. */
export function withMetadata<T extends StoredObject>(object: T, metadata: Partial<ObjectMeta>): T {
  return { ...object, metadata: { ...object.metadata, ...metadata } };
}

/** The object with our finalizer, at the end of the list. */
export function withFinalizer<T extends StoredObject>(object: T): T {
  const { finalizers = [] } = object.metadata;
  if (finalizers.includes(SPIDERPOOL_FINALIZER)) return object;
  return withMetadata(object, { finalizers: [...finalizers, SPIDERPOOL_FINALIZER] });
}

/** The object without our finalizer, which the reference set and no kind of ours waits for. */
export function withoutFinalizer<T extends StoredObject>(object: T): T {
  const { finalizers = [] } = object.metadata;
  if (!finalizers.includes(SPIDERPOOL_FINALIZER)) return object;
  const others = finalizers.filter((name) => name !== SPIDERPOOL_FINALIZER);
  return withMetadata(object, { finalizers: others.length === 0 ? undefined : others });
}

/** The object with labels; an `undefined` one is taken away. */
export function withLabels<T extends StoredObject>(
  object: T,
  labels: Readonly<Record<string, string | undefined>>,
): T {
  const entries = Object.entries({ ...object.metadata.labels, ...labels });
  const kept = entries.flatMap(([name, value]) => value === undefined ? [] : [[name, value]]);
  if (kept.length === 0 && object.metadata.labels === undefined) return object;
  return withMetadata(object, {
    labels: kept.length === 0 ? undefined : Object.fromEntries(kept),
  });
}

/** What of a spec is ranges. */
type RangesOf = Pick<SpiderIpPool["spec"] & SpiderReservedIp["spec"], "ips" | "excludeIPs">;

/**
 * The spec with its lists of ranges sorted and joined. A list with a wrong entry, or with one entry
 * only, is left as it is written.
 */
export function withMergedRanges<S extends RangesOf>(spec: S, version: 4 | 6 | undefined): S {
  if (version === undefined) return spec;
  const ips = merged(version, spec.ips);
  const excludeIPs = merged(version, spec.excludeIPs);
  return {
    ...spec,
    ...ips === undefined ? {} : { ips },
    ...excludeIPs === undefined ? {} : { excludeIPs },
  };
}

/** The family of a text that begins with an address. */
export function familyOf(text: string | undefined): 4 | 6 | undefined {
  return text === undefined ? undefined : guessVersion(text);
}

function merged(
  version: 4 | 6,
  texts: readonly string[] | undefined,
): readonly string[] | undefined {
  if (texts === undefined || texts.length < 2) return undefined;
  return version === 6 ? joined(IPV6, texts) : joined(IPV4, texts);
}

function joined<A extends Address>(
  family: Family<A>,
  texts: readonly string[],
): readonly string[] | undefined {
  const parsed = parseRangeSet(family, texts);
  return parsed.ok ? parsed.value.toTexts() : undefined;
}
