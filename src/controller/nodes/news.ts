/** What people are told of a new node: Events on it. */
import type { ObjectMeta } from "../../base/object_store.ts";
import type { EventRecorder } from "../../kube/mod.ts";

/** Reasons of Events, and whether people are glad of them. */
const REASONS = {
  Opened: "Normal",
  OpenedWithout: "Warning",
  AgentNotReady: "Warning",
  MultusNotReady: "Warning",
} as const;

/** What happened to a node. */
export interface NodeNews {
  readonly node: { readonly metadata: Pick<ObjectMeta, "name" | "uid"> };
  readonly reason: keyof typeof REASONS;
  readonly note: string;
}

/** Records an Event on a node. */
export function tellNode(
  recorder: EventRecorder,
  { node: { metadata: { name, uid } }, reason, note }: NodeNews,
): void {
  recorder.record({
    type: REASONS[reason],
    reason,
    action: "OpenNode",
    note,
    regarding: { apiVersion: "v1", kind: "Node", name, ...uid === undefined ? {} : { uid } },
  });
}
