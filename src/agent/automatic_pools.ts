/**
 * Pools that the controller's leader makes for applications: an ADD waits for the watch to tell of
 * them, and goes on at once.
 */
import { ANNOTATION_IP_NUMBER } from "../api/annotations.ts";
import { isTerminating } from "../api/metadata.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { formatIpNumber } from "../api/pod_annotations.ts";
import { err, type Result } from "../base/result.ts";
import { Rings } from "../base/waiting.ts";
import {
  applicationText,
  isPoolOf,
  isPoolOfName,
  type PoolIdentity,
  poolOf,
  type PoolWish,
} from "../ipam/applications.ts";
import type { Refusal } from "../ipam/refusal.ts";
import type { NicSelection } from "../ipam/selection.ts";
import { AUTO_POOL_WAIT_MS } from "../ipam/settings.ts";
import type { DropRule } from "../ipam/trace.ts";
import { type AutomaticWish, type Wish, withPools } from "../ipam/wish.ts";
import type { ReadWish } from "../ipam/wished_pools.ts";
import { type Adding, podText } from "./adding.ts";
import { AUTO_POOL_WAIT_MS_MAX } from "./limits.ts";
import type { AgentParts } from "./parts.ts";
import { applicationKey, podKey } from "./news_keys.ts";

/** Milliseconds after which an ADD that waits asks the SpiderSubnet why. */
const ASK_MS = 5_000;

/**
 * A wish of rule `subnets` with the pools of the application that there are now, also those that
 * are being deleted: an address of them that is kept for the pod stays. A virtual machine that is
 * started again is another application by its UID, and keeps its addresses all the same.
 */
export function withKeptPools(
  { view }: Pick<AgentParts, "view">,
  { wish, controller, keeper }: Pick<Adding, "controller" | "keeper"> & { readonly wish: Wish },
): Wish {
  const { automatic } = wish;
  if (automatic === undefined) return wish;
  const isKept = keeper?.kind === "VirtualMachineInstance" ? isPoolOfName : isPoolOf;
  const pools = view.poolsOfApplication(controller);
  const namesOf = (version: 4 | 6): readonly string[] =>
    automatic.pools.filter((one) => one.version === version).flatMap((one) => {
      const identity = { ...one, application: controller };
      return pools.filter((pool) => isKept(pool, identity)).map(({ metadata }) => metadata.name);
    });
  return withPools(wish, { ipv4: namesOf(4), ipv6: namesOf(6) });
}

/**
 * Waits until the application has its pools and they have an address to give.
 *
 * @param options.versions Families that are wanted; absent: all.
 * @param options.select Chooses among pools as for any other wish.
 * @outcome `pool_not_made` They did not come, or their SpiderSubnet says why they cannot.
 * @outcome all of `selectPools` What no waiting helps against is told at once.
 */
export async function whenMade(
  parts: AgentParts,
  { adding, read: { wish }, automatic, versions, select }: {
    readonly adding: Adding;
    readonly read: ReadWish;
    readonly automatic: AutomaticWish;
    readonly versions: ReadonlySet<4 | 6> | undefined;
    readonly select: (read: ReadWish) => Promise<Result<readonly NicSelection[], Refusal>>;
  },
): Promise<Result<readonly NicSelection[], Refusal>> {
  const { view, reader, news, ports: { clock } } = parts;
  const { pod, controller, begunMs, signal } = adding;
  const wanted = automatic.pools.filter(({ version }) => versions?.has(version) !== false);
  using rings = new Rings(news, [applicationKey(controller), podKey(pod.metadata)]);
  const untilMs = waitsUntilMs(parts, adding);
  let askMs = begunMs + ASK_MS;
  let hasWaited = false;
  let hasSeenPod = false;
  for (;;) {
    const found = wanted.map((one) => ({ ...one, pool: nameOf(view, { ...one, controller }) }));
    const missing = found.filter(({ pool }) => pool === undefined);
    let refusal: Refusal;
    if (missing.length === 0) {
      const namesOf = (version: 4 | 6): readonly string[] =>
        found.flatMap((one) => one.version === version ? one.pool ?? [] : []);
      const made = withPools(wish, { ipv4: namesOf(4), ipv6: namesOf(6) });
      const pools = await reader.read([...namesOf(4), ...namesOf(6)], { signal });
      const selected = await select({ wish: made, pools });
      if (selected.ok || !mayComeToBe(selected.error)) return selected;
      refusal = selected.error;
    } else refusal = notMade(missing, { adding, waitedMs: clock.monotonicMs() - begunMs });
    const copy = copyOf(parts, adding);
    if (copy === undefined ? hasSeenPod : isTerminating(copy)) {
      return err({ code: "pod_dead", pod: podText(adding.args), reason: "is being deleted" });
    }
    hasSeenPod ||= copy !== undefined;
    const nowMs = clock.monotonicMs();
    const isOver = nowMs >= untilMs;
    if (isOver || nowMs >= askMs) {
      askMs = Infinity;
      const pools = missing.length === 0 ? wanted : [...wanted, ...automatic.others];
      const said = await lendersWord(parts, { pools, signal });
      if (isOver || said !== undefined) return err(withWord(refusal, said));
    }
    if (!hasWaited) parts.metrics.waitedForPool();
    hasWaited = true;
    await rings.next(clock, { atMostMs: Math.min(untilMs, askMs) - nowMs, signal });
  }
}

