/** A simple agent for tests of the simulation: right in a calm world, wrong in one way. */
import type { IpamAddArgs, IpamAddResponse, IpamDelArgs } from "../../src/api/agent.ts";
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../../src/api/endpoint.ts";
import { SPIDERPOOL_API_VERSION } from "../../src/api/group.ts";
import { SPIDER_IPS, type SpiderIp } from "../../src/api/spider_ip.ts";
import { SPIDER_IP_POOLS } from "../../src/api/ip_pool.ts";
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import { SPIDER_RESERVED_IPS } from "../../src/api/reserved_ip.ts";
import type { ServiceOptions, ServiceResult } from "../../src/agent/service.ts";
import { StoreFailure, type StoreResult } from "../../src/base/object_store.ts";
import { err, expectOk, ok, type Result } from "../../src/base/result.ts";
import { formatObjectName, parseAddress } from "../../src/ip/mod.ts";
import type { AgentFactory, AgentPorts, AgentSettings, AgentUnderTest } from "./agent_ports.ts";
import { isDead } from "./checkers/facts.ts";
import { addressesOf } from "./pools.ts";
import { type NicWant, wantsOfPod } from "./pods.ts";

/** The one thing that a naive agent does wrong. */
export type Flaw =
  | "none"
  /** Takes an address that it believes to be free, without a SpiderIP. */
  | "claims_nothing"
  /** Writes no SpiderEndpoint. */
  | "lists_nothing"
  /** Gives every ADD another address. */
  | "changes_its_mind"
  /** Frees what the pod has, whoever asks and whether it lives or not. */
  | "frees_by_name"
  /** Frees nothing. */
  | "frees_nothing"
  /** Takes addresses that are excluded or reserved. */
  | "takes_excluded"
  /** Keeps the id of the first sandbox. */
  | "keeps_sandbox"
  /** Tries the last pool first. */
  | "reverses_pools"
  /** Says at once that pools are full. */
  | "says_full"
  /** Answers nothing. */
  | "hangs"
  /** Throws. */
  | "throws";

interface Got {
  readonly version: 4 | 6;
  readonly address: string;
  readonly prefix: string;
  readonly pool: string;
}

/** Makes naive agents of one flaw. */
export function naiveAgents(flaw: Flaw): AgentFactory {
  return (ports, settings) => new NaiveAgent(flaw, { ports, settings });
}

class NaiveAgent implements AgentUnderTest {
  readonly isReady = true;
  readonly #flaw: Flaw;
  readonly #ports: AgentPorts;
  readonly #settings: AgentSettings;

  constructor(
    flaw: Flaw,
    { ports, settings }: { readonly ports: AgentPorts; readonly settings: AgentSettings },
  ) {
    this.#flaw = flaw;
    this.#ports = ports;
    this.#settings = settings;
  }

  async run({ signal }: { readonly signal: AbortSignal }): Promise<never> {
    for (;;) {
      await this.#ports.clock.sleep(10_000, { signal });
      await this.settle({ signal }).catch(() => signal.throwIfAborted());
    }
  }

