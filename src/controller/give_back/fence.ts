/**
 * The end of the fence, once every pool has its records: first the rule goes, then the markers. A
 * definition of the reference only hides a marker that no writer took away: when ours came back, so
 * would it, and would say of records that they are SpiderIPs, which are gone by then.
 */
import { isRecord } from "../../api/decode.ts";
import { SPIDER_ENDPOINTS } from "../../api/endpoint.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../../api/kubernetes/custom_resource_definition.ts";
import { TRUTH_FENCE } from "../../api/truth_fence.ts";
import { FENCE_LOOK_MS, FENCE_TRIES_MAX } from "../../base/limits.ts";
import { type Resource, type StoredObject, StoreFailure } from "../../base/object_store.ts";
import { quoted } from "../../ipam/brief.ts";
import { rawOf } from "../raw_objects.ts";
import { all, type Run } from "./run.ts";

const DEFINITIONS = rawOf(CUSTOM_RESOURCE_DEFINITIONS);
/** Kinds that have the rule. */
const FENCED: readonly Resource<StoredObject>[] = [SPIDER_IP_POOLS, SPIDER_ENDPOINTS];
/** Keyword of the rules of a schema. */
const RULES = "x-kubernetes-validations";

/** Takes the rule out of both definitions. @throws {StoreFailure} The API server refuses that. */
export async function lowerFence(run: Run): Promise<void> {
  const { ports: { store, log }, signal } = run;
  for (const { plural, group } of FENCED) {
    const name = `${plural}.${group}`;
    const found = await store.get(DEFINITIONS, { name }, { signal });
    if (!found.ok) throw new StoreFailure(found.error);
    const next = withoutFence(found.value);
    if (next === found.value) continue;
    const stored = await store.replace(DEFINITIONS, next, { signal });
    if (!stored.ok) throw new StoreFailure(stored.error);
    log.info("fence taken down", { definition: name });
  }
}

/**
 * Takes the marker from every pool. Servers learn of a changed definition a moment later, each by
 * itself: until then they refuse it.
 *
 * @throws {StoreFailure} The API server refuses it, or the fence stays.
 */
export async function takeMarkers(run: Run): Promise<void> {
  for (const pool of await all(SPIDER_IP_POOLS, run)) {
    if (pool.status?.truth !== undefined) await takeMarker(pool, run);
  }
}

async function takeMarker(
  pool: SpiderIpPool,
  { ports: { store, clock, log }, signal }: Run,
): Promise<void> {
  const { truth: _marker, ...status } = pool.status ?? {};
  for (let tries = 1;; tries++) {
    const stored = await store.replaceStatus(SPIDER_IP_POOLS, { ...pool, status }, { signal });
    if (stored.ok) break;
    const isFenced = stored.error.code === "invalid" &&
      stored.error.message.includes("status.truth");
    if (!isFenced || tries >= FENCE_TRIES_MAX) throw new StoreFailure(stored.error);
    await clock.sleep(FENCE_LOOK_MS, { signal });
  }
  log.info("marker taken away", { pool: quoted(pool.metadata.name) });
}

/** A definition, of which only its versions are changed. */
type Definition = StoredObject & { readonly spec?: unknown };

/** The definition without the rule in any version; itself if none has it. */
function withoutFence(definition: Definition): Definition {
  const { spec } = definition;
  if (!isRecord(spec) || !Array.isArray(spec.versions)) return definition;
  const before: readonly unknown[] = spec.versions;
  const versions = before.map(versionWithoutFence);
  const isSame = versions.every((version, index) => version === before[index]);
  return isSame ? definition : { ...definition, spec: { ...spec, versions } };
}

function versionWithoutFence(version: unknown): unknown {
  if (!isRecord(version) || !isRecord(version.schema)) return version;
  const { openAPIV3Schema: root } = version.schema;
  if (!isRecord(root) || !Array.isArray(root[RULES])) return version;
  const rules: readonly unknown[] = root[RULES];
  const others = rules.filter((rule) => !isRecord(rule) || rule.rule !== TRUTH_FENCE.rule);
  if (others.length === rules.length) return version;
  const { [RULES]: _rules, ...rest } = root;
  const openAPIV3Schema = { ...rest, ...(others.length > 0 && { [RULES]: others }) };
  return { ...version, schema: { ...version.schema, openAPIV3Schema } };
}
