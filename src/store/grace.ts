import { valueAt } from "./json_value.ts";
import type { Removal } from "./engine.ts";

/**
 * Seconds a removed pod may take to end, as an API server grants them: what was asked, else the
 * pod's own `terminationGracePeriodSeconds`, else 30; none for a pod that is on no node or has
 * finished, nor for any other kind. Removing it with 0 seconds in the end, as a kubelet does, is
 * the caller's part.
 */
export function podGraceSeconds({ kind, object, asked }: Removal): number {
  if (kind.group !== "" || kind.kind !== "Pod") return 0;
  const phase = valueAt(object, ["status", "phase"]);
  const node = valueAt(object, ["spec", "nodeName"]) ?? "";
  if (node === "" || phase === "Succeeded" || phase === "Failed") return 0;
  const own = valueAt(object, ["spec", "terminationGracePeriodSeconds"]);
  const seconds = asked ?? (typeof own === "number" ? own : 30);
  return seconds < 0 ? 1 : seconds; // The API takes a negative wish as "soon", never as "now".
}
