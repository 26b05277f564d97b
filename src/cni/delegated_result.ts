/** What an IPAM plugin printed, and the result of the plugin that asked it. */
import { err, ok, type Result } from "../base/result.ts";
import type { ResultInterface } from "./completed_result.ts";
import { isJsonObject, type JsonObject } from "./network.ts";
import { CNI_CODES, type CniRefusal } from "./refusal.ts";
import { type CniVersion, isSince } from "./version.ts";

/** An address, as the IPAM plugin wrote it. */
export interface DelegatedAddress {
  /** With prefix length. */
  readonly address: string;
  readonly gateway?: string;
}

const ROUTE_NUMBERS = ["mtu", "advmss", "priority", "table", "scope"] as const;

/** A route, as the IPAM plugin wrote it. */
export type DelegatedRoute =
  & { readonly dst: string; readonly gw?: string }
  & { readonly [Name in typeof ROUTE_NUMBERS[number]]?: number };

/** What an IPAM plugin gave. */
export interface DelegatedResult {
  readonly ips: readonly DelegatedAddress[];
  readonly routes: readonly DelegatedRoute[];
  readonly dns: JsonObject;
}

/**
 * Reads what an IPAM plugin printed. Whether addresses are some is for who uses them.
 *
 * @param options.path Of the plugin, for messages.
 * @source CNI specification 1.1.0, "Delegated plugins (IPAM)"
 */
export function readDelegatedResult(
  printed: string,
  { path }: { readonly path: string },
): Result<DelegatedResult, CniRefusal> {
  const refuse = (problem: string): Result<never, CniRefusal> => {
    const msg = `Cannot use the result of the plugin "${path}": ${problem}`;
    return err({ code: CNI_CODES.failed, msg });
  };
  let value: unknown;
  try {
    value = JSON.parse(printed);
  } catch {
    return refuse("it is no JSON; see that it is an IPAM plugin");
  }
  if (!isJsonObject(value)) return refuse("it is no object; see that it is an IPAM plugin");
  const { dns } = value;
  const [ips, routes] = [value.ips ?? [], value.routes ?? []];
  if (!Array.isArray(ips) || !Array.isArray(routes)) {
    return refuse("ips or routes is no list; see that it is an IPAM plugin");
  }
  if (ips.length === 0) {
    return refuse("it has no address; see the plugin's pools, or leave ipam out");
  }
  const addresses = ips.map(addressOf);
  const ways = routes.map(routeOf);
  const isWhole = !addresses.includes(undefined) && !ways.includes(undefined);
  if (!isWhole) return refuse("an address or a route is none; see that it is an IPAM plugin");
  return ok({
    ips: addresses.filter((one) => one !== undefined),
    routes: ways.filter((one) => one !== undefined),
    dns: isJsonObject(dns) ? dns : {},
  });
}

function addressOf(value: unknown): DelegatedAddress | undefined {
  if (!isJsonObject(value)) return undefined;
  const { address, gateway } = value;
  if (typeof address !== "string") return undefined;
  if (gateway === undefined || gateway === null || gateway === "") return { address };
  return typeof gateway === "string" ? { address, gateway } : undefined;
}

function routeOf(value: unknown): DelegatedRoute | undefined {
  if (!isJsonObject(value)) return undefined;
  const { dst, gw } = value;
  if (typeof dst !== "string") return undefined;
  const hasGateway = gw !== undefined && gw !== null && gw !== "";
  if (hasGateway && typeof gw !== "string") return undefined;
  const numbers: { [Name in typeof ROUTE_NUMBERS[number]]?: number } = {};
  for (const name of ROUTE_NUMBERS) {
    const number = value[name] ?? undefined;
    if (number === undefined) continue;
    if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 0) return undefined;
    numbers[name] = number;
  }
  return { dst, ...(typeof gw === "string" && gw !== "" && { gw }), ...numbers };
}

/**
 * The result of a plugin that made one NIC: its own interface, with the addresses of the IPAM
 * plugin on it.
 *
 * @param given Absent: the NIC has no addresses.
 * @source CNI specification 1.1.0, "ADD Success"
 */
export function nicResult(
  { mtu, ...link }: ResultInterface,
  { given, version }: {
    readonly given: DelegatedResult | undefined;
    readonly version: CniVersion;
  },
): JsonObject {
  const saysFamily = !isSince(version, { since: "1.0.0" });
  const knowsMtu = mtu !== undefined && isSince(version, { since: "1.1.0" });
  const { ips = [], routes = [], dns = {} } = given ?? {};
  return {
    cniVersion: version,
    interfaces: [knowsMtu ? { ...link, mtu } : link],
    ...(ips.length > 0 && {
      ips: ips.map((one) => ({
        ...(saysFamily && { version: one.address.includes(":") ? "6" : "4" }),
        interface: 0,
        ...one,
      })),
    }),
    ...(routes.length > 0 && { routes }),
    dns,
  };
}
