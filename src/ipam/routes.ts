/** Routes of NICs: canonical texts, and which NIC a pod's own routes belong to. */
import type { Route } from "../api/parts.ts";
import {
  type Address,
  type AnyCidr,
  cidrContains,
  formatAddress,
  formatCidr,
  parseAddress,
  parseAnyDestination,
  versionOf,
} from "../ip/mod.ts";

/** Destination of a default route. */
export const DEFAULT_DESTINATION = { 4: "0.0.0.0/0", 6: "::/0" } as const;

/** A pod's own routes, by NIC. */
export interface RoutePlacement {
  /** For each NIC, in the order of the NICs, its routes in the order they were written. */
  readonly placed: readonly (readonly Route[])[];
  /** Routes whose gateway is in no NIC's subnet, as they were written. */
  readonly unplaced: readonly Route[];
}

/**
 * The route in canonical text: its destination a network without host bits (a bare address is a
 * network of its own), both ends in the one spelling of their address.
 *
 * @returns `undefined` if an end is no such thing, or the ends are of different families.
 */
export function canonicalRoute({ dst, gw }: Route): Route | undefined {
  const destination = parseAnyDestination(dst);
  const gateway = parseAddress(gw);
  if (!destination.ok || !gateway.ok) return undefined;
  if (destination.value.version !== versionOf(gateway.value)) return undefined;
  return { dst: formatCidr(destination.value.cidr), gw: formatAddress(gateway.value) };
}

/**
 * Gives each route to the first NIC that has a subnet with its gateway in it, and to no other.
 *
 * @param subnets For each NIC the subnets of its pools.
 */
export function placeRoutes(
  routes: readonly Route[],
  subnets: readonly (readonly AnyCidr[])[],
): RoutePlacement {
  const placed: Route[][] = subnets.map(() => []);
  const unplaced: Route[] = [];
  for (const route of routes) {
    const canonical = canonicalRoute(route);
    const nic = canonical === undefined ? undefined : placed[nicOf(canonical, subnets)];
    if (canonical === undefined || nic === undefined) unplaced.push(route);
    else nic.push(canonical);
  }
  return { placed, unplaced };
}

/** All routes in order, each once: a kernel refuses the second of two equal ones. */
export function distinctRoutes(routes: Iterable<Route>): readonly Route[] {
  const byText = new Map<string, Route>();
  for (const route of routes) {
    const text = `${route.dst} ${route.gw}`;
    if (!byText.has(text)) byText.set(text, route);
  }
  return [...byText.values()];
}

/** Index of the NIC that a canonical route belongs to; -1 for none. */
function nicOf(route: Route, subnets: readonly (readonly AnyCidr[])[]): number {
  const gateway = parseAddress(route.gw);
  if (!gateway.ok) return -1;
  return subnets.findIndex((cidrs) => cidrs.some((cidr) => contains(cidr, gateway.value)));
}

function contains(cidr: AnyCidr, address: Address): boolean {
  if (cidr.version === 4) return typeof address === "number" && cidrContains(cidr, address);
  return typeof address === "bigint" && cidrContains(cidr, address);
}
