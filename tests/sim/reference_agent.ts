/** An agent of the reference's form, as far as taking over from it matters. */
import type { IpamAddArgs, IpamAddResponse, WorkloadEndpointStatus } from "../../src/api/agent.ts";
import { SPIDER_ENDPOINTS } from "../../src/api/endpoint.ts";
import { SPIDERPOOL_API_VERSION, SPIDERPOOL_FINALIZER } from "../../src/api/group.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import { formatAllocatedIps, readAllocatedIps } from "../../src/api/ip_pool_records.ts";
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import type { ServiceOptions, ServiceResult } from "../../src/agent/service.ts";
import { err, expectOk, ok, type Result } from "../../src/base/result.ts";
import type { AgentPorts, AgentSettings, AgentUnderTest } from "./agent_ports.ts";
import { addressesOf } from "./pools.ts";
import { type NicWant, wantsOfPod } from "./pods.ts";

/** Tries of one write of a pool's status. */
const ATTEMPTS = 5;

type Refusal = { readonly status: 500; readonly message: string };

/**
 * Records who has what in the pool's status: reads it, adds a record, writes it whole with its
 * resourceVersion, and knows no other field of it. It releases nothing: that is left to its
 * garbage collection, which is not part of the simulation.
 */
export class ReferenceAgent implements AgentUnderTest {
  readonly #ports: AgentPorts;
  readonly #settings: AgentSettings;
  #isReady = false;

  constructor(ports: AgentPorts, settings: AgentSettings) {
    this.#ports = ports;
    this.#settings = settings;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  async run({ signal }: { readonly signal: AbortSignal }): Promise<never> {
    await this.#ports.clock.sleep(500, { signal });
    this.#isReady = true;
    for (;;) await this.#ports.clock.sleep(60_000, { signal });
  }

  async add(args: IpamAddArgs, { signal }: ServiceOptions): ServiceResult<IpamAddResponse> {
    const { podNamespace: namespace, podName: name, ifName } = args;
    const pod = await this.#ports.store.get(PODS, { namespace, name }, { signal });
    if (!pod.ok) return refuse(pod.error.message);
    const want = wantsOfPod(pod.value).find(({ nic }) => nic === ifName);
    if (pod.value.metadata.uid !== args.podUID || want === undefined) return refuse("unknown pod");
    const ips: { version: 4 | 6; address: string; pool: string }[] = [];
    for (const [version, pools] of [[4, want.ipv4], [6, want.ipv6]] as const) {
      if (pools.length === 0) continue;
      const taken = await this.#takeOfAny(pod.value, pools, { signal });
      if (!taken.ok) return taken;
      ips.push({ version, ...taken.value });
    }
    const stored = await this.#writeEndpoint(pod.value, { nic: ifName, ips, want }, { signal });
    if (!stored.ok) return stored;
    return ok({
      ips: ips.map(({ version, address, pool }) => ({
        version,
        address,
        ipPool: pool,
        nic: ifName,
        gateway: "",
        vlan: 0,
        enableGatewayDetection: false,
        enableIPConflictDetection: false,
      })),
      routes: [],
    });
  }

  release(): ServiceResult<void> {
    return Promise.resolve(ok(undefined));
  }

  releaseAll(): ServiceResult<void> {
    return Promise.resolve(ok(undefined));
  }

  settle(): ServiceResult<void> {
    return Promise.resolve(ok(undefined));
  }

  endpoint(): ServiceResult<WorkloadEndpointStatus> {
    return Promise.resolve(err({ status: 404, message: "not simulated" }));
  }

  coordinatorConfig(): ReturnType<AgentUnderTest["coordinatorConfig"]> {
    return Promise.resolve(err({ status: 500, message: "not simulated" }));
  }

