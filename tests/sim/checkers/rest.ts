/** When nothing goes wrong any more and time has passed: nothing leaked, and nobody starves. */
import type { Pod } from "../../../src/api/kubernetes/pod.ts";
import type { SpiderIp } from "../../../src/api/spider_ip.ts";
import { expectOk } from "../../../src/base/result.ts";
import { formatObjectName, parseAddress } from "../../../src/ip/mod.ts";
import { type NicWant, wantsOfPod } from "../pods.ts";
import type { Sandbox, Truth } from "../truth.ts";
import { said } from "./claims.ts";
import { findUnlent } from "./loans.ts";
import { findUnpublished } from "./published.ts";
import type { Unrest } from "./unrest.ts";
import { type Facts, isDead, placeOfClaim } from "./facts.ts";

/** What the check of the rest needs to know. */
export interface RestOptions {
  readonly facts: Facts;
  readonly truth: Truth;
  readonly defaultPools: () => {
    readonly ipv4: readonly string[];
    readonly ipv6: readonly string[];
  };
  readonly isForNode: (pool: string, node: string) => boolean;
  /** Whether there are controllers: they free what no agent is asked for, and tell of pools. */
  readonly hasControllers: boolean;
  /** Whether an ADD of a pod is under way. */
  readonly isAdding: (pod: { readonly namespace: string; readonly name: string }) => boolean;
}

/** Compares what is stored with what is up. */
export function findUnrest(options: RestOptions): readonly Unrest[] {
  const unpublished = options.hasControllers ? findUnpublished(options.facts) : [];
  const unlent = options.hasControllers ? findUnlent(options.facts) : [];
  return [
    ...findLeaks(options),
    ...findUnclaimed(options),
    ...findStarved(options),
    ...unpublished,
    ...unlent,
  ];
}

/** SpiderIPs that nobody uses and nobody keeps. */
function findLeaks(options: RestOptions): readonly Unrest[] {
  return options.facts.claims().filter((claim) => !isNeeded(claim, options))
    .map((claim) => ({ rule: "leak", message: `nobody needs ${said(claim)}` }));
}

function isNeeded(
  claim: SpiderIp,
  { facts, truth, hasControllers, isAdding }: RestOptions,
): boolean {
  const { ip, podUID, podNamespace = "", podName = "", node = "" } = claim.spec;
  if (truth.using(ip).some((sandbox) => sandbox.podUid === podUID)) return true;
  const place = placeOfClaim(claim);
  if (place !== undefined && facts.wantedForMs(place) > 0) return !isSuperseded(claim, facts);
  // Adopted from a record that names no node: no agent of a node is asked to free it.
  if (node === "" && !hasControllers) return true;
  const pod = { namespace: podNamespace, name: podName, uid: podUID ?? "" };
  if (!facts.livesAs(pod)) return false;
  // A call that did not end yet will answer it, or give it back. So does the next, with what was
  // taken over from a record, or was answered already while another NIC of the pod still waits.
  return isAdding(pod) || (claim.spec.containerID ?? "") === "" || facts.isListed(claim);
}

/** Whether the pod's SpiderEndpoint lists another address for the NIC: that is the kept one. */
function isSuperseded({ spec }: SpiderIp, facts: Facts): boolean {
  const endpoint = facts.endpoint(spec.podNamespace ?? "", spec.podName ?? "");
  const entry = endpoint?.status?.current.ips.find((nic) => nic.interface === spec.nic);
  const listed = (spec.ip.includes(":") ? entry?.ipv6 : entry?.ipv4)?.split("/")[0];
  return listed !== undefined && listed !== spec.ip;
}

/** Addresses in use that no SpiderIP protects. */
function findUnclaimed({ facts, truth }: RestOptions): readonly Unrest[] {
  const unrest: Unrest[] = [];
  for (const sandbox of truth.all()) {
    for (const address of [...sandbox.addresses.values()].flat()) {
      const name = formatObjectName(expectOk(parseAddress(address), "sandboxes have addresses"));
      const claim = facts.claim(name)?.spec;
      if (claim?.podUID === sandbox.podUid || truth.isForsaken(sandbox)) continue;
      if (claim !== undefined && facts.wiped.has(address)) continue; // Another pod took it.
      const message = `${address} of ${sandbox.namespace}/${sandbox.podName} has no SpiderIP of it`;
      unrest.push({ rule: "unclaimed", message });
    }
  }
  return unrest;
}

/** Live pods without their addresses, although pools have room for them. */
function findStarved(options: RestOptions): readonly Unrest[] {
  const { facts, truth } = options;
  const up = new Map<string, Sandbox>();
  for (const sandbox of truth.all()) if (sandbox.state === "up") up.set(sandbox.podUid, sandbox);
  return facts.control.pods().filter((pod) => {
    return (pod.spec.nodeName ?? "") !== "" && !isDead(pod) && !up.has(pod.metadata.uid ?? "");
  }).filter((pod) => canBeServed(pod, options)).map((pod) => ({
    rule: "starved",
    message: `${pod.metadata.namespace}/${pod.metadata.name} on ${pod.spec.nodeName} has no ` +
      `addresses, and its pools have room`,
  }));
}

/** Whether each NIC and family has room whichever addresses the others take. */
function canBeServed(pod: Pod, options: RestOptions): boolean {
  const slots = wantsOfPod(pod).map((want) => wantedPools(pod, { want, options }))
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6]).filter((pools) => pools.length > 0);
  return slots.every((pools) => freeAddresses(pools, { pod, options }).size >= slots.length);
}

function wantedPools(
  pod: Pod,
  { want, options: { facts, defaultPools } }: {
    readonly want: NicWant;
    readonly options: RestOptions;
  },
): { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] } {
  if (want.lenders !== undefined) return facts.lentPools(pod, want);
  return want.ipv4.length + want.ipv6.length > 0 ? want : defaultPools();
}

function freeAddresses(
  pools: readonly string[],
  { pod, options }: { readonly pod: Pod; readonly options: RestOptions },
): ReadonlySet<string> {
  const { facts, isForNode } = options;
  const free = new Set<string>();
  for (const pool of pools) {
    if (!isForNode(pool, pod.spec.nodeName ?? "")) continue;
    for (const address of facts.pools.alwaysGave(pool, { sinceMs: facts.nowMs })) {
      const name = formatObjectName(expectOk(parseAddress(address), "pools have addresses"));
      const holder = facts.claim(name)?.spec.podUID;
      if (holder === undefined || holder === pod.metadata.uid) free.add(address);
    }
  }
  return free;
}
