/** What a chained plugin prints: the result it was given, with what it added. */
import { err, ok, type Result } from "../base/result.ts";
import { isJsonObject, type JsonObject } from "./network.ts";
import { CNI_CODES, type CniRefusal } from "./refusal.ts";
import { type CniVersion, isSince } from "./version.ts";

/** A link that a plugin made, as results list it. */
export interface ResultInterface {
  readonly name: string;
  readonly mac: string;
  /** Path of the container's network namespace; absent for a link of the node. */
  readonly sandbox?: string;
  /** Listed since 1.1.0. */
  readonly mtu?: number;
}

/** What a chained plugin changed. */
export interface ResultChanges {
  /** Links that it made; those that are listed already are replaced where they stand. */
  readonly made?: readonly ResultInterface[];
  /** The container's NIC, if its hardware address is another one now. */
  readonly changed?: { readonly name: string; readonly mac: string };
}

/**
 * Completes `prevResult`: whatever it holds is kept, for it may have members of a later version.
 * Places in `interfaces` stay as they are, since addresses go by them.
 *
 * @source CNI specification 1.1.0, "ADD Success": "a plugin provided a prevResult must pass it
 *   through, with any modifications it made"
 */
export function completedResult(
  { prevResult }: JsonObject,
  { version, made = [], changed }: ResultChanges & { readonly version: CniVersion },
): Result<JsonObject, CniRefusal> {
  if (prevResult === undefined || prevResult === null) {
    return refuse("it is missing; list this plugin in a chain, after one that makes the NIC");
  }
  if (!isJsonObject(prevResult)) return refuse("it is no object");
  const { ips = [], interfaces = [] } = prevResult;
  if (!Array.isArray(ips)) return refuse("ips is no list");
  if (!Array.isArray(interfaces)) return refuse("interfaces is no list");
  const links: unknown[] = interfaces.map((one: unknown) =>
    changed !== undefined && isJsonObject(one) && isContainers(one) && one.name === changed.name
      ? { ...one, mac: changed.mac }
      : one
  );
  for (const { mtu, ...link } of made) {
    const place = links.findIndex((one) => isSameLink(one, link));
    const knowsMtu = mtu !== undefined && isSince(version, { since: "1.1.0" });
    links.splice(place < 0 ? links.length : place, 1, knowsMtu ? { ...link, mtu } : link);
  }
  return ok({
    ...prevResult,
    cniVersion: version,
    ...(links.length > 0 && { interfaces: links }),
    ...(ips.length > 0 && { ips: ips.map((one: unknown) => addressIn(version, one)) }),
  });
}

function isContainers({ sandbox }: JsonObject): boolean {
  return typeof sandbox === "string" && sandbox !== "";
}

function isSameLink(one: unknown, link: ResultInterface): boolean {
  if (!isJsonObject(one) || one.name !== link.name) return false;
  return isContainers(one) === (link.sandbox !== undefined);
}

/** Before 1.0.0 an address says its family, as text; since then it does not. */
function addressIn(version: CniVersion, ip: unknown): unknown {
  if (!isJsonObject(ip)) return ip;
  const { version: _family, ...rest } = ip;
  if (isSince(version, { since: "1.0.0" })) return rest;
  return { version: String(ip.address).includes(":") ? "6" : "4", ...rest };
}

function refuse(problem: string): Result<never, CniRefusal> {
  return err({
    code: CNI_CODES.badConfig,
    msg: `Cannot use prevResult of the network configuration: ${problem}`,
  });
}
