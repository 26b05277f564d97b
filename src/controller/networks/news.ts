/** What people are told of a network: Events, since a SpiderMultusConfig has no status. */
import { SPIDERPOOL_API_VERSION } from "../../api/group.ts";
import { NETWORK_ATTACHMENT_API_VERSION } from "../../api/network_attachment.ts";
import type { ObjectMeta } from "../../base/object_store.ts";
import type { EventRecorder } from "../../kube/mod.ts";

/** Reasons of Events, and whether people are glad of them. */
const REASONS = {
  Created: "Normal",
  Updated: "Normal",
  Removed: "Normal",
  NotRendered: "Warning",
  NameTaken: "Warning",
  NotWritten: "Warning",
  Unreadable: "Warning",
} as const;

/** What happened to a network. */
export interface NetworkNews {
  readonly network: { readonly metadata: Pick<ObjectMeta, "namespace" | "name" | "uid"> };
  readonly reason: keyof typeof REASONS;
  readonly note: string;
  /** Name of the NetworkAttachmentDefinition. */
  readonly attachment?: string | undefined;
}

/** Records an Event on a SpiderMultusConfig. */
export function tellNetwork(
  recorder: EventRecorder,
  { network: { metadata: { namespace, name, uid } }, reason, note, attachment }: NetworkNews,
): void {
  recorder.record({
    type: REASONS[reason],
    reason,
    action: "KeepNetwork",
    note,
    regarding: {
      apiVersion: SPIDERPOOL_API_VERSION,
      kind: "SpiderMultusConfig",
      namespace,
      name,
      ...uid === undefined ? {} : { uid },
    },
    ...attachment === undefined ? {} : {
      related: {
        apiVersion: NETWORK_ATTACHMENT_API_VERSION,
        kind: "NetworkAttachmentDefinition",
        namespace,
        name: attachment,
      },
    },
  });
}
