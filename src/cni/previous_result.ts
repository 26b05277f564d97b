import { err, ok, type Result } from "../base/result.ts";
import { isJsonObject, type JsonObject } from "./network.ts";
import { CNI_CODES, type CniRefusal } from "./refusal.ts";

/**
 * The addresses that `prevResult` says a NIC of the container has, as text with prefix length.
 *
 * An address that names no interface is the NIC's: so an IPAM plugin answers, and a plugin that
 * makes one NIC may leave it so. An interface is the container's where it has a sandbox.
 *
 * @source CNI specification 1.1.0, "ADD Success"
 */
export function previousAddresses(
  config: JsonObject,
  { ifName }: { readonly ifName: string },
): Result<readonly string[], CniRefusal> {
  const { prevResult } = config;
  if (prevResult === undefined || prevResult === null) {
    return refuse("it is missing; the runtime gives what the last ADD printed");
  }
  if (!isJsonObject(prevResult)) return refuse("it is no object");
  const { ips = [], interfaces = [] } = prevResult;
  if (!Array.isArray(ips)) return refuse("ips is no list");
  if (!Array.isArray(interfaces)) return refuse("interfaces is no list");
  const addresses: string[] = [];
  for (const [index, ip] of ips.entries()) {
    if (!isJsonObject(ip) || typeof ip.address !== "string") {
      return refuse(`ips[${index}].address is no text`);
    }
    const owner = ip.interface ?? undefined;
    if (owner !== undefined) {
      const at: unknown = typeof owner === "number" ? interfaces[owner] : undefined;
      if (!isJsonObject(at)) {
        return refuse(`ips[${index}].interface ${JSON.stringify(owner)} is not in interfaces`);
      }
      const isContainers = typeof at.sandbox === "string" && at.sandbox !== "";
      if (!isContainers || at.name !== ifName) continue;
    }
    addresses.push(ip.address);
  }
  return ok(addresses);
}

function refuse(problem: string): Result<never, CniRefusal> {
  return err({
    code: CNI_CODES.badConfig,
    msg: `Cannot use prevResult of the network configuration: ${problem}`,
  });
}
