/** A SpiderEndpoint that was lost, from the SpiderIPs that are left of it (design.md 2.1). */
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import { DEFAULT_NIC } from "../api/pod_annotations.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { addressOfClaim, type Keeper } from "./claim.ts";
import { endpointNics, newEndpoint, type NicAllocation } from "./endpoint.ts";
import type { PoolFacts } from "./pool_facts.ts";
import { positionalNic } from "./wish.ts";

/** NICs of one pod that are told apart by position; none has as many. */
const POSITIONS_MAX = 64;

/**
 * The entries of the claims of one pod, in the order of its NICs. A claim whose pool is not among
 * `pools`, and a second one of a NIC and family, is left out.
 */
export function nicsOfClaims(
  claims: readonly SpiderIp[],
  pools: ReadonlyMap<string, PoolFacts>,
): readonly EndpointNic[] {
  const allocations = Array.from(
    Map.groupBy(claims, ({ spec }) => spec.nic ?? ""),
    ([nic, own]) => allocationOf(nic, { claims: own, pools }),
  ).filter(({ families }) => families.length > 0);
  return endpointNics(inOrder(allocations), []).nics;
}

/**
 * The endpoint of addresses that somebody keeps, be their pod there or not.
 *
 * @param facts.claims All that name this endpoint.
 * @param facts.liveUid UID of the pod of them that lives, if one does.
 * @returns `undefined` if nothing would be in it, or the claims name two keepers.
 */
export function keptEndpoint(
  { key, claims, pools, liveUid }: {
    readonly key: { readonly namespace: string; readonly name: string };
    readonly claims: readonly SpiderIp[];
    readonly pools: ReadonlyMap<string, PoolFacts>;
    readonly liveUid: string | undefined;
  },
): SpiderEndpoint | undefined {
  const [first] = claims;
  if (first === undefined) return undefined;
  const keeper = keeperOf(first);
  const isOther = ({ spec: { owner } }: SpiderIp): boolean =>
    owner?.kind !== keeper?.kind || owner?.name !== keeper?.name;
  if (keeper === undefined || claims.some(isOther)) return undefined;
  const nics = nicsOfClaims(claims, pools);
  if (nics.length === 0) return undefined;
  const { spec } = claims.find(({ spec }) => spec.podUID === liveUid) ?? first;
  const { podName = key.name, podUID, node } = spec;
  const metadata = { name: podName, namespace: key.namespace, uid: podUID };
  return newEndpoint({
    pod: { apiVersion: "v1", kind: "Pod", metadata, spec: { nodeName: node, containers: [] } },
    controller: { ...keeper, apiVersion: "", namespace: key.namespace, uid: "" },
    keeper,
    endpointName: key.name,
    nics,
  });
}

function keeperOf({ spec: { owner } }: SpiderIp): Keeper | undefined {
  const { kind, name = "" } = owner ?? {};
  return kind === "StatefulSet" || kind === "VirtualMachineInstance" ? { kind, name } : undefined;
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

function allocationOf(
  nic: string,
  { claims, pools }: {
    readonly claims: readonly SpiderIp[];
    readonly pools: ReadonlyMap<string, PoolFacts>;
  },
): NicAllocation {
  const families: NicAllocation["families"][number][] = [];
  for (const claim of claims) {
    const address = addressOfClaim(claim);
    const facts = pools.get(claim.spec.pool);
    const isFirst = !families.some((one) => typeof one.address === typeof address);
    if (address !== undefined && facts !== undefined && isFirst) families.push({ facts, address });
  }
  const position = /^#(\d+)$/.exec(nic)?.[1];
  const cleanGateway = false;
  if (position === undefined) return { nic, cleanGateway, families };
  return { nic, position: Number(position), cleanGateway, families };
}