/** Monotonic milliseconds until which an ADD waits for the pools of its application. */
export function waitsUntilMs(
  { settings: { ipam } }: Pick<AgentParts, "settings">,
  { begunMs }: Pick<Adding, "begunMs">,
): number {
  return begunMs + Math.min(ipam.autoPoolWaitMs ?? AUTO_POOL_WAIT_MS, AUTO_POOL_WAIT_MS_MAX);
}

/** What the SpiderSubnets of pools say against lending more; `undefined`: nothing. */
export async function lendersWord(
  { lenders }: Pick<AgentParts, "lenders">,
  { pools, signal }: {
    readonly pools: readonly Pick<PoolWish, "subnet">[];
    readonly signal: AbortSignal;
  },
): Promise<string | undefined> {
  const said = await Promise.all(pools.map(({ subnet }) => lenders.problemOf(subnet, { signal })));
  return said.find((word) => word !== undefined);
}

/** Whether a pool may yet get more addresses: it follows the replicas, or is to be changed. */
export function mayGrow(
  { view }: Pick<AgentParts, "view">,
  { pool, number }: { readonly pool: string; readonly number: AutomaticWish["number"] },
): boolean {
  if (number?.kind !== "fixed") return true;
  const metadata = view.pools.get({ name: pool })?.metadata;
  return metadata?.annotations?.[ANNOTATION_IP_NUMBER] !== formatIpNumber(number);
}

/** The pod, as far as the copy knows it. */
function copyOf(
  { view }: Pick<AgentParts, "view">,
  { args, apiUID }: Pick<Adding, "args" | "apiUID">,
): Pod | undefined {
  const pod = view.pods.get({ namespace: args.podNamespace, name: args.podName });
  return pod?.metadata.uid === apiUID ? pod : undefined;
}

function nameOf(
  view: AgentParts["view"],
  { controller, ...wish }: PoolWish & Pick<Adding, "controller">,
): string | undefined {
  const identity: PoolIdentity = { ...wish, application: controller };
  return poolOf(view.poolsOfApplication(controller), identity)?.metadata.name;
}

function notMade(
  pools: readonly PoolWish[],
  { adding: { args, controller }, waitedMs }: {
    readonly adding: Adding;
    readonly waitedMs: number;
  },
): Refusal {
  return {
    code: "pool_not_made",
    nic: args.ifName,
    pools: pools.map(({ version, subnet }) => ({ version, subnet })),
    application: applicationText(controller),
    waitedMs,
  };
}

/** What ends by itself: the leader is about to make, record or fill the pool. */
const PASSING: ReadonlySet<DropRule | undefined> = new Set<DropRule | undefined>([
  "absent",
  "terminating",
  "notAdopted",
  "nothingLeft",
]);

function mayComeToBe(refusal: Refusal): boolean {
  return refusal.code === "all_filtered" && refusal.traces.every(({ candidates }) => {
    return candidates.every(({ droppedBy }) => PASSING.has(droppedBy));
  });
}

function withWord(refusal: Refusal, said: string | undefined): Refusal {
  const takesWord = refusal.code === "pool_not_made" || refusal.code === "all_filtered";
  return takesWord && said !== undefined ? { ...refusal, said } : refusal;
}
