/** Claims that somebody keeps for a pod's name: found without an endpoint, and given up. */
import { StoreFailure } from "../base/object_store.ts";
import { formatObjectName } from "../ip/mod.ts";
import type { SpiderEndpoint } from "../api/endpoint.ts";
import { LABEL_POD, podLabelValue } from "../api/labels.ts";
import { SPIDER_IPS } from "../api/spider_ip.ts";
import { addressesOf, type EndpointAddress, newEndpoint } from "../ipam/endpoint.ts";
import type { PoolFacts } from "../ipam/pool_facts.ts";
import { nicsOfClaims } from "../ipam/rebuild.ts";
import type { Adding } from "./adding.ts";
import { factsOf } from "./allocation.ts";
import { isKeptFor } from "./keeping.ts";
import { removeClaim } from "../daemon/provided_claims.ts";
import type { AgentParts } from "./parts.ts";

/**
 * What the endpoint of a kept pod said, from the claims alone: for one whose endpoint was lost.
 *
 * @returns `undefined` if nothing is kept for the pod.
 */
export async function rebuiltEndpoint(
  parts: AgentParts,
  adding: Adding,
): Promise<SpiderEndpoint | undefined> {
  const { keeper, endpointKey, pod, controller, signal } = adding;
  if (keeper === undefined) return undefined;
  const listed = await parts.settler.read((options) =>
    parts.ports.store.list(SPIDER_IPS, {
      ...options,
      labelSelector: `${LABEL_POD}=${podLabelValue(endpointKey)}`,
      notOlderThan: parts.versions.newest,
    }), { signal });
  if (!listed.ok) throw new StoreFailure(listed.error);
  const claims = listed.value.items.filter((claim) => isKeptFor(adding, claim));
  const pools = new Map<string, PoolFacts>();
  for (const pool of new Set(claims.map(({ spec }) => spec.pool))) {
    const facts = await factsOf(parts, { pool, signal });
    if (facts !== undefined) pools.set(pool, facts);
  }
  const nics = nicsOfClaims(claims, pools);
  if (nics.length === 0) return undefined;
  return newEndpoint({ pod, controller, keeper, endpointName: endpointKey.name, nics });
}

/**
 * Deletes claims that were kept for the pod, once its endpoint lists others instead. What cannot be
 * deleted now is an extra claim, which is settled later.
 */
export async function surrender(
  parts: AgentParts,
  { adding, stored, addresses }: {
    readonly adding: Adding;
    /** The endpoint as it is now: what it lists was given again. */
    readonly stored: SpiderEndpoint;
    readonly addresses: readonly EndpointAddress[];
  },
): Promise<void> {
  const listed = new Set(
    (stored.status?.current.ips ?? []).flatMap(addressesOf)
      .map(({ address }) => formatObjectName(address)),
  );
  for (const { address } of addresses) {
    const name = formatObjectName(address);
    if (listed.has(name)) continue;
    try {
      await surrenderOne(parts, { adding, name });
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      parts.ports.log.warn("address of a former pool not given back yet", { error });
    }
  }
}

async function surrenderOne(
  parts: AgentParts,
  { adding, name }: { readonly adding: Adding; readonly name: string },
): Promise<void> {
  const { settler, view, claims } = parts;
  const { signal, podUID: ownUID } = adding;
  const claim = await settler.get(SPIDER_IPS, { name }, { signal });
  if (claim === undefined || !isKeptFor(adding, claim)) return;
  const { podNamespace: namespace, podName = "", podUID } = claim.spec;
  if (podUID !== ownUID) {
    const recorded = await view.livePod({ namespace, name: podName }, { signal });
    if (recorded !== undefined && recorded.metadata.uid === podUID) return; // It still runs.
  }
  if (await removeClaim(parts, claim, { signal }) === "gone") claims.forget(claim);
}
