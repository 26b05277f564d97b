/** The webhooks of kinds that are not ours: pods that ask for networks, and their namespaces. */
import { ANNOTATION_NETWORK_INJECT, ANNOTATION_RDMA_INJECT } from "../../api/annotations.ts";
import { isRecord } from "../../api/decode.ts";
import { NAMESPACES } from "../../api/kubernetes/node.ts";
import { type Pod, PODS } from "../../api/kubernetes/pod.ts";
import { SPIDER_MULTUS_CONFIGS, type SpiderMultusConfig } from "../../api/multus_config.ts";
import {
  type CallOptions,
  type ObjectStore,
  type Resource,
  type StoredObject,
  StoreFailure,
} from "../../base/object_store.ts";
import { pagesOf } from "../../base/pages.ts";
import type { Result } from "../../base/result.ts";
import type { AdmissionRequest, AdmissionVerdict } from "../../kube/mod.ts";
import type { JudgeOptions, KindJudge } from "./kind_judge.ts";
import { fault, faultSentence } from "./rules/fault.ts";
import { inject, type InjectionWish, namespaceWish, podWish } from "./rules/injection.ts";
import { patchBetween } from "./rules/json_patch.ts";
import { withInjectedLabels } from "./rules/multus_mutation.ts";
import { GROUP_REMEDY, isLabelValue } from "./rules/names.ts";

const ALLOWED: AdmissionVerdict = { allowed: true };
const CORE = { group: "", version: "v1" };

/** New pods: those that ask, or whose namespace does, get the networks of their group. */
export function podJudge(
  { view: { store }, settings }: JudgeOptions,
): readonly [string, KindJudge] {
  async function mutate(
    request: AdmissionRequest,
    options: CallOptions,
  ): Promise<AdmissionVerdict> {
    if (request.operation !== "CREATE") return ALLOWED;
    const read = readRaw(PODS, request.object, request);
    if (!read.ok) return refused(read.error);
    const pod = read.value;
    const wish = await wishOf(pod, { store, ...options });
    if (wish === undefined || pod.spec.hostNetwork === true) return ALLOWED;
    const networks = await networksOf(store, options);
    const injected = inject(pod, { wish, networks, settings });
    if (!injected.ok) return refused(injected.error);
    return { allowed: true, patch: patchBetween(pod, injected.value) };
  }
  return ["pod", { ...CORE, kind: PODS.kind, mutate, validate }];
}

/** Namespaces that ask for their pods get the label that makes the API server ask about these. */
export function namespaceJudge(): readonly [string, KindJudge] {
  function mutate(
    { operation, object, oldObject, ...request }: AdmissionRequest,
  ): AdmissionVerdict {
    if (operation === "DELETE") return ALLOWED;
    const read = readRaw(NAMESPACES, object, request);
    if (!read.ok) return refused(read.error);
    const before = operation === "UPDATE" ? readRaw(NAMESPACES, oldObject, request) : undefined;
    const previous = before?.ok === true ? before.value : undefined;
    for (const key of [ANNOTATION_RDMA_INJECT, ANNOTATION_NETWORK_INJECT]) {
      const group = read.value.metadata.annotations?.[key];
      if (group === undefined || isLabelValue(group)) continue;
      const why = `it is no name of a group, as the value of a label is one; write ${GROUP_REMEDY}`;
      return refused(faultSentence(fault(["metadata", "annotations", key], group, { why })));
    }
    return {
      allowed: true,
      patch: patchBetween(read.value, withInjectedLabels(read.value, previous)),
    };
  }
  const judge = (request: AdmissionRequest): Promise<AdmissionVerdict> => {
    return Promise.resolve(mutate(request));
  };
  return ["namespace", { ...CORE, kind: NAMESPACES.kind, mutate: judge, validate }];
}

function validate(): Promise<AdmissionVerdict> {
  return Promise.resolve(ALLOWED);
}

/** Not 422: clients print the sentence of that one only with the fields of the object. */
function refused(message: string): AdmissionVerdict {
  return { allowed: false, status: 403, message };
}

/** Reads what is not stored yet: its name and namespace may be the server's to say. */
function readRaw<T extends StoredObject>(
  resource: Resource<T>,
  object: unknown,
  { namespace }: Pick<AdmissionRequest, "namespace">,
): Result<T, string> {
  const raw = isRecord(object) ? object : {};
  const metadata = isRecord(raw.metadata) ? raw.metadata : {};
  const name = metadata.name ?? metadata.generateName ?? "";
  const place = resource.namespaced ? { namespace: metadata.namespace ?? namespace } : {};
  return resource.parse({ ...raw, metadata: { ...metadata, ...place, name } });
}

/** The pod's own wish before that of its namespace. */
async function wishOf(
  pod: Pod,
  { store, ...options }: CallOptions & { readonly store: ObjectStore },
): Promise<InjectionWish | undefined> {
  const own = podWish(pod);
  if (own !== undefined) return own === "nothing" ? undefined : own;
  const { namespace: name = "" } = pod.metadata;
  const read = await store.get(NAMESPACES, { name }, options);
  if (read.ok) return namespaceWish(read.value);
  if (read.error.code === "not_found") return undefined; // The server says so itself.
  throw new StoreFailure(read.error);
}

/** As stored now: who makes networks and their pods together gets all of them. */
async function networksOf(
  store: ObjectStore,
  options: CallOptions,
): Promise<readonly SpiderMultusConfig[]> {
  const items: SpiderMultusConfig[] = [];
  const pages = pagesOf((page) => store.list(SPIDER_MULTUS_CONFIGS, { ...options, ...page }));
  for await (const page of pages) items.push(...page.items);
  return items;
}
