/** Pods of the control plane, as far as their command lines are read. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { listOf, optional, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** A pod whose command lines are read. */
export interface CommandPod {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly containers: readonly {
      readonly name: string;
      readonly command?: readonly string[] | undefined;
      readonly args?: readonly string[] | undefined;
    }[];
  };
}

/** Label of the pods that run kube-controller-manager. */
export const CONTROLLER_MANAGER_LABEL = "component=kube-controller-manager";

/** Pods with their command lines; select few. */
export const COMMAND_PODS: Resource<CommandPod> = lean<CommandPod>({
  kind: "Pod",
  plural: "pods",
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "v1", kind: "Pod" }),
    metadata: objectMeta,
    spec: stored({
      containers: listOf(stored({
        name: text,
        command: optional(listOf(text)),
        args: optional(listOf(text)),
      })),
    }),
  }),
});
