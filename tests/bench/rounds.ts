/** Rounds: many pods at once, by the agents and by bare calls of the same objects. */
import type { Pod } from "../../src/api/kubernetes/pod.ts";
import { pause } from "../../scripts/cluster/process.ts";
import type { BareCall, JobsReport } from "./bare_api.ts";
import type { BareWorkers } from "./bare_workers.ts";
import { checkAnswers, checkNothingLeft } from "./checks.ts";
import { rateOf, type Round } from "./figures.ts";
import type { Fleet, Lab, MadeOwner } from "./lab.ts";
import {
  allocationCalls,
  claimPath,
  NAMESPACE,
  nodeName,
  podObject,
  PODS_PATH,
  type PoolPlan,
  readPod,
} from "./objects.ts";
import { addPod, deletePod, type NodeWork, playPlugins, type PluginCall } from "./plugins.ts";
import { cpuSecondsOf, usageOf } from "./process_usage.ts";
import { difference, readServerCounts, type ServerCounts } from "./server_metrics.ts";

/** What rounds are made with. */
export interface RoundsOptions {
  readonly lab: Lab;
  readonly fleet: Fleet;
  readonly workers: BareWorkers;
  /** Pods of a round, over all nodes. */
  readonly pods: number;
  /** Plugins at a time on each node. */
  readonly inFlight: number;
  /** Numbers of bare jobs at a time that are tried, in each process. */
  readonly levels: readonly number[];
  readonly report: (line: string) => void;
}

/** What rates are compared with: how a round's objects come into being, or go. */
export type BareKind = "allocation" | "release" | "recreation";

/** Milliseconds until watches have told every agent what was just written. */
const WATCH_LAG_MS = 1_000;
/** Blocks of addresses that pools may have. */
const BLOCKS = { first: 10, last: 250 };

/** Pools of a round: versions, and addresses for each pod. */
export interface PoolsWish {
  readonly versions: readonly (4 | 6)[];
  readonly addressesPerPod: number;
}

/** Plays rounds, one after the other. */
export class Rounds {
  readonly #options: RoundsOptions;
  readonly #best = new Map<string, number>();
  #block = BLOCKS.first;
  #count = 0;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  /** Gives every pod its addresses, and then releases them. */
  async allocateAndRelease(
    wish: PoolsWish,
  ): Promise<{ readonly allocation: Round; readonly release: Round }> {
    const { lab } = this.#options;
    const bare = await this.#bare(wish);
    const made = await lab.makeOwner(this.#name("web"), { kind: "ReplicaSet", replicas: 1 });
    const pools = await this.#makePools(wish);
    const beforeAll = await readServerCounts(lab.api);
    const pods = await this.#makePods("pod", { made, pools });
    const given = await this.#play(pods, { work: addPod, before: beforeAll });
    const allocation = this.#round(given, bare.allocation);
    await checkAnswers(lab.api, { calls: given.calls, pods, families: pools.length });
    const beforeEnd = await readServerCounts(lab.api);
    await this.#terminate(pods);
    const freed = await this.#play(pods, { work: deletePod, before: beforeEnd });
    const release = this.#round(freed, bare.release);
    await checkNothingLeft(lab.api);
    await lab.clean();
    return { allocation, release };
  }

  /** Replaces every pod of a pool that has no address to spare: DEL of the old, ADD of the new. */
  async recreate(): Promise<Round> {
    const { lab } = this.#options;
    const wish: PoolsWish = { versions: [4], addressesPerPod: 1 };
    const bare = await this.#bare(wish);
    const made = await lab.makeOwner(this.#name("web"), { kind: "ReplicaSet", replicas: 1 });
    const pools = await this.#makePools(wish);
    const olds = await this.#makePods("old", { made, pools });
    await this.#play(olds, { work: addPod });
    await this.#terminate(olds);
    const news = await this.#makePods("new", { made, pools });
    const newByOld = new Map(olds.map((pod, at) => [pod.metadata.name, news[at]]));
    const played = await this.#play(olds, {
      work: async (agent, old) => {
        const next = newByOld.get(old.metadata.name);
        if (next === undefined) throw new Error("A pod has no successor");
        const deleted = await deletePod(agent, old);
        if (deleted.failure !== undefined) return deleted;
        const added = await addPod(agent, next);
        return { ...added, callMs: added.callMs + deleted.callMs + deleted.healthMs };
      },
    });
    await checkAnswers(lab.api, { calls: played.calls, pods: news, families: 1 });
    await lab.clean();
    return this.#round(played, bare.recreation);
  }

