import { err, ok, type Result } from "../base/result.ts";
import { usableAddresses } from "./addresses.ts";
import type { CoordinatorFacts, CoordinatorWish, RuleFact } from "./facts.ts";
import { isDefaultRoute, TABLE_MAIN } from "./operation.ts";
import type { Place } from "./place.ts";
import type { PlanRefusal } from "./plan.ts";
import type { CoordinatorRecord } from "./record.ts";

/** Mark of connections that the node began. */
export const REPLY_MARK = 1;
/** Priority of the rule for marked packets, and of the node's rule for its pods. */
export const RULE_PRIORITY = 1000;

/** Replies through the node (underlay), or the default route of the first NIC (overlay). */
const REPLY_TABLE = 100;
/** Of the first NIC that has one. */
const NIC_TABLE_FIRST = 101;
/** From `compat` to `local`: the kernel's own. */
const KERNEL_TABLES = { first: 252, last: 255 };
const TABLES_TRIED_MAX = 1_000;

/** Routing tables of the pod that an ADD uses. */
export interface Tables {
  /** Of the NIC; of the one that it stands in for, where it takes the default route over. */
  readonly nic: number;
  /** See `REPLY_TABLE`; chosen even where it is not used. */
  readonly reply: number;
}

/**
 * Chooses routing tables: those of an earlier ADD of this NIC, else numbers by the count of NICs as
 * in the reference, or the next ones that nobody else uses.
 *
 * @param options.standIns NICs whose routes the table gets, for this one is the default NIC now.
 */
export function chooseTables(
  wish: CoordinatorWish,
  facts: CoordinatorFacts,
  { place, record, standIns }: {
    readonly place: Place;
    readonly record: CoordinatorRecord | undefined;
    readonly standIns: readonly string[];
  },
): Result<Tables, PlanRefusal> {
  const world: World = { wish, facts, place, standIns };
  const ownReply = record?.replyTable ?? earlierReplyTable(world);
  const known = record?.table ?? earlierTable(world, { reply: ownReply });
  const nic = known ?? freeTable(facts.pod, {
    from: countedTable(place),
    devices: [...(standIns.length > 0 ? standIns : [wish.ifName]), wish.ifName, place.podLink],
    skip: ownReply,
  });
  const reply = ownReply ?? (nic === undefined ? undefined : freeTable(facts.pod, {
    from: REPLY_TABLE,
    devices: place.mode === "underlay" ? [place.podLink] : [wish.firstNic],
    skip: nic,
  }));
  if (nic !== undefined && reply !== undefined) return ok({ nic, reply });
  return err({
    code: "no_table",
    message: `Cannot coordinate NIC "${wish.ifName}": ${TABLES_TRIED_MAX} routing tables of the ` +
      `pod from ${REPLY_TABLE} on are used by others, remove their routes and rules`,
  });
}

interface World {
  readonly wish: CoordinatorWish;
  readonly facts: CoordinatorFacts;
  readonly place: Place;
  readonly standIns: readonly string[];
}

function countedTable({ mode, isFirst, nicCount }: Place): number {
  if (isFirst) return NIC_TABLE_FIRST;
  return Math.max(NIC_TABLE_FIRST, nicCount + (mode === "underlay" ? 98 : 99));
}

/** The table that an earlier ADD of this NIC used, as its rules say. */
function earlierTable(
  { facts: { pod }, wish: { ifName }, place, standIns }: World,
  { reply }: { readonly reply: number | undefined },
): number | undefined {
  if (place.mode === "underlay" && place.isFirst) return tableOfNode(pod, place);
  const owners = standIns.length > 0 ? standIns : [ifName];
  const froms = new Set(
    owners.flatMap((device) => usableAddresses(pod.addresses, { device }))
      .map(({ address }) => address),
  );
  const devices = [...owners, ifName, place.podLink];
  return pod.rules.find((rule) =>
    isFrom(rule, froms) && rule.table >= NIC_TABLE_FIRST && !isKernels(rule.table) &&
    rule.table !== reply && !hasOthersRoutes(pod, { table: rule.table, devices })
  )?.table;
}

/** The table of the first NIC has ways to the node and no rule: a further NIC shares it. */
function tableOfNode(
  { routes }: CoordinatorFacts["pod"],
  { podLink }: Place,
): number | undefined {
  const tables = routes
    .filter(({ device, gateway, table }) =>
      device === podLink && gateway === undefined && table >= NIC_TABLE_FIRST && !isKernels(table)
    )
    .map(({ table }) => table);
  return tables.length === 0 ? undefined : Math.min(...tables);
}

/** The table that an earlier ADD of this pod used for replies, as its rules say. */
function earlierReplyTable({ facts: { pod }, wish, place }: World): number | undefined {
  if (place.mode === "underlay") {
    return pod.rules.find((rule) =>
      rule.isOther !== true && rule.mark === REPLY_MARK && rule.from === undefined &&
      rule.priority === RULE_PRIORITY &&
      !hasOthersRoutes(pod, { table: rule.table, devices: [place.podLink] })
    )?.table;
  }
  const firsts = usableAddresses(pod.addresses, { device: wish.firstNic });
  const froms = new Set(firsts.map(({ address }) => address));
  // Without a NIC that took it over, the first NIC's rule leads to a table with its default alone.
  return pod.rules.find((rule) => {
    if (!isFrom(rule, froms) || rule.table < REPLY_TABLE || isKernels(rule.table)) return false;
    const routes = pod.routes.filter(({ table }) => table === rule.table);
    return routes.length > 0 &&
      routes.every((route) => isDefaultRoute(route) && route.device === wish.firstNic);
  })?.table;
}

/** The first table from a number on that holds routes over some devices only, and has no rules. */
export function freeTable(
  pod: Pick<CoordinatorFacts["pod"], "routes" | "rules">,
  { from, devices, skip }: {
    readonly from: number;
    readonly devices: readonly string[];
    readonly skip: number | undefined;
  },
): number | undefined {
  for (let table = from; table < from + TABLES_TRIED_MAX; table++) {
    if (isKernels(table) || table === skip) continue;
    if (pod.rules.some((rule) => rule.table === table)) continue;
    if (!hasOthersRoutes(pod, { table, devices })) return table;
  }
  return undefined;
}

function isFrom(rule: RuleFact, addresses: ReadonlySet<string>): boolean {
  const [address = ""] = rule.from?.split("/", 1) ?? [];
  return rule.isOther !== true && rule.mark === undefined && addresses.has(address);
}

function isKernels(table: number): boolean {
  return table >= KERNEL_TABLES.first && table <= KERNEL_TABLES.last;
}

/** Whether a table has routes that lead elsewhere. */
export function hasOthersRoutes(
  { routes }: Pick<CoordinatorFacts["pod"], "routes">,
  { table, devices }: { readonly table: number; readonly devices: readonly string[] },
): boolean {
  return routes.some((route) =>
    route.table === table && (route.device === undefined || !devices.includes(route.device))
  );
}

/** NICs that have a default route in the main table, by index; `lo` and one other left out. */
export function defaultNics(
  { links, routes }: Pick<CoordinatorFacts["pod"], "links" | "routes">,
  { version, except }: { readonly version: 4 | 6; readonly except: string },
): readonly string[] {
  const defaults = routes.filter((route) =>
    route.version === version && route.table === TABLE_MAIN && isDefaultRoute(route)
  );
  const devices = new Set(
    defaults.flatMap(({ device, nexthops = [] }) => [device, ...nexthops.map((one) => one.device)]),
  );
  return links.filter((link) => !link.isLoopback && link.name !== except && devices.has(link.name))
    .map(({ name }) => name);
}
