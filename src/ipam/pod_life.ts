/** Whether a pod lives: whom addresses may be given to, and whose may be taken back. */
import { ANNOTATION_CONFIG_HASH } from "../api/annotations.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { isTerminating } from "../api/metadata.ts";

/**
 * Why a pod may get no address any more, as the end of a sentence that begins with the pod.
 *
 * @returns `undefined` for a pod that lives.
 * @source spiderpool `pkg/podmanager`: it lets a `Failed` pod live unless it was evicted or never
 *   restarts. Kubelets start no pod in that phase again, so here none lives.
 */
export function isDead(pod: Pod): string | undefined {
  if (isTerminating(pod)) return `is being deleted since ${pod.metadata.deletionTimestamp}`;
  return isFinished(pod) ? finishText(pod) : undefined;
}

/**
 * Whether the pod ended for good and its containers will not be started again. Controllers write
 * `Failed` for pods of dead nodes too: it proves something only while the pod's node is ready.
 */
export function isFinished(pod: Pod): boolean {
  const phase = pod.status?.phase;
  if (phase === "Failed") return true;
  return phase === "Succeeded" && (pod.spec.restartPolicy ?? "Always") !== "Always";
}

/**
 * Whether a UID is that of a pod. A runtime that knows none says the empty text, which is taken for
 * any; of a static pod the node knows `kubernetes.io/config.hash` and the API its mirror's UID.
 */
export function uidMatches(pod: Pod, uid: string): boolean {
  if (uid === "" || uid === pod.metadata.uid) return true;
  return uid === pod.metadata.annotations?.[ANNOTATION_CONFIG_HASH];
}

/** How a finished pod ended: `has ended (Failed: Evicted)`. */
export function finishText(pod: Pod): string {
  const { phase, reason } = pod.status ?? {};
  return `has ended (${reason === undefined || reason === "" ? phase : `${phase}: ${reason}`})`;
}
