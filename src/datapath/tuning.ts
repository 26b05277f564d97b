/**
 * Which NIC has the pod's default route, and by which table the others answer.
 *
 * Each family is looked at by itself: a NIC with the only IPv6 default of the pod keeps it, whoever
 * has the IPv4 one.
 */
import { err, ok, type Result } from "../base/result.ts";
import { hostCidr, usableAddresses } from "./addresses.ts";
import type { Draft } from "./draft.ts";
import type { CoordinatorFacts, CoordinatorWish } from "./facts.ts";
import { routeText } from "./likeness.ts";
import {
  type IpVersion,
  isDefaultRoute,
  PROTOCOL_RA,
  type RouteSpec,
  TABLE_MAIN,
} from "./operation.ts";
import { type Place, POD_VETH } from "./place.ts";
import type { PlanRefusal } from "./plan.ts";
import { defaultNics, freeTable, hasOthersRoutes, type Tables } from "./tables.ts";

/** What becomes of the default route of one family. */
export type Turn =
  /** It stays where it is: the new NIC gets a table of its own. */
  | { readonly kind: "keep"; readonly version: IpVersion; readonly from: string }
  /** The new NIC takes it over: the first that had one gets the table. */
  | { readonly kind: "take"; readonly version: IpVersion; readonly from: readonly string[] }
  /** A third NIC takes it over. */
  | {
    readonly kind: "pass";
    readonly version: IpVersion;
    readonly from: readonly string[];
    readonly to: string;
  }
  /** The new NIC has the only one. */
  | { readonly kind: "only"; readonly version: IpVersion };

/**
 * Decides about the default route of each family of the NIC. None, if no other NIC has a default
 * route: then everything stays as it is.
 *
 * @outcome `unknown_nic`
 */
export function decideTurns(
  wish: CoordinatorWish,
  { pod }: CoordinatorFacts,
  { place }: { readonly place: Place },
): Result<readonly Turn[], PlanRefusal> {
  const { ifName } = wish;
  const holders = place.versions.map((version) => ({
    version,
    from: defaultNics(pod, { version, except: ifName }),
  }));
  const wished = wish.defaultRouteNic ?? "";
  const to = wish.laterNics?.includes(wished) === true ? "" : wished;
  const isAlone = holders.every(({ from }) => from.length === 0);
  // Where nobody says what NICs will come, the one that is wished for may be among them.
  const mayCome = isAlone && wish.laterNics === undefined;
  if (to !== "" && !mayCome && !pod.links.some(({ name }) => name === to)) {
    return refuseUnknown(to, { pod, laterNics: wish.laterNics ?? [] });
  }
  if (isAlone) return ok([]);
  return ok(holders.flatMap(({ version, from }) => {
    const turn = turnOf({ version, from, to }, { pod, ifName });
    return turn === undefined ? [] : [turn];
  }));
}

function refuseUnknown(
  nic: string,
  { pod, laterNics }: {
    readonly pod: CoordinatorFacts["pod"];
    readonly laterNics: readonly string[];
  },
): Result<never, PlanRefusal> {
  const names = pod.links
    .filter(({ name, isLoopback }) => !isLoopback && name !== POD_VETH)
    .map(({ name }) => name);
  const all = [...new Set([...names, ...laterNics])].map((name) => `"${name}"`).join(", ");
  return err({
    code: "unknown_nic",
    message: `Cannot move the default route of the pod: podDefaultRouteNIC "${nic}" is no NIC ` +
      `of it, name one of ${all}`,
  });
}

function turnOf(
  { version, from, to }: {
    readonly version: IpVersion;
    readonly from: readonly string[];
    readonly to: string;
  },
  { pod, ifName }: { readonly pod: CoordinatorFacts["pod"]; readonly ifName: string },
): Turn | undefined {
  const [first] = from;
  // The default NIC answers by the main table, so there is nothing to take over.
  if (first === undefined) return to === ifName ? undefined : { kind: "only", version };
  if (to === ifName) return { kind: "take", version, from };
  // A NIC without a default route of this family can take none over.
  const hasDefault = pod.routes.some((route) =>
    route.version === version && route.device === to && isDefaultRoute(route)
  );
  const others = from.filter((name) => name !== to);
  if (to === "" || others.length === 0 || !hasDefault) {
    return { kind: "keep", version, from: first };
  }
  return { kind: "pass", version, from: others, to };
}

/** Plans the turns: routes move with all they carry, and each NIC answers by its own table. */
export function planTurns(
  draft: Draft,
  turns: readonly Turn[],
  world: {
    readonly wish: CoordinatorWish;
    readonly facts: CoordinatorFacts;
    readonly place: Place;
    readonly tables: Tables;
  },
): void {
  const { wish: { ifName }, facts: { pod }, place, tables } = world;
  for (const turn of turns) {
    const { version } = turn;
    const base = { draft, pod, version, ifName };
    switch (turn.kind) {
      case "keep":
        moveNic(base, { device: ifName, table: tables.nic });
        if (place.mode === "overlay" && place.isFirst) {
          keepFirst(base, { device: turn.from, table: tables.reply });
        }
        break;
      case "take":
        for (const device of turn.from) retire(base, { device, table: tables.nic, takes: true });
        break;
      case "only":
        moveNic(base, { device: ifName, table: tables.nic, keepsDefault: true });
        break;
      case "pass":
        moveNic(base, { device: ifName, table: tables.nic });
        bringBack(base, turn.to);
        for (const device of turn.from) retire(base, { device, table: tables.nic });
    }
  }
}

interface Family {
  readonly ifName: string;
  readonly draft: Draft;
  readonly pod: CoordinatorFacts["pod"];
  readonly version: IpVersion;
}

