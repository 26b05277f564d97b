/** One agent over a store in memory, on a clock that the test moves: for tests of the engine. */
import assert from "node:assert/strict";
import type { IpamAddArgs, IpamAddResponse, IpamDelArgs } from "../../src/api/agent.ts";
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../../src/api/endpoint.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import { NAMESPACES, NODES } from "../../src/api/kubernetes/node.ts";
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import { SPIDER_IPS, type SpiderIp } from "../../src/api/spider_ip.ts";
import { writeRefusal } from "../../src/api/write_rules.ts";
import { SILENT_LOG } from "../../src/base/log.ts";
import type { Metrics } from "../../src/base/metrics.ts";
import type { ObjectStore, Resource, StoredObject } from "../../src/base/object_store.ts";
import { seededRandom } from "../../src/base/random.ts";
import { expectOk, ok, type Result } from "../../src/base/result.ts";
import type { IpamSettings } from "../../src/ipam/settings.ts";
import { type EnginePorts, IpamEngine } from "../../src/agent/engine.ts";
import type { PostJson } from "../../src/daemon/network_provider.ts";
import type { ServiceFailure } from "../../src/agent/service.ts";
import type { AdmissionRequest } from "../../src/store/engine.ts";
import type { EngineStore } from "../../src/store/engine_store.ts";
import { openMemoryStore } from "../../src/store/memory_store.ts";
import { ManualClock, settle, untilDone } from "./manual_clock.ts";
import { providedBy } from "./fake_provider.ts";

/** Everything on, as the shipped configuration has it. */
export const RIG_SETTINGS: IpamSettings = {
  ipv4: true,
  ipv6: true,
  statefulSet: true,
  kubevirt: true,
  spiderSubnet: true,
  autoPool: true,
  agentNamespace: "spiderpool",
  clusterNetwork: "spiderpool/flat",
  conflictDetection: false,
  gatewayDetection: false,
  releaseConflicting: true,
};

/** What a rig may be told. */
export interface RigOptions {
  readonly settings?: Partial<IpamSettings>;
  readonly nodes?: readonly string[];
  /** Puts something between an agent and the store. */
  readonly wrap?: (store: ObjectStore) => ObjectStore;
  /** What every agent counts into. */
  readonly metrics?: Metrics;
  /** Asked by every agent for VLANs. */
  readonly post?: PostJson;
  /** Links of every node; nobody looks where absent. */
  readonly links?: readonly string[];
}

/** A cluster of agents over one store. It ends when it is disposed. */
export class AgentRig implements AsyncDisposable {
  readonly clock = new ManualClock();
  readonly store: EngineStore;
  /** What `sandboxOf` answers, by pod UID; `absent` where nothing is said. */
  readonly sandboxes = new Map<string, "present" | "absent" | "unknown">();
  readonly #options: RigOptions;
  readonly #life = new AbortController();
  readonly #running: Promise<unknown>[] = [];
  readonly #engines = new Map<string, IpamEngine>();
  #count = 0;

  private constructor(options: RigOptions) {
    this.#options = options;
    const random = seededRandom(7);
    this.store = openMemoryStore({ clock: this.clock, random, admit: refuseAsServer });
  }

  /** Starts the agents of some nodes (`n1`), with namespaces `default` and `spiderpool`. */
  static async start(options: RigOptions = {}): Promise<AgentRig> {
    const rig = new AgentRig(options);
    for (const name of ["default", "spiderpool"]) await rig.make(NAMESPACES, namespace(name));
    for (const name of options.nodes ?? ["n1"]) {
      await rig.make(NODES, node(name));
      await rig.startAgent(name);
    }
    return rig;
  }

  /** The signal of everything that the test itself asks of the store. */
  get signal(): AbortSignal {
    return this.#life.signal;
  }

  /** The agent of a node. */
  agent(name = "n1"): IpamEngine {
    const engine = this.#engines.get(name);
    assert.ok(engine !== undefined, `node ${name} has an agent`);
    return engine;
  }

