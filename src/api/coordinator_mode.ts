/** How a pod is connected to its node. No zod: the coordinator plugin loads this. */

/**
 * Modes on the wire. The reference's CRD says `disabled`, its plugin only knows `disable`: both are
 * taken and mean the same.
 */
export const COORDINATOR_MODES_ON_WIRE = [
  "auto",
  "underlay",
  "overlay",
  "disabled",
  "disable",
] as const;

/** MTU of the veth between pod and node where nothing else is said. */
export const VETH_MTU_DEFAULT = 1_500;
/** Routing table of the node for routes to pods where nothing else is said. */
export const HOST_RULE_TABLE_DEFAULT = 500;

/** A mode, in one spelling. */
export type CoordinatorMode = "auto" | "underlay" | "overlay" | "disabled";

/** The mode that a text on the wire means; `undefined` if none. */
export function parseCoordinatorMode(text: string): CoordinatorMode | undefined {
  switch (text) {
    case "auto":
    case "underlay":
    case "overlay":
    case "disabled":
      return text;
    case "disable":
      return "disabled";
    default:
      return undefined;
  }
}
