/** The rules of each kind that take an object by itself: what is filled in, what is refused. */
import { SPIDER_COORDINATORS } from "../../../api/coordinator.ts";
import { ANNOTATION_CNI_VERSION, ANNOTATION_CR_NAME } from "../../../api/annotations.ts";
import { ANNOTATION_NETWORK_INJECT, ANNOTATION_RDMA_INJECT } from "../../../api/annotations.ts";
import { isRecord } from "../../../api/decode.ts";
import { SPIDER_ENDPOINTS } from "../../../api/endpoint.ts";
import { SPIDER_IP_POOLS } from "../../../api/ip_pool.ts";
import { isTerminating } from "../../../api/metadata.ts";
import { SPIDER_MULTUS_CONFIGS } from "../../../api/multus_config.ts";
import { SPIDER_RESERVED_IPS } from "../../../api/reserved_ip.ts";
import type { CustomResource } from "../../../api/resource.ts";
import { problemsOf } from "../../../api/schema.ts";
import { SPIDER_SUBNETS } from "../../../api/subnet.ts";
import type { StoredObject } from "../../../base/object_store.ts";
import { err, ok, type Result } from "../../../base/result.ts";
import { coordinatorFaults, mutateCoordinator } from "./coordinator_rules.ts";
import { endpointFaults, mutateEndpoint } from "./endpoint_rules.ts";
import { type Fault, faultOfProblem, forbidden } from "./fault.ts";
import { isSameJson } from "./json_patch.ts";
import { mutateMultusConfig } from "./multus_mutation.ts";
import { multusFaults } from "./multus_rules.ts";
import { mutatePool, mutateSubnet, poolFaults, subnetFaults } from "./pool_rules.ts";
import { mutateReserved, reservedFaults } from "./reserved_rules.ts";
import type { AdmissionSettings, Reviewed } from "./settings.ts";

/** An object as it came out of `JSON.parse`. */
export type RawObject = Readonly<Record<string, unknown>>;

/** The rules of one kind. */
export interface KindRules<T extends StoredObject> {
  readonly resource: CustomResource<T>;
  /** What of an object the rules are about: an update that leaves it alone is never refused. */
  readonly written: readonly (readonly string[])[];
  /** Fills in what the object leaves out. Applied twice it changes nothing the second time. */
  mutate(reviewed: Reviewed<T>): T;
  /** Lists everything that is wrong with the object by itself. */
  faults(reviewed: Reviewed<T>): readonly Fault[];
}

const SPEC = [["spec"]];

/** SpiderIPPool. */
export const POOL_RULES = {
  resource: SPIDER_IP_POOLS,
  written: SPEC,
  mutate: mutatePool,
  faults: poolFaults,
} satisfies KindRules<Parsed<typeof SPIDER_IP_POOLS>>;

/** SpiderSubnet. */
export const SUBNET_RULES = {
  resource: SPIDER_SUBNETS,
  written: SPEC,
  mutate: mutateSubnet,
  faults: subnetFaults,
} satisfies KindRules<Parsed<typeof SPIDER_SUBNETS>>;

/** SpiderReservedIP. */
export const RESERVED_RULES = {
  resource: SPIDER_RESERVED_IPS,
  written: SPEC,
  mutate: mutateReserved,
  faults: reservedFaults,
} satisfies KindRules<Parsed<typeof SPIDER_RESERVED_IPS>>;

/** SpiderCoordinator. */
export const COORDINATOR_RULES = {
  resource: SPIDER_COORDINATORS,
  written: SPEC,
  mutate: mutateCoordinator,
  faults: coordinatorFaults,
} satisfies KindRules<Parsed<typeof SPIDER_COORDINATORS>>;

/** SpiderMultusConfig. */
export const MULTUS_RULES = {
  resource: SPIDER_MULTUS_CONFIGS,
  written: [
    ...SPEC,
    ...[
      ANNOTATION_CR_NAME,
      ANNOTATION_CNI_VERSION,
      ANNOTATION_RDMA_INJECT,
      ANNOTATION_NETWORK_INJECT,
    ].map((key) => ["metadata", "annotations", key]),
  ],
  mutate: mutateMultusConfig,
  faults: multusFaults,
} satisfies KindRules<Parsed<typeof SPIDER_MULTUS_CONFIGS>>;

/** SpiderEndpoint. */
export const ENDPOINT_RULES = {
  resource: SPIDER_ENDPOINTS,
  written: [["status"]],
  mutate: mutateEndpoint,
  faults: endpointFaults,
} satisfies KindRules<Parsed<typeof SPIDER_ENDPOINTS>>;

type Parsed<R> = R extends CustomResource<infer T> ? T : never;

/** One object of a review, as the server sent it. */
export interface Submitted {
  readonly object: RawObject;
  /** What is stored; absent for a creation. */
  readonly previous?: RawObject | undefined;
  readonly settings: AdmissionSettings;
}

/** An object as its rules see it. */
export interface Filled<T extends StoredObject> extends Reviewed<T> {
  /** What of the document as it was sent the patch is made against. */
  readonly before: unknown;
  /** False for an update that leaves alone what the rules are about. */
  readonly isTouched: boolean;
}

/**
 * Reads an object of a review and fills it in.
 *
 * @returns `undefined` for what is left alone: an object that is being deleted, or an update that
 *   does not touch what cannot be read. Or what the schema says against the object.
 */
export function fillIn<T extends StoredObject>(
  rules: KindRules<T>,
  { object, previous, settings }: Submitted,
): Result<Filled<T> | undefined, readonly Fault[]> {
  const isTouched = previous === undefined || rules.written.some((path) => {
    return !isSameJson(at(object, path), at(previous, path));
  });
  const before = comparable(object);
  const parsed = rules.resource.schema.safeParse(before);
  if (!parsed.success && !isTouched) return ok(undefined);
  if (!parsed.success) return err(problemsOf(parsed.error.issues, before).map(faultOfProblem));
  if (isTerminating(parsed.data)) return isTouched ? err([lateFault(rules)]) : ok(undefined);
  const stored = previous === undefined
    ? undefined
    : rules.resource.schema.safeParse(comparable(previous)).data;
  const filled = rules.mutate({ object: parsed.data, previous: stored, settings });
  // An update that is not about the rules is left as it is, but for its finalizers and labels.
  const result = isTouched ? filled : { ...parsed.data, metadata: filled.metadata };
  return ok({ object: result, previous: stored, settings, before, isTouched });
}

/** Lists everything that is wrong with a filled-in object by itself. */
export function faultsOf<T extends StoredObject>(
  rules: KindRules<T>,
  filled: Filled<T>,
): readonly Fault[] {
  return filled.isTouched ? rules.faults(filled) : [];
}

function lateFault<T extends StoredObject>({ written }: KindRules<T>): Fault {
  const why = "the object is being deleted; leave it as it is, or create another one when it is " +
    "gone";
  return forbidden(written[0] ?? [], undefined, { why });
}

/** The document without what never changes here, and with the name that it will get. */
function comparable(object: RawObject): RawObject {
  const metadata = isRecord(object.metadata) ? object.metadata : {};
  const { managedFields: _managedFields, ...rest } = metadata;
  const name = rest.name ?? rest.generateName ?? "";
  return { ...object, metadata: { ...rest, name } };
}

function at(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) found = isRecord(found) ? found[name] : undefined;
  return found;
}