  /** Starts an agent on a node, in the place of the one that was there. */
  async startAgent(name: string): Promise<IpamEngine> {
    const ports: EnginePorts = {
      store: this.#options.wrap?.(this.store) ?? this.store,
      clock: this.clock,
      random: seededRandom(++this.#count),
      log: SILENT_LOG,
      metrics: this.#options.metrics,
      masterSubnets: () => Promise.resolve(ok([])),
      nodeLinks: () => this.#options.links,
      sandboxOf: (uid) => Promise.resolve(this.sandboxes.get(uid) ?? "absent"),
      ...providedBy(this.#options, { clock: this.clock }),
    };
    const ipam = { ...RIG_SETTINGS, ...this.#options.settings };
    const identity = `agent-${name}-${this.#count}`;
    const engine = new IpamEngine(ports, { ipam, nodeName: name, identity });
    this.#engines.set(name, engine);
    this.#running.push(engine.run({ signal: this.signal }).catch(this.#endOf));
    await this.until(engine.ready({ signal: this.signal }));
    return engine;
  }

  readonly #endOf = (error: unknown): void => {
    if (error !== this.signal.reason) throw error;
  };

  /** Moves time until something is done. */
  async until<T>(work: Promise<T>): Promise<T> {
    return await untilDone(work, { clock: this.clock });
  }

  /** Moves time by so much. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await settle();
  }

  /** Creates an object with its status, and waits until the watches have told of it. */
  async make<T extends StoredObject>(resource: Resource<T>, object: T): Promise<T> {
    const options = { signal: this.signal };
    const created = await this.store.create(resource, object, options);
    let made = expectOk(created, "the test's own object is fine");
    if (resource.hasStatus && "status" in object) {
      const { resourceVersion, uid } = made.metadata;
      const metadata = { ...object.metadata, resourceVersion, uid };
      const written = await this.store.replaceStatus(resource, { ...object, metadata }, options);
      made = expectOk(written, "so is its status");
    }
    await settle();
    await settle();
    return made;
  }

  /** Creates a pool; its agent takes it over. */
  async pool(name: string, spec: Partial<SpiderIpPool["spec"]>): Promise<void> {
    await this.make(SPIDER_IP_POOLS, expectOk(SPIDER_IP_POOLS.parse(poolObject(name, spec)), name));
    await this.pass(100);
  }

  /** Creates a running pod on a node. */
  async pod(name: string, more: PodWish = {}): Promise<Pod> {
    return await this.make(PODS, podObject(name, more));
  }

  /** Removes a pod at once, as its kubelet does at the end. */
  async removePod(name: string): Promise<void> {
    const key = { namespace: "default", name };
    const options = { signal: this.signal, gracePeriodSeconds: 0 };
    expectOk(await this.store.remove(PODS, key, options), "the pod was there");
    await settle();
  }

  /** An ADD, as a plugin sends it. */
  async add(
    pod: Pod,
    more: Partial<IpamAddArgs> & { readonly agent?: string } = {},
  ): Promise<Result<IpamAddResponse, ServiceFailure>> {
    const { agent, ...args } = more;
    const engine = this.agent(agent ?? pod.spec.nodeName);
    return await this.until(engine.add({ ...addArgs(pod), ...args }, { signal: this.signal }));
  }

  /** The addresses that an ADD gives to its NIC. */
  async addresses(
    pod: Pod,
    more: Partial<IpamAddArgs> & { readonly agent?: string } = {},
  ): Promise<readonly string[]> {
    const added = expectOk(await this.add(pod, more), "the ADD is not refused");
    const nic = more.ifName ?? "eth0";
    return added.ips.filter((ip) => ip.nic === nic).map((ip) => ip.address);
  }

  /** What an ADD is refused with. */
  async refusal(pod: Pod, more: Partial<IpamAddArgs> = {}): Promise<string> {
    const added = await this.add(pod, more);
    assert.equal(added.ok, false, "the ADD is refused");
    return added.ok ? "" : added.error.message;
  }

  /** A DEL, as a plugin sends it. */
  async del(pod: Pod, more: Partial<IpamDelArgs> = {}): Promise<void> {
    const engine = this.agent(pod.spec.nodeName);
    const { defaultIPv4IPPool: _4, defaultIPv6IPPool: _6, ...args } = addArgs(pod);
    const released = engine.release({ ...args, ...more }, { signal: this.signal });
    expectOk(await this.until(released), "a DEL succeeds");
  }

  /** All SpiderIPs, by address text, with who has them: `10.6.0.1 web-0 eth0`. */
  async claims(): Promise<readonly string[]> {
    return (await this.claimObjects()).map(({ spec }) => `${spec.ip} ${spec.podName} ${spec.nic}`);
  }

  /** All SpiderIPs. */
  async claimObjects(): Promise<readonly SpiderIp[]> {
    const listed = await this.store.list(SPIDER_IPS, { signal: this.signal });
    return expectOk(listed, "a list in memory").items;
  }

  /** The endpoint of a pod. */
  async endpoint(name: string): Promise<SpiderEndpoint | undefined> {
    const key = { namespace: "default", name };
    const found = await this.store.get(SPIDER_ENDPOINTS, key, { signal: this.signal });
    return found.ok ? found.value : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort(new Error("The rig has ended"));
    await this.clock.advance(0);
    await Promise.all(this.#running);
  }
}

/** How a pod differs from a bare one on node `n1` that runs. */
export interface PodWish {
  readonly node?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly owner?: {
    readonly apiVersion: string;
    readonly kind: string;
    readonly name: string;
    readonly uid?: string;
  };
  readonly phase?: string;
}

/** Arguments of an ADD of `eth0` for a pod, from its first sandbox. */
export function addArgs(pod: Pod): IpamAddArgs {
  return {
    containerID: `sandbox-of-${pod.metadata.uid}`,
    ifName: "eth0",
    netNamespace: "/var/run/netns/x",
    podNamespace: pod.metadata.namespace ?? "",
    podName: pod.metadata.name,
    podUID: pod.metadata.uid ?? "",
    defaultIPv4IPPool: [],
    defaultIPv6IPPool: [],
    cleanGateway: false,
    matchMasterSubnet: false,
  };
}

function podObject(name: string, wish: PodWish): Pod {
  const { node: nodeName = "n1", annotations, labels, owner, phase = "Pending" } = wish;
  const ownerReferences = owner === undefined
    ? {}
    : { ownerReferences: [{ uid: `uid-of-${owner.name}`, ...owner, controller: true }] };
  return expectOk(
    PODS.parse({
      metadata: { name, namespace: "default", annotations, labels, ...ownerReferences },
      spec: { nodeName, restartPolicy: "Always", containers: [{ name: "c" }] },
      status: { phase },
    }),
    "a pod of a test",
  );
}

function poolObject(name: string, spec: Partial<SpiderIpPool["spec"]>): unknown {
  return { metadata: { name }, spec: { subnet: "10.6.0.0/16", ...spec } };
}

function namespace(name: string): StoredNamespace {
  return expectOk(NAMESPACES.parse({ metadata: { name } }), "a namespace of a test");
}

type StoredNamespace = typeof NAMESPACES extends Resource<infer T> ? T : never;
type StoredNode = typeof NODES extends Resource<infer T> ? T : never;

function node(name: string): StoredNode {
  const metadata = { name, labels: { "kubernetes.io/hostname": name } };
  const status = { conditions: [{ type: "Ready", status: "True" }] };
  return expectOk(NODES.parse({ metadata, spec: {}, status }), "a node of a test");
}

function refuseAsServer({ kind, object, previous }: AdmissionRequest) {
  if (object === undefined) return undefined;

  const message = writeRefusal({ kind, object, previous });
  return message === undefined ? undefined : { code: "invalid" as const, message };
}