/** A NIC's routes into a table of its own, its default routes away from the main one. */
function moveNic(
  family: Family,
  { device, table, keepsDefault = false }: {
    readonly device: string;
    readonly table: number;
    readonly keepsDefault?: boolean;
  },
): void {
  const { draft, version } = family;
  const routes = draft.routes("pod").filter((route) =>
    route.version === version && route.table === TABLE_MAIN && leadsOver(route, device) &&
    route.destination !== "fe80::/64"
  );
  // The gateway of a route must be known before it: neighbours first.
  const gateways = routes.filter(({ gateway, nexthops }) => gateway ?? nexthops);
  const ordered = [...routes.filter((route) => !gateways.includes(route)), ...gateways];
  for (const route of ordered) draft.addRoute("pod", { ...wayOver(route, device), table });
  addFromRules(family, { device, table });
  if (keepsDefault) return;
  for (const route of ordered.filter(isDefaultRoute)) takeAway(draft, { route, device });
}

/** Whether a route, or one of its ways, leads over a device. */
function leadsOver({ device, nexthops = [] }: RouteSpec, name: string): boolean {
  return device === name || nexthops.some((nexthop) => nexthop.device === name);
}

/** A route with no other way than those over a device. */
function wayOver(route: RouteSpec, device: string): RouteSpec {
  if (route.nexthops === undefined) return route;
  const { nexthops, ...rest } = route;
  return withWays(rest, nexthops.filter((nexthop) => nexthop.device === device));
}

/** A route with one way, or with several. */
function withWays(
  route: Omit<RouteSpec, "nexthops">,
  nexthops: NonNullable<RouteSpec["nexthops"]>,
): RouteSpec {
  const [first, second] = nexthops;
  if (first === undefined || second !== undefined) return { ...route, nexthops };
  const { weight: _, ...way } = first;
  return { ...route, ...way };
}

/** Takes a default route over a device out of the main table; its other ways stay. */
function takeAway(
  draft: Draft,
  { route, device }: { readonly route: RouteSpec; readonly device: string },
): void {
  const { nexthops, ...rest } = route;
  const others = nexthops?.filter((nexthop) => nexthop.device !== device) ?? [];
  if (others.length > 0) draft.addRoute("pod", withWays(rest, others));
  draft.removeRoute("pod", route);
  if (route.protocol !== PROTOCOL_RA) return;
  // Or the next advertisement of the router would bring it back.
  draft.setSysctl("pod", { path: `net/ipv6/conf/${device}/accept_ra_defrtr`, value: "0" });
}

/** Rules by which a NIC's addresses look up its table. */
function addFromRules(
  { draft, pod, version, ifName }: Family,
  { device, table }: { readonly device: string; readonly table: number },
): void {
  const isOwn = device === ifName;
  for (const { address } of usableAddresses(pod.addresses, { device, version })) {
    const from = hostCidr(address);
    const present = draft.rules("pod").find((rule) =>
      rule.isOther !== true && rule.version === version && rule.from === from &&
      rule.mark === undefined && rule.table === table
    );
    const priority = present?.priority ?? draft.nextPriority("pod", version);
    draft.addRule("pod", { version, priority, table, from }, { isOwn });
  }
}

/** The first NIC of an overlay pod answers by its own default route, whatever else changes. */
function keepFirst(
  family: Family,
  { device, table }: { readonly device: string; readonly table: number },
): void {
  const { draft, version } = family;
  addFromRules(family, { device, table });
  for (const route of defaultsOver(draft, { version, device })) {
    draft.addRoute("pod", { ...wayOver(route, device), table });
  }
}

function defaultsOver(
  draft: Draft,
  { version, device }: { readonly version: IpVersion; readonly device: string },
): readonly RouteSpec[] {
  return draft.routes("pod").filter((route) =>
    route.version === version && route.table === TABLE_MAIN && isDefaultRoute(route) &&
    leadsOver(route, device)
  );
}

/** Brings a NIC's default routes back into the main table. */
function bringBack({ draft, version }: Family, device: string): void {
  const all = draft.routes("pod").filter((route) =>
    route.version === version && isDefaultRoute(route) && route.device === device
  );
  if (all.some(({ table }) => table === TABLE_MAIN)) return;
  const known = new Map(all.map((route) => {
    const main = { ...route, table: TABLE_MAIN };
    return [routeText(main), main];
  }));
  for (const route of known.values()) draft.addRoute("pod", route);
}

/**
 * Takes a NIC's default routes out of the main table: into one of its own, or the next free one.
 *
 * @param options.takes Whether the first such NIC gets the wished table, whatever else it has.
 */
function retire(
  family: Family,
  { device, table: wished, takes = false }: {
    readonly device: string;
    readonly table: number;
    readonly takes?: boolean;
  },
): void {
  const { draft, pod, version } = family;
  const [routes, rules] = [draft.routes("pod"), draft.rules("pod")];
  const own = usableAddresses(pod.addresses, { device, version })
    .map(({ address }) => hostCidr(address));
  const ruled = rules.find((rule) =>
    rule.isOther !== true && rule.from !== undefined && own.includes(rule.from) &&
    !hasOthersRoutes({ routes }, { table: rule.table, devices: [device] })
  )?.table;
  const hasOtherDefault = routes.some((route) =>
    route.version === version && route.table === wished && isDefaultRoute(route) &&
    route.device !== device
  );
  const next = { from: wished + 1, devices: [device], skip: undefined };
  const table = takes && !hasOtherDefault ? wished : ruled ?? freeTable({ routes, rules }, next);
  if (table !== undefined) moveNic(family, { device, table });
}
