/** What must hold whatever a bench measures: no address is given twice. */
import { formatObjectName, parseAnyAddressInCidr } from "../../src/ip/mod.ts";
import type { Pod } from "../../src/api/kubernetes/pod.ts";
import { expectOk } from "../../src/base/result.ts";
import type { BareApi } from "./bare_api.ts";
import { CLAIMS_PATH } from "./objects.ts";
import type { PluginCall } from "./plugins.ts";

interface Claim {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly podUID: string; readonly pool: string };
}

/** Every SpiderIP there is, by name. */
async function claimsOf(api: BareApi): Promise<ReadonlyMap<string, Claim>> {
  const list = await api.send({ method: "GET", path: CLAIMS_PATH }) as {
    readonly items: readonly Claim[];
  };
  return new Map(list.items.map((claim) => [claim.metadata.name, claim]));
}

/**
 * Checks that every answer's addresses are the asking pods' own, and nobody else's.
 *
 * @throws {Error} Naming the first one that is not.
 */
export async function checkAnswers(
  api: BareApi,
  { calls, pods, families }: {
    readonly calls: readonly PluginCall[];
    readonly pods: readonly Pod[];
    readonly families: number;
  },
): Promise<void> {
  const claims = await claimsOf(api);
  const uids = new Set(pods.map(({ metadata }) => metadata.uid));
  const given = new Set<string>();
  for (const { answer } of calls) {
    if (answer === undefined) continue;
    if (answer.ips.length !== families) throw new Error(`${answer.ips.length} addresses for a pod`);
    for (const { address } of answer.ips) {
      const name = formatObjectName(expectOk(parseAnyAddressInCidr(address), address).address);
      if (given.has(name)) throw new Error(`Address ${address} was given twice`);
      given.add(name);
      const claim = claims.get(name);
      if (claim === undefined) throw new Error(`Address ${address} was given without a SpiderIP`);
      if (!uids.has(claim.spec.podUID)) throw new Error(`Address ${address} is another pod's`);
    }
  }
  const holders = new Map<string, number>();
  for (const { spec } of claims.values()) {
    const key = `${spec.podUID} ${spec.pool}`;
    holders.set(key, (holders.get(key) ?? 0) + 1);
  }
  const twice = [...holders].find(([, count]) => count > 1);
  if (twice !== undefined) throw new Error(`Pod and pool "${twice[0]}" have ${twice[1]} SpiderIPs`);
}

/** Checks that no SpiderIP is left. @throws {Error} If one is. */
export async function checkNothingLeft(api: BareApi): Promise<void> {
  const { size } = await claimsOf(api);
  if (size > 0) throw new Error(`${size} SpiderIPs were not released`);
}
