/** What people are told of SpiderEndpoints. */
import { SPIDERPOOL_API_VERSION } from "../../api/group.ts";
import type { StoredObject } from "../../base/object_store.ts";
import type { LeaderParts } from "../parts.ts";

/** What was done. */
const ACTION = "MendEndpoint";

/** Records an Event on an endpoint. @param happened.note A whole sentence. */
export function tellEndpoint(
  { recorder }: Pick<LeaderParts, "recorder">,
  { endpoint: { metadata: { namespace, name, uid } }, reason, note, isBad = false }: {
    readonly endpoint: Pick<StoredObject, "metadata">;
    readonly reason: string;
    readonly note: string;
    readonly isBad?: boolean;
  },
): void {
  const regarding = { apiVersion: SPIDERPOOL_API_VERSION, kind: "SpiderEndpoint", namespace, name };
  recorder.record({
    type: isBad ? "Warning" : "Normal",
    reason,
    action: ACTION,
    note,
    regarding: uid === undefined ? regarding : { ...regarding, uid },
  });
}