  /** Gives the pods of a StatefulSet, made again under their names, the addresses they had. */
  async readd(): Promise<Round> {
    const { lab, pods: replicas } = this.#options;
    const wish: PoolsWish = { versions: [4], addressesPerPod: 1 };
    const bare = await this.#bare(wish);
    const name = this.#name("set");
    const made = await lab.makeOwner(name, { kind: "StatefulSet", replicas });
    const pools = await this.#makePools(wish);
    const olds = await this.#makePods(name, { made, pools });
    const first = await this.#play(olds, { work: addPod });
    const before = new Map(first.calls.map((call, at) => [at, call.answer?.ips[0]?.address]));
    await lab.api.text({ method: "DELETE", path: `${PODS_PATH}?gracePeriodSeconds=0` });
    const news = await this.#makePods(name, { made, pools });
    const played = await this.#play(news, { work: addPod });
    await checkAnswers(lab.api, { calls: played.calls, pods: news, families: 1 });
    const hadOthers = new Set(before.values());
    const lost = played.calls.filter(({ answer }) => !hadOthers.has(answer?.ips[0]?.address));
    if (lost.length > 0) throw new Error(`${lost.length} pods of a StatefulSet lost their address`);
    await lab.clean();
    return this.#round(played, bare.allocation);
  }

