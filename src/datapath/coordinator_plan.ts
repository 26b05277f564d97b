import { err, ok, type Result } from "../base/result.ts";
import { Draft } from "./draft.ts";
import type { CoordinatorFacts, CoordinatorWish } from "./facts.ts";
import { planLinks, type VethMacs } from "./links.ts";
import { findPlace, type Place } from "./place.ts";
import type { Plan, PlanRefusal } from "./plan.ts";
import { type CoordinatorRecord, mergeSteps } from "./record.ts";
import { chooseTables, type Tables } from "./tables.ts";
import { decideTurns, planTurns, type Turn } from "./tuning.ts";
import { findWays, planNode, planPolicies, planReplies, planRoutes } from "./ways.ts";
import { readWish } from "./wish_values.ts";

/**
 * Plans the ADD of one NIC: what is missing of the state that pod and node are to be in. Nothing
 * is missing after the plan was done, and after a part of it the rest is.
 *
 * The end states, their tables, priorities and sources are the reference's; how they are reached is
 * not: what is there is kept, and routes move with all they carry.
 *
 * @param options.record What an earlier ADD of the same NIC and container left.
 * @outcome all of `PlanRefusal`
 * @source spiderpool `cmd/coordinator/cmd/command_add.go`
 */
export function planAdd(
  wish: CoordinatorWish,
  facts: CoordinatorFacts,
  { macs, record }: {
    readonly macs: VethMacs;
    readonly record: CoordinatorRecord | undefined;
  },
): Result<Plan, PlanRefusal> {
  const values = readWish(wish);
  if (!values.ok) return values;
  const place = findPlace(wish, facts, { record });
  if (!place.ok) return place;
  const decided = wish.tunePodRoutes
    ? decideTurns(wish, facts, { place: place.value })
    : ok<readonly Turn[]>([]);
  if (!decided.ok) return decided;
  const turns = needsTurns(wish, place.value) ? decided.value : [];
  const standIns = standInsOf(wish, turns);
  const tables = chooseTables(wish, facts, { place: place.value, record, standIns });
  if (!tables.ok) return tables;
  const draft = new Draft(facts);
  const world = { wish, facts, place: place.value, tables: tables.value, record };
  const { nic, isFirst, mode } = place.value;
  if (!nic.isUp) {
    // The kernel gives a NIC its connected routes when it comes up: they must be seen to be moved.
    draft.setUp("pod", nic.name);
    return ok(planOf(draft, { ...world, isPartial: true }));
  }
  const links = planLinks(draft, { ...world, values: values.value }, { macs });
  if (!links.ok) return links;
  const ways = findWays(draft, { ...world, values: values.value });
  planNode(draft, ways);
  planRoutes(draft, ways);
  if (mode === "underlay" && isFirst) {
    if (facts.pod.marks === "no_nf_tables") return refuseMarks(wish);
    planReplies(draft, ways);
  }
  if (needsTurns(wish, place.value) && turns.length === 0) {
    draft.remark("No other NIC of the pod has a default route: all routes stay as they are");
  }
  planTurns(draft, turns, world);
  planPolicies(draft, ways);
  return ok(planOf(draft, { ...world, isPartial: false }));
}

/** The first NIC of an underlay pod has nothing to be told apart from. */
function needsTurns({ tunePodRoutes }: CoordinatorWish, { mode, isFirst }: Place): boolean {
  return tunePodRoutes && (mode === "overlay" || !isFirst);
}

/** NICs that lose their default route to this one now, or lost it in an earlier ADD. */
function standInsOf(
  { ifName, firstNic, defaultRouteNic }: CoordinatorWish,
  turns: readonly Turn[],
): readonly string[] {
  const names = new Set(turns.flatMap((turn) => turn.kind === "take" ? turn.from.slice(0, 1) : []));
  if (names.size > 0) return [...names];
  return defaultRouteNic === ifName && ifName !== firstNic ? [firstNic] : [];
}

function planOf(
  draft: Draft,
  { wish, place, tables, record, isPartial }: {
    readonly wish: CoordinatorWish;
    readonly place: Place;
    readonly tables: Tables;
    readonly record: CoordinatorRecord | undefined;
    readonly isPartial: boolean;
  },
): Plan {
  const { mode, isFirst, podLink, nodeLink, nic } = place;
  const addresses = place.addresses.map(({ version, address }) => ({ version, address }));
  const hasReply = mode === "overlay" || isFirst;
  const next: CoordinatorRecord = {
    format: 1,
    containerId: wish.containerId,
    ifName: wish.ifName,
    mode,
    isFirst,
    nodeLink,
    podLink,
    hostRuleTable: wish.hostRuleTable,
    table: tables.nic,
    ...(hasReply && { replyTable: tables.reply }),
    addresses,
    steps: mergeSteps(record?.steps ?? [], draft.kept),
  };
  const { steps, remarks } = draft;
  const mac = draft.link("pod", nic.name)?.mac;
  const podMac = draft.link("pod", podLink)?.mac;
  const nodeMac = draft.link("node", nodeLink)?.mac;
  const hasPair = mode === "underlay" && podMac !== undefined && nodeMac !== undefined;
  return {
    steps,
    record: next,
    isPartial,
    outcome: {
      mode,
      isFirst,
      ...(mac !== undefined && { mac }),
      ...(mac !== undefined && nic.kind !== "ipvlan" && {
        notice: { kind: "link_mac", where: "pod", name: nic.name, mac },
      }),
      ...(hasPair && { veth: { podName: podLink, podMac, nodeName: nodeLink, nodeMac } }),
      addresses: addresses.map(({ address }) => address),
      remarks,
    },
  };
}

function refuseMarks({ ifName }: CoordinatorWish): Result<never, PlanRefusal> {
  return err({
    code: "no_nf_tables",
    message: `Cannot coordinate NIC "${ifName}": the kernel of this node has no nf_tables, which ` +
      `mark the replies to the node; load the module nf_tables, or use mode disabled`,
  });
}