  async #takeOfAny(
    pod: Pod,
    pools: readonly string[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<{ readonly address: string; readonly pool: string }, Refusal>> {
    let last: Result<never, Refusal> = refuse("no pool");
    for (const pool of pools) {
      const taken = await this.#take(pod, pool, { signal });
      if (taken.ok) return taken;
      last = taken;
    }
    return last;
  }

  async #take(
    pod: Pod,
    pool: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<{ readonly address: string; readonly pool: string }, Refusal>> {
    const { store, clock } = this.#ports;
    const { namespace, name: podName, uid: podUid = "" } = pod.metadata;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const read = await store.get(SPIDER_IP_POOLS, { name: pool }, { signal });
      if (!read.ok) return refuse(read.error.message);
      const { spec, status } = read.value;
      const records = { ...expectOk(readAllocatedIps(status?.allocatedIPs), "records are read") };
      const isSticky = pod.metadata.ownerReferences?.[0]?.kind === "StatefulSet";
      const own = Object.entries(records).find(([, record]) =>
        record.podUid === podUid || (isSticky && record.pod === `${namespace}/${podName}`)
      )?.[0];
      const excluded = new Set(addressesOf(spec.excludeIPs ?? []));
      const free = addressesOf(spec.ips ?? []).find((one) =>
        !excluded.has(one) && !(one in records)
      );
      const address = own ?? free;
      if (address === undefined) return refuse("all IP addresses used out");
      records[address] = { pod: `${namespace}/${podName}`, podUid };
      const written = await store.replaceStatus(
        SPIDER_IP_POOLS,
        withRecords(read.value, formatAllocatedIps(Object.entries(records))),
        { signal },
      );
      const prefix = spec.subnet.split("/")[1];
      if (written.ok) return ok({ address: `${address}/${prefix}`, pool });
      if (written.error.code !== "conflict") return refuse(written.error.message);
      await clock.sleep(10 * 1.5 ** attempt, { signal });
    }
    return refuse("exhaust all retries");
  }

  async #writeEndpoint(
    pod: Pod,
    { nic, ips, want }: {
      readonly nic: string;
      readonly ips: readonly { readonly version: 4 | 6; address: string; pool: string }[];
      readonly want: NicWant;
    },
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<void, Refusal>> {
    const { store } = this.#ports;
    const { namespace = "", name, uid = "" } = pod.metadata;
    const owner = pod.metadata.ownerReferences?.[0];
    const detail = {
      interface: want.nic,
      vlan: 0,
      ...Object.fromEntries(ips.flatMap(({ version, address, pool }) => [
        [`ipv${version}`, address],
        [`ipv${version}Pool`, pool],
      ])),
    };
    const found = await store.get(SPIDER_ENDPOINTS, { namespace, name }, { signal });
    if (!found.ok && found.error.code !== "not_found") return refuse(found.error.message);
    const old = found.ok && found.value.status?.current.uid === uid
      ? found.value.status.current.ips.filter((one) => one.interface !== nic)
      : [];
    const reference = { apiVersion: "v1", kind: "Pod", name, uid };
    const object = {
      apiVersion: SPIDERPOOL_API_VERSION,
      kind: "SpiderEndpoint",
      metadata: {
        ...(found.ok ? found.value.metadata : { namespace, name }),
        finalizers: [SPIDERPOOL_FINALIZER],
        ...(owner?.kind !== "StatefulSet" && { ownerReferences: [reference] }),
      },
      status: {
        current: { uid, node: this.#settings.nodeName, ips: [...old, detail] },
        ownerControllerType: owner?.kind ?? "Pod",
        ownerControllerName: owner?.name ?? name,
      },
    } as const;
    const written = found.ok
      ? await store.replace(SPIDER_ENDPOINTS, object, { signal })
      : await store.create(SPIDER_ENDPOINTS, object, { signal });
    return written.ok ? ok(undefined) : refuse(written.error.message);
  }
}

/** The pool with records, and without every field of status that the reference does not know. */
function withRecords(pool: SpiderIpPool, allocatedIPs: string | undefined): SpiderIpPool {
  const count = Object.keys(expectOk(readAllocatedIps(allocatedIPs), "records are read")).length;
  return {
    ...pool,
    status: {
      ...(allocatedIPs !== undefined && { allocatedIPs }),
      allocatedIPCount: count,
      totalIPCount: addressesOf(pool.spec.ips ?? []).length,
    },
  };
}

function refuse(message: string): Result<never, Refusal> {
  return err({ status: 500, message });
}
