/** What may happen to a world, and the kinds of worlds there are. */
import type { Dice } from "./dice.ts";
import { LENDING_HAPPENINGS } from "./lending.ts";

/** Happenings that leave agents nothing to guess at: only pods come and go. */
export const CLEAR_HAPPENINGS: ReadonlySet<Happening> = new Set<Happening>([
  "pod_deleted",
  "pod_forced",
  "sandbox_dies",
  "scale",
  "roll_out",
  "workload_gone",
  "cordon",
]);

/** What may happen to a world, each with its weight; 0: never in this one. */
export const HAPPENINGS = [
  "agent_crash",
  "agent_restart",
  "agent_roll_over",
  "partition",
  "power_loss",
  "kubelet_pause",
  "server_restart",
  "server_busy",
  "connections_break",
  "compaction",
  "pod_deleted",
  "pod_forced",
  "pod_failed_by_control_plane",
  "sandbox_dies",
  "scale",
  "roll_out",
  "workload_gone",
  "cordon",
  "namespace_gone",
  "pool_disabled",
  "pool_changed",
  "address_reserved",
  "reference_upgrade",
  "controller_crash",
  "controller_restart",
  "controller_pause",
  "controller_partition",
  "node_lost",
  "claim_wiped",
  ...LENDING_HAPPENINGS,
] as const;
export type Happening = typeof HAPPENINGS[number];

/** What happens only where there are controllers, who alone can mend it. */
const CONTROLLERS: ReadonlySet<Happening> = new Set<Happening>([
  "controller_crash",
  "controller_restart",
  "controller_pause",
  "controller_partition",
  "node_lost",
  "claim_wiped",
]);

/** What makes nodes, and what is said about them, unsure; what ends sandboxes is rare. */
const OUTAGE: ReadonlyMap<Happening, number> = new Map<Happening, number>([
  ["node_lost", 2],
  ["power_loss", 0.5],
  ["partition", 4],
  ["kubelet_pause", 3],
  ["pod_deleted", 2],
  ["pod_forced", 3],
  ["pod_failed_by_control_plane", 4],
  ["controller_crash", 1],
]);

/** What happens to SpiderSubnets and their pools. */
const LENDING: ReadonlyMap<Happening, number> = new Map<Happening, number>([
  ["wish_changed", 3],
  ["pool_by_hand", 1],
  ["record_lost", 2],
  ["subnet_gone", 1],
  ["application_changed", 3],
]);

/** What would write what a leader lends. */
const NOT_LENDING: ReadonlySet<Happening> = new Set<Happening>([
  "pool_changed",
  "address_reserved",
]);

/** What makes pods and sandboxes end otherwise than they should. */
const UNRULY: ReadonlySet<Happening> = new Set<Happening>([
  "pod_deleted",
  "pod_forced",
  "sandbox_dies",
  "kubelet_pause",
]);

/**
 * Kinds of worlds to draw from: `any` draws all of them, the others one kind only. `upgrade`: from
 * the reference; `sticky`: StatefulSets; `calm`: nothing is lost; `overlap`: pools share addresses;
 * `unruly`: pods die by force, sandboxes break, DELs are late; `lossy`: answers are lost and writes
 * are late; `refusing`: as `lossy`, and what is asked for again is often refused; `reborn`: pods
 * die by force and come again under their names, and copies of them are old; `blind`: watches
 * fall silent, and nodes do not tell what runs on them. `leaders`: controllers end, stand still
 * and are cut off; `outage`: nodes are lost, for a while or for good; `wiped`: SpiderIPs are
 * deleted by hand. `lending`: pools borrow from SpiderSubnets. In the last four there are always
 * controllers.
 */
export const PROFILES = [
  "any",
  "upgrade",
  "sticky",
  "calm",
  "overlap",
  "unruly",
  "lossy",
  "refusing",
  "reborn",
  "blind",
  "leaders",
  "outage",
  "wiped",
  "lending",
] as const;
export type Profile = typeof PROFILES[number];

/** Whether two agents of a node may run at a time. */
export function hasTwoAgents(
  happenings: readonly (readonly [weight: number, happening: Happening])[],
): boolean {
  return happenings.some(([weight, happening]) => weight > 0 && happening === "agent_roll_over");
}

/** Draws how often what happens. */
export function drawHappenings(
  dice: Dice,
  { isUpgrade, profile, hasControllers }: {
    readonly isUpgrade: boolean;
    readonly profile: Profile;
    readonly hasControllers: boolean;
  },
): readonly (readonly [number, Happening])[] {
  const leastUnruly = profile === "unruly" || profile === "reborn" ? 4 : 0;
  const isPlain = profile === "overlap" || profile === "refusing" || profile === "reborn";
  return HAPPENINGS.map((happening): readonly [number, Happening] => {
    if (happening === "reference_upgrade") return [isUpgrade ? 2 : 0, happening];
    // The reference's endpoints would hold a namespace by their finalizers.
    if (isUpgrade && happening === "namespace_gone") return [0, happening];
    if (isPlain && !CLEAR_HAPPENINGS.has(happening)) return [0, happening];
    if (!hasControllers && CONTROLLERS.has(happening)) return [0, happening];
    // What is deleted by hand may be given to another pod before anyone can do something.
    if (happening === "claim_wiped") return [profile === "wiped" ? 2 : 0, happening];
    const isLending = profile === "lending";
    const lendingWeight = LENDING.get(happening);
    if (lendingWeight !== undefined) return [isLending ? lendingWeight : 0, happening];
    // There the leader writes what pools have.
    if (isLending && NOT_LENDING.has(happening)) return [0, happening];
    const isPoolChange = happening.startsWith("pool_") || happening === "address_reserved";
    const isRare = isPoolChange || happening === "namespace_gone" || happening === "workload_gone";
    const weight = dice.weighted([[isRare ? 6 : 2, 0], [2, 1], [1, 4]]);
    // Pods come and go in every world.
    const least = happening === "pod_deleted" ? 1 : UNRULY.has(happening) ? leastUnruly : 0;
    if (profile === "outage") {
      return [OUTAGE.get(happening) ?? Math.min(weight, 0.3), happening];
    }
    const isWanted = (profile === "leaders" || isLending) && happening.startsWith("controller_");
    return [Math.max(weight, least, isWanted ? 4 : 0), happening];
  });
}
