/** Pods of DaemonSets, as far as it matters whether they are ready on their node. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { listOf, optional, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** A pod of a DaemonSet. */
export interface DaemonPod {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly nodeName?: string | undefined;
    readonly affinity?: {
      readonly nodeAffinity?: {
        readonly requiredDuringSchedulingIgnoredDuringExecution?: {
          readonly nodeSelectorTerms: readonly {
            readonly matchFields?: readonly NodeField[] | undefined;
          }[];
        } | undefined;
      } | undefined;
    } | undefined;
  };
  readonly status?: {
    readonly conditions?: readonly PodCondition[] | undefined;
  } | undefined;
}

/** What a field of a node must be. */
export interface NodeField {
  readonly key: string;
  readonly values?: readonly string[] | undefined;
}

/** A condition of a pod. */
export interface PodCondition {
  readonly type: string;
  /** `True`, `False` or `Unknown`. */
  readonly status: string;
  readonly message?: string | undefined;
}

/** Pods of DaemonSets; select few. */
export const DAEMON_PODS: Resource<DaemonPod> = lean<DaemonPod>({
  kind: "Pod",
  plural: "pods",
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "v1", kind: "Pod" }),
    metadata: objectMeta,
    spec: stored({
      nodeName: optional(text),
      affinity: optional(stored({
        nodeAffinity: optional(stored({
          requiredDuringSchedulingIgnoredDuringExecution: optional(stored({
            nodeSelectorTerms: listOf(stored({
              matchFields: optional(listOf(stored({ key: text, values: optional(listOf(text)) }))),
            })),
          })),
        })),
      })),
    }),
    status: optional(stored({
      conditions: optional(listOf(stored({ type: text, status: text, message: optional(text) }))),
    })),
  }),
});

/**
 * The node that a pod is on, or, before a scheduler has bound it, is meant for: the controller of
 * DaemonSets says so by an affinity.
 */
export function nodeOf({ spec: { nodeName, affinity } }: DaemonPod): string | undefined {
  if (nodeName !== undefined && nodeName !== "") return nodeName;
  const required = affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const fields = required?.nodeSelectorTerms.flatMap(({ matchFields = [] }) => matchFields);
  return fields?.find(({ key }) => key === "metadata.name")?.values?.[0];
}
