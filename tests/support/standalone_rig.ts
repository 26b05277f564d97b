/** Agents without Kubernetes over a store in memory, on a clock that the test moves. */
import assert from "node:assert/strict";
import { IpamEngine } from "../../src/agent/engine.ts";
import { StandaloneEngine } from "../../src/agent/standalone/engine.ts";
import { Janitor } from "../../src/agent/standalone/janitor.ts";
import { ensureMachine, standaloneIpam } from "../../src/agent/standalone/machine.ts";
import { PoolKeeper } from "../../src/agent/standalone/pool_keeper.ts";
import type { NetnsState } from "../../src/agent/standalone/ports.ts";
import { refuseAsServer } from "../../src/agent/standalone/program.ts";
import type { IpamAddArgs } from "../../src/api/agent.ts";
import { SPIDER_IPS } from "../../src/api/spider_ip.ts";
import { SILENT_LOG } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { expectOk, ok } from "../../src/base/result.ts";
import type { EngineStore } from "../../src/store/engine_store.ts";
import { openMemoryStore } from "../../src/store/memory_store.ts";
import { ManualClock, settle, untilDone } from "./manual_clock.ts";

/** Pools of four addresses, which is the default, and of one. */
export const POOL_TEXT = `
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: { name: v4 }
spec: { subnet: 10.6.0.0/16, ips: [10.6.0.10-10.6.0.13], default: true }
---
apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata: { name: one }
spec: { subnet: 10.7.0.0/16, ips: [10.7.0.10] }
`;

/** A container, as a runtime names it. */
export interface ContainerWish {
  readonly node?: string;
  readonly nic?: string;
  /** Its network namespace; one of its own that is there, where absent. */
  readonly netns?: string;
  readonly fixed?: string;
  readonly pools?: readonly string[];
}

/** Machines with an agent each, one database, files and network namespaces. */
export class StandaloneRig implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly store: EngineStore;
  /** What is at the paths of network namespaces. */
  readonly netns = new Map<string, NetnsState>();
  /** Pool files of the folder `/pools`, by name. */
  readonly files = new Map<string, string>([["pools.yaml", POOL_TEXT]]);
  readonly keeper: PoolKeeper;
  /** Tells the keeper to read the files at once. */
  reload = (): void => {};
  readonly #engines = new Map<string, StandaloneEngine>();
  readonly #running: Promise<unknown>[] = [];
  readonly #life = new AbortController();
  #count = 0;

  private constructor() {
    const { clock } = this;
    this.store = openMemoryStore({ clock, random: seededRandom(7), admit: refuseAsServer });
    this.keeper = new PoolKeeper({
      store: this.store,
      clock,
      log: SILENT_LOG,
      readText: (path) => Promise.resolve(this.files.get(path.replace("/pools/", "")) ?? ""),
      listFolder: () => Promise.resolve([...this.files.keys()]),
      onReload: (listener) => {
        this.reload = listener;
        return { [Symbol.dispose]: () => this.reload = () => {} };
      },
      path: "/pools",
    });
  }

  /** Starts the agents of some machines, with the pools of `POOL_TEXT`. */
  static async start(nodes: readonly string[] = ["m1"]): Promise<StandaloneRig> {
    const rig = new StandaloneRig();
    expectOk(await rig.keeper.apply({ signal: rig.signal }), "the files are right");
    for (const node of nodes) await rig.startAgent(node);
    return rig;
  }

  /** The signal of all that the test asks for. */
  get signal(): AbortSignal {
    return this.#life.signal;
  }

  /** The agent of a machine. */
  agent(node = "m1"): StandaloneEngine {
    const engine = this.#engines.get(node);
    assert.ok(engine !== undefined, `machine ${node} has an agent`);
    return engine;
  }

  /** Starts an agent, in the place of the one that was there. */
  async startAgent(nodeName: string): Promise<void> {
    const { store, clock, signal } = this;
    await ensureMachine(store, { nodeName, signal });
    const log = SILENT_LOG;
    const lookAtNetns = (path: string): Promise<NetnsState> =>
      Promise.resolve(this.netns.get(path) ?? { kind: "gone" });
    const inner = new IpamEngine({
      ...{ store, clock, log, random: seededRandom(++this.#count) },
      masterSubnets: () => Promise.resolve(ok([])),
      sandboxOf: () => Promise.resolve("absent"),
    }, { ipam: standaloneIpam({ probes: [] }), nodeName, identity: `${nodeName}-${this.#count}` });
    const janitor = new Janitor({ store, clock, log, lookAtNetns, nodeName });
    const engine = new StandaloneEngine({
      ...{ inner, store, janitor, log, lookAtNetns, nodeName },
      alongside: [],
    });
    this.#engines.set(nodeName, engine);
    this.#run(engine.run({ signal }));
    await this.until(engine.ready({ signal }));
  }

  /** Looks at the files as an agent does, from now on. */
  watchFiles(): void {
    this.#run(this.keeper.run({ signal: this.signal }));
  }

  #run(work: Promise<unknown>): void {
    this.#running.push(work.catch((error) => {
      if (error !== this.signal.reason) throw error;
    }));
  }

  /** Moves time until something is done. */
  async until<T>(work: Promise<T>): Promise<T> {
    return await untilDone(work, { clock: this.clock });
  }

  /** Moves time by so much. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await settle();
  }

  /** An ADD: the addresses, or the sentence of the refusal. */
  async add(containerID: string, wish: ContainerWish = {}): Promise<string> {
    const args = this.#args(containerID, wish);
    const added = await this.until(this.agent(wish.node).add(args, { signal: this.signal }));
    return added.ok ? added.value.ips.map((ip) => ip.address).join(" ") : added.error.message;
  }

  /** A DEL. */
  async del(containerID: string, wish: ContainerWish = {}): Promise<void> {
    const args = { ...this.#args(containerID, wish), netNamespace: "" };
    const engine = this.agent(wish.node);
    expectOk(await this.until(engine.release(args, { signal: this.signal })), "a DEL succeeds");
  }

  /** Ends the network namespace of a container, as a crash does. */
  kill(containerID: string): void {
    this.netns.delete(`/run/netns/${containerID}`);
  }

  #args(containerID: string, wish: ContainerWish): IpamAddArgs {
    const { nic: ifName = "eth0", netns, fixed, pools = [] } = wish;
    const own = `/run/netns/${containerID}`;
    if (netns === undefined && !this.netns.has(own)) {
      this.netns.set(own, { kind: "there", identity: `4:${this.netns.size}` });
    }
    return {
      ...{ containerID, ifName, netNamespace: netns ?? own },
      ...{ podNamespace: "", podName: "", podUID: "" },
      ...{ defaultIPv4IPPool: pools, defaultIPv6IPPool: [] },
      ...{ cleanGateway: false, matchMasterSubnet: false },
      ...(fixed !== undefined && { fixed }),
    };
  }

  /** All SpiderIPs, as `address container NIC node`. */
  async claims(): Promise<readonly string[]> {
    const listed = await this.store.list(SPIDER_IPS, { signal: this.signal });
    return expectOk(listed, "a list in memory").items.map(({ spec }) =>
      `${spec.ip} ${spec.containerID} ${spec.nic} ${spec.node}`
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort(new Error("The rig has ended"));
    await this.clock.advance(0);
    await Promise.all(this.#running);
  }
}