  #name(prefix: string): string {
    return `${prefix}-${++this.#count}`;
  }

  #plan(wish: PoolsWish): readonly PoolPlan[] {
    return wish.versions.map((version) => {
      if (++this.#block > BLOCKS.last) this.#block = BLOCKS.first;
      const size = Math.ceil(this.#options.pods * wish.addressesPerPod);
      return { name: this.#name(`pool-v${version}`), version, block: this.#block, size };
    });
  }

  async #makePools(wish: PoolsWish): Promise<readonly PoolPlan[]> {
    const pools = this.#plan(wish);
    for (const pool of pools) await this.#options.lab.makePool(pool);
    return pools;
  }

  /** Pods on all nodes in turn; returns once watches have told of them. */
  async #makePods(
    prefix: string,
    { made: { owner }, pools }: { readonly made: MadeOwner; readonly pools: readonly PoolPlan[] },
  ): Promise<readonly Pod[]> {
    const { lab, pods, fleet } = this.#options;
    const calls = Array.from({ length: pods }, (_, index): BareCall => {
      const node = nodeName(index % fleet.agents.length);
      const body = podObject(`${prefix}-${index}`, { node, owner, pools });
      return { method: "POST", path: PODS_PATH, body };
    });
    const replies = await lab.sendAll(calls);
    await pause(WATCH_LAG_MS);
    return replies.map(readPod);
  }

  /** Deletes pods as a person does: they stay until their kubelet has ended them. */
  async #terminate(pods: readonly Pod[]): Promise<void> {
    await this.#options.lab.sendAll(pods.map(({ metadata }): BareCall => {
      return { method: "DELETE", path: `${PODS_PATH}/${metadata.name}` };
    }));
    await pause(WATCH_LAG_MS);
  }

  async #play(
    pods: readonly Pod[],
    { work, before: watchedFrom }: {
      readonly work: (agent: NodeWork["agent"], pod: Pod) => Promise<PluginCall>;
      /** Since when bytes of watches count: the pods' creation is part of it. */
      readonly before?: ServerCounts;
    },
  ): Promise<Played> {
    const { lab, fleet, inFlight } = this.#options;
    const before = await this.#reading();
    const nodes = fleet.agents.map(({ agent, node }): NodeWork => ({
      agent,
      jobs: pods.filter(({ spec }) => spec.nodeName === node).map((pod) => async (asked) => [
        await work(asked, pod),
      ]),
    }));
    const { seconds, calls, doneSeconds } = await playPlugins(nodes, { inFlight });
    const after = await this.#reading();
    const watches = after.server.watches.get("pods") ?? 0;
    const own = watches - fleet.agents.length;
    return {
      seconds,
      pods: pods.length,
      calls,
      doneSeconds,
      agents: {
        count: fleet.agents.length,
        cpuSeconds: after.agentCpu - before.agentCpu,
        residentBytesMax: Math.max(...fleet.pids.map((pid) => usageOf(pid).residentBytes)),
        watchBytes: agentWatchBytes(watchedFrom ?? before.server, after.server, { own }),
      },
      serverCpuSeconds: after.serverCpu - before.serverCpu,
      pluginsCpuSeconds: after.ownCpu - before.ownCpu,
      requests: difference(before.server.requests, after.server.requests),
      load: Deno.loadavg()[0] ?? NaN,
      lab,
    };
  }

  async #reading(): Promise<Reading> {
    const { lab, fleet } = this.#options;
    return {
      server: await readServerCounts(lab.api),
      agentCpu: cpuSecondsOf(fleet.pids),
      serverCpu: cpuSecondsOf(lab.serverPids),
      ownCpu: usageOf(Deno.pid).cpuSeconds,
    };
  }

  #round({ lab: _lab, ...played }: Played, bare: BareRound): Round {
    const { report, inFlight, cpuSeconds } = bare;
    return { ...played, bare: report, bareInFlight: inFlight, bareCpuSeconds: cpuSeconds };
  }

  /** The same objects by bare calls, with as many at a time as was found best. */
  async #bare(wish: PoolsWish): Promise<Readonly<Record<BareKind, BareRound>>> {
    const key = wish.versions.join();
    if (!this.#best.has(`${key} allocation`)) await this.#sweep(wish, key);
    const level = (kind: BareKind): number => this.#best.get(`${key} ${kind}`) ?? 1;
    return await this.#bareRounds(wish, level);
  }

  /** Tries every number of calls at a time. */
  async #sweep(wish: PoolsWish, key: string): Promise<void> {
    const bestRate = new Map<BareKind, number>();
    const texts: string[] = [];
    for (const inFlight of this.#options.levels) {
      const rounds = await this.#bareRounds(wish, () => inFlight);
      for (const kind of ["allocation", "release", "recreation"] as const) {
        const rate = rateOf(rounds[kind].report);
        if (rate <= (bestRate.get(kind) ?? 0)) continue;
        bestRate.set(kind, rate);
        this.#best.set(`${key} ${kind}`, inFlight);
      }
      const rate = (kind: BareKind): string => rateOf(rounds[kind].report).toFixed(0);
      texts.push(`${inFlight}: ${rate("allocation")}/${rate("release")}/${rate("recreation")}`);
    }
    this.#options.report(
      `bare pods per second, families ${key}, by calls at a time in each process ` +
        `(allocation/release/recreation): ${texts.join(", ")}`,
    );
  }

  async #bareRounds(
    wish: PoolsWish,
    level: (kind: BareKind) => number,
  ): Promise<Readonly<Record<BareKind, BareRound>>> {
    const { lab } = this.#options;
    const plans = this.#plan(wish);
    const creations = this.#bareJobs(plans);
    const again = this.#bareJobs(plans);
    const deletions = creations.map((_, index) =>
      plans.map((plan): BareCall => ({ method: "DELETE", path: claimPath(plan, index) }))
    );
    const allocation = await this.#bareRound(creations, level("allocation"));
    const replacing = deletions.map((calls, at) => [...calls, ...again[at] ?? []]);
    const recreation = await this.#bareRound(replacing, level("recreation"));
    const release = await this.#bareRound(deletions, level("release"));
    await lab.clean();
    return { allocation, release, recreation };
  }

  async #bareRound(jobs: readonly (readonly BareCall[])[], inFlight: number): Promise<BareRound> {
    const { workers, lab } = this.#options;
    const pids = [...workers.pids, ...lab.serverPids];
    const fromCpu = cpuSecondsOf(pids);
    const report = await workers.round(jobs, { inFlight });
    if (report.failures[0] !== undefined) throw new Error(report.failures[0]);
    return { report, inFlight, cpuSeconds: cpuSecondsOf(pids) - fromCpu };
  }

  /** Jobs of pods that nobody stored. */
  #bareJobs(plans: readonly PoolPlan[]): readonly (readonly BareCall[])[] {
    const { pods, fleet } = this.#options;
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "bare-7d4b9c6f5d" } as const;
    const top = { apiVersion: "apps/v1", kind: "Deployment", name: "bare", uid: "0" } as const;
    return Array.from({ length: pods }, (_, index) => {
      const node = nodeName(index % fleet.agents.length);
      const name = this.#name("bare");
      const object = podObject(name, { node, owner: { ...owner, uid: "1" }, pools: plans });
      const pod = readPod(object);
      const metadata = { ...pod.metadata, uid: crypto.randomUUID() };
      const places = plans.map((plan) => ({ plan, index }));
      const controller = { ...top, namespace: NAMESPACE };
      return allocationCalls({ ...pod, metadata }, { places, controller });
    });
  }
}

interface BareRound {
  readonly report: JobsReport;
  readonly inFlight: number;
  /** Of the server and of those who call it. */
  readonly cpuSeconds: number;
}

type Played = Omit<Round, "bare" | "bareInFlight" | "bareCpuSeconds"> & { readonly lab: Lab };

interface Reading {
  readonly server: ServerCounts;
  readonly agentCpu: number;
  readonly serverCpu: number;
  readonly ownCpu: number;
}

/**
 * Bytes that watches of agents received: of pods each event goes to one agent and to each of the
 * server's own watches; what else agents watch the server does not, or it does not change.
 */
function agentWatchBytes(
  before: ServerCounts,
  after: ServerCounts,
  { own }: { readonly own: number },
): number {
  const bytes = difference(before.watchBytes, after.watchBytes);
  const ofPods = (bytes.get("pods") ?? 0) / (1 + Math.max(0, own));
  return ofPods + (bytes.get("spiderippools") ?? 0) + (bytes.get("spiderreservedips") ?? 0);
}
