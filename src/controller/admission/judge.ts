/** What is answered to a review: by the rules of its kind, and what they read of the cluster. */
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import { controllerOf } from "../../api/metadata.ts";
import { isRecord } from "../../api/decode.ts";
import { type CallOptions, type StoredObject, StoreFailure } from "../../base/object_store.ts";
import { DeadlineError } from "../../base/clock.ts";
import type { AdmissionRequest, AdmissionVerdict } from "../../kube/mod.ts";
import type { JudgeOptions, KindJudge, Question } from "./kind_judge.ts";
import { nodeJudge } from "./node_judge.ts";
import { namespaceJudge, podJudge } from "./pod_judge.ts";
import {
  type ClusterView,
  coordinatorRelations,
  type DeletionAdvice,
  multusRelations,
  poolDeletion,
  poolRelations,
  type Related,
  type RelationOptions,
  reservedRelations,
  subnetDeletion,
  subnetRelations,
} from "./relations.ts";
import { type Fault, faultCause, faultSentence } from "./rules/fault.ts";
import { patchBetween } from "./rules/json_patch.ts";
import {
  COORDINATOR_RULES,
  ENDPOINT_RULES,
  faultsOf,
  fillIn,
  type KindRules,
  MULTUS_RULES,
  POOL_RULES,
  RESERVED_RULES,
  SUBNET_RULES,
} from "./rules/kind_rules.ts";
import { withSubnet } from "./rules/pool_rules.ts";
import type { AdmissionSettings, Reviewed } from "./rules/settings.ts";

const ALLOWED: AdmissionVerdict = { allowed: true };

/** What a kind has beside its rules. */
interface Cluster<T extends StoredObject> {
  /** What the object takes over from others. */
  complete?(filled: Reviewed<T>, options: RelationOptions): Promise<T>;
  relate?(filled: Reviewed<T>, options: RelationOptions): Promise<Related>;
  /** Told of an object that may be stored any moment. */
  note?(object: T, view: ClusterView): void;
  remove?(
    object: T,
    options: RelationOptions & { readonly settings: AdmissionSettings },
  ): Promise<DeletionAdvice>;
}

/** The judges of all kinds, by the resource's singular: the end of a webhook's path. */
export function judgesOf(options: JudgeOptions): ReadonlyMap<string, KindJudge> {
  const judges = [
    judgeOf(POOL_RULES, {
      ...options,
      complete: completedPool,
      relate: poolRelations,
      note: (pool, { pools }) => pools.note(pool),
      remove: poolDeletion,
    }),
    judgeOf(SUBNET_RULES, {
      ...options,
      relate: subnetRelations,
      note: (subnet, { subnets }) => subnets.note(subnet),
      remove: subnetDeletion,
    }),
    judgeOf(RESERVED_RULES, { ...options, relate: reservedRelations }),
    judgeOf(COORDINATOR_RULES, { ...options, relate: coordinatorRelations }),
    judgeOf(MULTUS_RULES, { ...options, relate: multusRelations }),
    judgeOf(ENDPOINT_RULES, options),
    podJudge(options),
    namespaceJudge(),
    nodeJudge(options),
  ];
  return new Map(judges);
}

/**
 * Answers a review, whatever it is of: what is not of our group is let through, and what cannot be
 * looked up is refused with a sentence that says so.
 */
export async function judgeReview(
  request: AdmissionRequest,
  { judge, question, ...options }: CallOptions & {
    readonly judge: KindJudge;
    readonly question: Question;
  },
): Promise<AdmissionVerdict> {
  const { group, version, kind, subResource } = request;
  const what = `${kind}.${version}${group === "" ? "" : `.${group}`}`;
  if (group !== judge.group) {
    const warning = `Spiderpool has no rule for ${what}: its webhook configuration names too much`;
    return { allowed: true, warnings: [warning] };
  }
  if (kind !== judge.kind || version !== judge.version) {
    const message = `Cannot judge ${what}: this webhook is for ` +
      `${judge.kind}.${judge.version}; correct the webhook configuration`;
    return { allowed: false, status: 400, message };
  }
  if (subResource !== "" || request.operation === "CONNECT") return ALLOWED;
  try {
    return await judge[question](request, options);
  } catch (error) {
    if (!(error instanceof StoreFailure || error instanceof DeadlineError)) throw error;
    const name = JSON.stringify(request.name);
    const message = `Cannot check ${kind} ${name} against others: ${error.message}; try again`;
    return { allowed: false, status: 503, message };
  }
}

