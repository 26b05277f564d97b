/** The pods that a new node waits for, as the leader keeps them. */
import { DAEMON_PODS, type DaemonPod, nodeOf } from "../../api/kubernetes/daemon_pod.ts";
import { LABEL_COMPONENT } from "../../api/labels.ts";
import type { Resource, Selection } from "../../base/object_store.ts";
import { ok } from "../../base/result.ts";

/** What a new node waits for, by the name of its DaemonSet: that is the pods' component as well. */
export const COMPONENTS = ["spiderpool-agent", "spiderpool-multus"] as const;

/** One of them. */
export type Component = typeof COMPONENTS[number];

/** Selects the pods of all of them. */
export function componentPods(namespace: string): Selection {
  return { namespace, labelSelector: `${LABEL_COMPONENT} in (${COMPONENTS.join(",")})` };
}

/** Which component a pod is of. */
export function componentOf({ metadata: { labels } }: DaemonPod): Component | undefined {
  return COMPONENTS.find((name) => labels?.[LABEL_COMPONENT] === name);
}

/** Where such a pod is, what it is of, how old, and whether it is ready. Never written. */
export function daemonPodRows(): Resource<DaemonPod> {
  return {
    ...DAEMON_PODS,
    parse: (value) => {
      const read = DAEMON_PODS.parse(value);
      if (!read.ok) return read;
      const { apiVersion, kind, metadata, status } = read.value;
      const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
      const { deletionTimestamp } = metadata;
      const component = componentOf(read.value);
      const nodeName = nodeOf(read.value);
      const conditions = status?.conditions?.filter(({ type }) => type === "Ready");
      return ok({
        apiVersion,
        kind,
        metadata: {
          ...{ name, namespace, uid, resourceVersion, creationTimestamp },
          ...(deletionTimestamp !== undefined && { deletionTimestamp }),
          ...(component !== undefined && { labels: { [LABEL_COMPONENT]: component } }),
        },
        spec: { ...(nodeName !== undefined && { nodeName }) },
        status: {
          conditions: (conditions ?? []).map(({ type, status, message }) => {
            return status === "True" ? { type, status } : { type, status, message };
          }),
        },
      });
    },
  };
}