  async add(args: IpamAddArgs, { signal }: ServiceOptions): ServiceResult<IpamAddResponse> {
    if (this.#flaw === "hangs") return await new Promise(() => {});
    if (this.#flaw === "throws") throw new Error("a bug");
    try {
      const { podNamespace: namespace, podName: name } = args;
      const pod = done(await this.#ports.store.get(PODS, { namespace, name }, { signal }));
      const uid = pod.metadata.uid ?? "";
      if ((args.podUID !== "" && args.podUID !== uid) || isDead(pod)) return refuse("wrong pod");
      const want = wantsOfPod(pod).find(({ nic }) => nic === args.ifName);
      if (want === undefined) return refuse("unknown NIC");
      const got: Got[] = [];
      for (const [version, pools] of [[4, want.ipv4], [6, want.ipv6]] as const) {
        if (pools.length === 0) continue;
        const taken = await this.#take(args, { pod, version, pools, signal });
        if (!taken.ok) {
          await this.#undo(args, { signal });
          return taken;
        }
        got.push(taken.value);
      }
      if (this.#flaw !== "lists_nothing") await this.#list(pod, { want, got, signal });
      return ok(answerOf(args.ifName, got));
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      await this.#undo(args, { signal });
      return refuse(error.message);
    }
  }

  /** Gives back what a refused ADD took. */
  async #undo(
    { containerID, ifName }: IpamAddArgs,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    for (const claim of await this.#claims({ signal })) {
      const isOwn = claim.spec.containerID === containerID && claim.spec.nic === ifName;
      if (isOwn) await this.#free(claim, { signal });
    }
  }

  async release(args: IpamDelArgs, { signal }: ServiceOptions): ServiceResult<void> {
    if (this.#flaw === "frees_nothing") return ok(undefined);
    const { podNamespace: namespace, podName: name } = args;
    const pod = await this.#ports.store.get(PODS, { namespace, name }, { signal });
    if (!pod.ok && pod.error.code !== "not_found") return refuse(pod.error.message);
    const claims = await this.#ports.store.list(SPIDER_IPS, { signal });
    if (!claims.ok) return refuse(claims.error.message);
    for (const claim of claims.value.items) {
      const { spec } = claim;
      if (spec.podNamespace !== namespace || spec.podName !== name) continue;
      const isOwn = spec.containerID === args.containerID && spec.nic === args.ifName;
      const lives = pod.ok && pod.value.metadata.uid === spec.podUID && !isDead(pod.value);
      if (this.#flaw === "frees_by_name" || (isOwn && !lives)) await this.#free(claim, { signal });
    }
    return ok(undefined);
  }

  releaseAll(): ServiceResult<void> {
    return Promise.resolve(ok(undefined));
  }

  async settle({ signal }: ServiceOptions): ServiceResult<void> {
    if (this.#flaw === "frees_nothing") return ok(undefined);
    for (const claim of await this.#claims({ signal })) {
      const { podNamespace: namespace = "", podName: name = "", podUID = "", node } = claim.spec;
      if (node !== this.#settings.nodeName) continue;
      const pod = await this.#ports.store.get(PODS, { namespace, name }, { signal });
      if (!pod.ok && pod.error.code !== "not_found") continue;
      if (pod.ok && pod.value.metadata.uid === podUID && !isDead(pod.value)) continue;
      const sandbox = await this.#ports.sandboxOf(podUID);
      if (sandbox === "absent") await this.#free(claim, { signal });
    }
    return ok(undefined);
  }

  endpoint(): ReturnType<AgentUnderTest["endpoint"]> {
    return Promise.resolve(err({ status: 404, message: "not needed" }));
  }

  coordinatorConfig(): ReturnType<AgentUnderTest["coordinatorConfig"]> {
    return Promise.resolve(err({ status: 500, message: "not needed" }));
  }

  async #take(
    args: IpamAddArgs,
    { pod, version, pools, signal }: {
      readonly pod: Pod;
      readonly version: 4 | 6;
      readonly pools: readonly string[];
      readonly signal: AbortSignal;
    },
  ): Promise<Result<Got, { readonly status: 500; readonly message: string }>> {
    const { uid = "", namespace = "", name } = pod.metadata;
    const claims = await this.#claims({ signal });
    const taken = new Set(claims.map(({ spec }) => spec.ip));
    const own = claims.find(({ spec }) =>
      spec.podUID === uid && spec.nic === args.ifName && spec.ip.includes(":") === (version === 6)
    );
    if (this.#flaw === "says_full") return refuse("all IP addresses used out");
    for (const poolName of this.#flaw === "reverses_pools" ? pools.toReversed() : pools) {
      const { store } = this.#ports;
      const { spec } = done(await store.get(SPIDER_IP_POOLS, { name: poolName }, { signal }));
      const { ips: ranges = [], excludeIPs = [], subnet } = spec;
      const got = { version, prefix: subnet.split("/")[1] ?? "", pool: poolName };
      if (own !== undefined && this.#flaw !== "changes_its_mind") {
        if (own.spec.pool !== poolName) continue;
        const { ip, containerID } = own.spec;
        if (this.#flaw !== "keeps_sandbox" && containerID !== args.containerID) {
          const moved = { ...own, spec: { ...own.spec, containerID: args.containerID } };
          done(await store.replace(SPIDER_IPS, moved, { signal }));
        }
        return ok({ ...got, address: ip });
      }
      const reserved = done(await store.list(SPIDER_RESERVED_IPS, { signal })).items;
      const barred = new Set([
        ...addressesOf(excludeIPs),
        ...reserved.flatMap((one) => addressesOf(one.spec.ips ?? [])),
      ]);
      if (this.#flaw === "takes_excluded") barred.clear();
      for (const address of addressesOf(ranges)) {
        if (taken.has(address) || barred.has(address)) continue;
        if (this.#flaw === "claims_nothing") return ok({ ...got, address });
        const created = await store.create(
          SPIDER_IPS,
          claimOf(args, { address, pool: poolName, uid, node: this.#settings.nodeName }),
          { signal },
        );
        if (created.ok) return ok({ ...got, address });
        if (created.error.code !== "already_exists") done(created);
      }
    }
    return refuse(`all IP addresses used out for ${namespace}/${name}`);
  }

  async #list(
    pod: Pod,
    { want, got, signal }: {
      readonly want: NicWant;
      readonly got: readonly Got[];
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const { store } = this.#ports;
    const { namespace = "", name, uid = "" } = pod.metadata;
    const found = await store.get(SPIDER_ENDPOINTS, { namespace, name }, { signal });
    const current = found.ok ? found.value.status?.current : undefined;
    const others = current?.uid === uid
      ? current.ips.filter((one) => one.interface !== want.nic)
      : [];
    const detail = {
      interface: want.nic,
      vlan: 0,
      ...Object.fromEntries(got.flatMap(({ version, address, prefix, pool }) => [
        [`ipv${version}`, `${address}/${prefix}`],
        [`ipv${version}Pool`, pool],
      ])),
    };
    const endpoint: SpiderEndpoint = {
      apiVersion: SPIDERPOOL_API_VERSION,
      kind: "SpiderEndpoint",
      metadata: {
        ...(found.ok ? found.value.metadata : { namespace, name }),
        ownerReferences: [{ apiVersion: "v1", kind: "Pod", name, uid }],
      },
      status: {
        current: { uid, node: this.#settings.nodeName, ips: [...others, detail] },
        ownerControllerType: "Pod",
        ownerControllerName: name,
      },
    };
    if (found.ok) done(await store.replace(SPIDER_ENDPOINTS, endpoint, { signal }));
    else done(await store.create(SPIDER_ENDPOINTS, endpoint, { signal }));
  }

  async #claims({ signal }: { readonly signal: AbortSignal }): Promise<readonly SpiderIp[]> {
    return done(await this.#ports.store.list(SPIDER_IPS, { signal })).items;
  }

  async #free(
    { metadata: { name, uid, resourceVersion } }: SpiderIp,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const preconditions = { uid, resourceVersion };
    await this.#ports.store.remove(SPIDER_IPS, { name }, { signal, preconditions });
  }
}

function claimOf(
  args: IpamAddArgs,
  { address, pool, uid, node }: {
    readonly address: string;
    readonly pool: string;
    readonly uid: string;
    readonly node: string;
  },
): SpiderIp {
  const name = formatObjectName(expectOk(parseAddress(address), "pools hold addresses"));
  const { podNamespace, podName, containerID, ifName: nic } = args;
  return {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind: "SpiderIP",
    metadata: { name },
    spec: { ip: address, pool, podNamespace, podName, podUID: uid, containerID, nic, node },
  };
}

function answerOf(nic: string, got: readonly Got[]): IpamAddResponse {
  return {
    ips: got.map(({ version, address, prefix, pool }) => ({
      version,
      address: `${address}/${prefix}`,
      ipPool: pool,
      nic,
      gateway: "",
      vlan: 0,
      enableGatewayDetection: false,
      enableIPConflictDetection: false,
    })),
    routes: [],
  };
}

function done<T>(result: StoreResult<T>): T {
  if (result.ok) return result.value;
  throw new StoreFailure(result.error);
}

function refuse(
  message: string,
): Result<never, { readonly status: 500; readonly message: string }> {
  return err({ status: 500, message });
}
