/** Whether a new node may take pods. Pure. */
import type { DaemonPod } from "../../api/kubernetes/daemon_pod.ts";
import type { Node } from "../../api/kubernetes/node.ts";
import { isTerminating } from "../../api/metadata.ts";
import { keyText } from "../../base/object_store.ts";
import { quoted } from "../../ipam/brief.ts";
import { type Component, componentOf } from "./pod_rows.ts";

/** Milliseconds without any pod of a component after which a node does not wait for one. */
export const ABSENCE_MS = 300_000;
/**
 * Milliseconds for which a pod has to stay ready that is older than its node's object: of a node
 * that is deleted and comes back under its name, pods are said to be what they were until its
 * kubelet has looked at them.
 */
export const SETTLE_MS = 60_000;

/** How a component is on a node. */
export type Standing =
  | { readonly code: "ready" }
  /** Ready, by the word of a time before the node's object was made. */
  | { readonly code: "ready_before" }
  | { readonly code: "absent" }
  | { readonly code: "unready"; readonly why: string };

/** How a component is, and for how long so. */
export interface Stand {
  readonly component: Component;
  readonly standing: Standing;
  readonly forMs: number;
}

/** What becomes of a node. */
export type Verdict =
  /** It takes pods. `missing`: components that no pod came of. */
  | {
    readonly code: "open";
    readonly ready: readonly Component[];
    readonly missing: readonly Component[];
  }
  /** It waits; for the first reason that people can do something about, if there is one. */
  | { readonly code: "wait"; readonly component?: Component; readonly why?: string };

/** How a component is on a node. @param pods Those that the node has, of every component. */
export function standingOf(
  component: Component,
  { node, pods }: { readonly node: Node; readonly pods: readonly DaemonPod[] },
): Standing {
  const own = pods.filter((pod) => componentOf(pod) === component);
  const ready = own.filter((pod) => isReady(pod) && !isTerminating(pod));
  if (ready.some((pod) => isAsYoung(pod, node))) return { code: "ready" };
  if (ready.length > 0) return { code: "ready_before" };
  const [first] = own.toSorted((one, other) => timeOf(other) - timeOf(one));
  if (first === undefined) return { code: "absent" };
  const name = quoted(keyText(first.metadata));
  if (isTerminating(first)) return { code: "unready", why: `pod ${name} is being deleted` };
  const said = first.status?.conditions?.find(({ type }) => type === "Ready")?.message;
  const because = said === undefined || said === "" ? "" : `: ${said}`;
  return { code: "unready", why: `pod ${name} is not ready${because}` };
}

/** Whether a node may take pods, by all that it waits for. */
export function verdictOf(stands: readonly Stand[]): Verdict {
  const waiting = stands.filter((stand) => !isSettled(stand));
  if (waiting.length === 0) {
    const missing = stands.filter(({ standing }) => standing.code === "absent");
    const ready = stands.filter((stand) => !missing.includes(stand));
    const names = (of: readonly Stand[]) => of.map(({ component }) => component);
    return { code: "open", ready: names(ready), missing: names(missing) };
  }
  for (const { component, standing } of waiting) {
    if (standing.code === "unready") return { code: "wait", component, why: standing.why };
  }
  return { code: "wait" };
}

function isSettled({ standing, forMs }: Stand): boolean {
  switch (standing.code) {
    case "ready":
      return true;
    case "ready_before":
      return forMs >= SETTLE_MS;
    case "absent":
      return forMs >= ABSENCE_MS;
    case "unready":
      return false;
  }
}

function isReady({ status }: DaemonPod): boolean {
  const conditions = status?.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

/** Both times are the API server's. */
function isAsYoung(pod: DaemonPod, node: Node): boolean {
  return timeOf(pod) >= timeOf(node);
}

/** What says no time is older than all that does. */
function timeOf({ metadata: { creationTimestamp } }: Pick<DaemonPod, "metadata">): number {
  const ms = Date.parse(creationTimestamp ?? "");
  return Number.isNaN(ms) ? -Infinity : ms;
}
