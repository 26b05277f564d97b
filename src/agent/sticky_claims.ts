/** Claims that somebody keeps for a pod's name: found without an endpoint, and given up. */
import { StoreFailure } from "../base/object_store.ts";
import { formatObjectName } from "../ip/mod.ts";
import type { SpiderEndpoint } from "../api/endpoint.ts";
import { LABEL_POD, podLabelValue } from "../api/labels.ts";
import { DEFAULT_NIC } from "../api/pod_annotations.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { addressOfClaim } from "../ipam/claim.ts";
import {
  addressesOf,
  type EndpointAddress,
  endpointNics,
  newEndpoint,
  type NicAllocation,
} from "../ipam/endpoint.ts";
import { positionalNic } from "../ipam/wish.ts";
import type { Adding } from "./adding.ts";
import { factsOf } from "./allocation.ts";
import { isKeptFor } from "./keeping.ts";
import type { AgentParts } from "./parts.ts";

/** NICs of one pod that are told apart by position; none has as many. */
const POSITIONS_MAX = 64;

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
  const allocations: NicAllocation[] = [];
  for (const nic of new Set(claims.map(({ spec }) => spec.nic ?? ""))) {
    const own = claims.filter(({ spec }) => (spec.nic ?? "") === nic);
    const allocation = await allocationOf(parts, { nic, claims: own, signal });
    if (allocation.families.length > 0) allocations.push(allocation);
  }
  if (allocations.length === 0) return undefined;
  const { nics } = endpointNics(inOrder(allocations), []);
  return newEndpoint({ pod, controller, keeper, endpointName: endpointKey.name, nics });
}

/**
 * Allocations in the order of their NICs. Where one has a position, each stands at its own, with
 * one that has nothing in the place of each that is missing.
 */
function inOrder(allocations: readonly NicAllocation[]): readonly NicAllocation[] {
  const sorted = allocations.toSorted((one, other) => rankOf(one) - rankOf(other));
  if (!sorted.some(({ position }) => position !== undefined)) return sorted;
  const whole: NicAllocation[] = [];
  for (const allocation of sorted) {
    while (whole.length < Math.min(rankOf(allocation), POSITIONS_MAX)) {
      const position = whole.length;
      const nic = position === 0 ? DEFAULT_NIC : positionalNic(position);
      whole.push({ nic, position, cleanGateway: false, families: [] });
    }
    whole.push(allocation);
  }
  return whole;
}

/** Where a NIC stands among those of its pod: by position, else by the number that Multus gives. */
function rankOf({ nic, position }: NicAllocation): number {
  if (position !== undefined) return position;
  if (nic === DEFAULT_NIC) return 0;
  return Number(/^net(\d+)$/.exec(nic)?.[1] ?? POSITIONS_MAX);
}

async function allocationOf(
  parts: AgentParts,
  { nic, claims, signal }: {
    readonly nic: string;
    readonly claims: readonly SpiderIp[];
    readonly signal: AbortSignal;
  },
): Promise<NicAllocation> {
  const families: NicAllocation["families"][number][] = [];
  for (const claim of claims) {
    const address = addressOfClaim(claim);
    const facts = await factsOf(parts, { pool: claim.spec.pool, signal });
    const isFirst = !families.some((one) => typeof one.address === typeof address);
    if (address !== undefined && facts !== undefined && isFirst) families.push({ facts, address });
  }
  const position = /^#(\d+)$/.exec(nic)?.[1];
  const cleanGateway = false;
  if (position === undefined) return { nic, cleanGateway, families };
  return { nic, position: Number(position), cleanGateway, families };
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
  { settler, view, claims }: AgentParts,
  { adding, name }: { readonly adding: Adding; readonly name: string },
): Promise<void> {
  const { signal, podUID: ownUID } = adding;
  const claim = await settler.get(SPIDER_IPS, { name }, { signal });
  if (claim === undefined || !isKeptFor(adding, claim)) return;
  const { podNamespace: namespace, podName = "", podUID } = claim.spec;
  if (podUID !== ownUID) {
    const recorded = await view.livePod({ namespace, name: podName }, { signal });
    if (recorded !== undefined && recorded.metadata.uid === podUID) return; // It still runs.
  }
  if (await settler.remove(SPIDER_IPS, claim, { signal }) === "gone") claims.forget(claim);
}