/** Gives a pool to its subnet: one that exists, since the pool goes with its owner. */
async function completedPool(
  { object, settings }: Reviewed<SpiderIpPool>,
  { view, ...options }: RelationOptions,
): Promise<SpiderIpPool> {
  if (!settings.enableSpiderSubnet) return object;
  const owner = controllerOf(withSubnet(object, await view.subnets.all(options)));
  if (owner === undefined || controllerOf(object) !== undefined) return object;
  const live = await view.subnets.live(owner.name, options);
  return live === undefined ? object : withSubnet(object, [live]);
}

function judgeOf<T extends StoredObject>(
  rules: KindRules<T>,
  { view, settings, ...cluster }: JudgeOptions & Cluster<T>,
): readonly [string, KindJudge] {
  const { kind, singular, group, version } = rules.resource;
  async function mutate(
    request: AdmissionRequest,
    options: CallOptions,
  ): Promise<AdmissionVerdict> {
    const read = readFilled(rules, { request, settings });
    if (!read.ok) return refused(request, read.error);
    const filled = read.value;
    if (filled === undefined) return ALLOWED;
    const faults = faultsOf(rules, filled);
    if (faults.length > 0) return refused(request, faults);
    const completed = filled.isTouched
      ? await cluster.complete?.(filled, { view, ...options })
      : undefined;
    return { allowed: true, patch: patchBetween(filled.before, completed ?? filled.object) };
  }
  async function validate(
    request: AdmissionRequest,
    options: CallOptions,
  ): Promise<AdmissionVerdict> {
    if (request.operation === "DELETE") {
      const stored = rules.resource.parse(request.oldObject);
      if (!stored.ok) return ALLOWED;
      return advised(await cluster.remove?.(stored.value, { view, settings, ...options }));
    }
    const read = readFilled(rules, { request, settings });
    if (!read.ok) return refused(request, read.error);
    const filled = read.value;
    if (filled === undefined || !filled.isTouched) return ALLOWED;
    const related = await cluster.relate?.(filled, { view, ...options });
    const faults = [...faultsOf(rules, filled), ...related?.faults ?? []];
    if (faults.length > 0) return { ...refused(request, faults), warnings: related?.warnings };
    if (!request.dryRun) cluster.note?.(filled.object, view);
    return { allowed: true, warnings: related?.warnings };
  }
  return [singular, { group, version, kind, mutate, validate }];
}

function readFilled<T extends StoredObject>(
  rules: KindRules<T>,
  { request, settings }: {
    readonly request: AdmissionRequest;
    readonly settings: AdmissionSettings;
  },
): ReturnType<typeof fillIn<T>> {
  const { object, oldObject, operation } = request;
  const previous = operation === "UPDATE" && isRecord(oldObject) ? oldObject : undefined;
  return fillIn(rules, { object: isRecord(object) ? object : {}, previous, settings });
}

/** Of the objects of one file kubectl does not say which was refused: the message does. */
function refused(
  { kind, namespace, name }: AdmissionRequest,
  faults: readonly Fault[],
): AdmissionVerdict & { readonly allowed: false } {
  const called = namespace === undefined ? name : `${namespace}/${name}`;
  const object = name === "" ? `a new ${kind}` : `${kind} ${JSON.stringify(called)}`;
  const message = `${object}: ${faults.map(faultSentence).join(". ")}`;
  return { allowed: false, status: 422, message, causes: faults.map(faultCause) };
}

function advised({ refusal, warning }: DeletionAdvice = {}): AdmissionVerdict {
  if (refusal !== undefined) return { allowed: false, status: 403, message: refusal };
  return { allowed: true, warnings: warning === undefined ? [] : [warning] };
}
