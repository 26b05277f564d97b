/** An agent of the reference's form, as far as taking over from it matters. */
import type { IpamAddArgs, IpamAddResponse, WorkloadEndpointStatus } from "../../src/api/agent.ts";
import { type EndpointNic, SPIDER_ENDPOINTS, type SpiderEndpoint } from "../../src/api/endpoint.ts";
import { ANNOTATION_IP_POOLS } from "../../src/api/annotations.ts";
import { SPIDERPOOL_API_VERSION, SPIDERPOOL_FINALIZER } from "../../src/api/group.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import {
  type AllocationRecord,
  formatAllocatedIps,
  readAllocatedIps,
} from "../../src/api/ip_pool_records.ts";
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import type { ServiceOptions, ServiceResult } from "../../src/agent/service.ts";
import { err, expectOk, ok, type Result } from "../../src/base/result.ts";
import type { AgentPorts, AgentSettings, AgentUnderTest } from "./agent_ports.ts";
import { addressesOf } from "./pools.ts";
import { type NicWant, wantsOfPod } from "./pods.ts";

/** Tries of one write of a pool's status. */
const ATTEMPTS = 5;

type Refusal = { readonly status: 500; readonly message: string };

/** A pod's endpoint, and what is to be in it. */
interface Known {
  readonly endpoint: SpiderEndpoint | undefined;
  readonly nics: readonly EndpointNic[];
}

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
    if (pod.value.metadata.uid !== args.podUID) return refuse("unknown pod");
    const found = await this.#ports.store.get(SPIDER_ENDPOINTS, { namespace, name }, { signal });
    if (!found.ok && found.error.code !== "not_found") return refuse(found.error.message);
    const endpoint = found.ok ? found.value : undefined;
    const known = nicsOf(endpoint, pod.value);
    const at = placeOf(known, ifName);
    const nics = [...known];
    if (at === undefined) {
      for (const want of wantsAtOnce(pod.value, ifName)) {
        const named = await this.#named(want, { signal });
        if (!named.ok) return named;
        const taken = await this.#takeAll(pod.value, named.value, { signal });
        if (!taken.ok) return taken;
        nics.push(taken.value);
      }
    } else {
      const bound = await this.#rebind(pod.value, { endpoint, nics }, { signal });
      if (!bound.ok) return bound;
      nics[at] = { ...nics[at], interface: ifName, vlan: 0 };
    }
    if (!isSaid(endpoint, { pod: pod.value, node: this.#settings.nodeName, nics })) {
      const stored = await this.#writeEndpoint(pod.value, { endpoint, nics }, { signal });
      if (!stored.ok) return stored;
    }
    const own = nics[placeOf(nics, ifName) ?? 0];
    return own === undefined ? refuse("unknown NIC") : ok({ ips: answerOf(own), routes: [] });
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

  /** What a NIC wants, where it names no pools: the cluster's default ones. */
  async #named(
    want: NicWant,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<NicWant, Refusal>> {
    if (want.ipv4.length + want.ipv6.length > 0) return ok(want);
    const listed = await this.#ports.store.list(SPIDER_IP_POOLS, { signal });
    if (!listed.ok) return refuse(listed.error.message);
    const names = (isIpv6: boolean): readonly string[] => {
      return listed.value.items.filter(({ spec }) => {
        return spec.default && spec.subnet.includes(":") === isIpv6;
      }).map(({ metadata }) => metadata.name);
    };
    return ok({ nic: want.nic, ipv4: names(false), ipv6: names(true) });
  }

  /** Both families of a NIC. */
  async #takeAll(
    pod: Pod,
    want: NicWant,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<EndpointNic, Refusal>> {
    let nic: EndpointNic = { interface: want.nic, vlan: 0 };
    for (const [version, pools] of [[4, want.ipv4], [6, want.ipv6]] as const) {
      let refusal: Result<never, Refusal> | undefined;
      for (const pool of pools) {
        const taken = await this.#take(pod, pool, { signal });
        refusal = taken.ok ? undefined : taken;
        if (!taken.ok) continue;
        const { address } = taken.value;
        nic = version === 4
          ? { ...nic, ipv4: address, ipv4Pool: pool }
          : { ...nic, ipv6: address, ipv6Pool: pool };
        break;
      }
      if (refusal !== undefined) return refusal;
    }
    return ok(nic);
  }

  async #take(
    pod: Pod,
    pool: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<{ readonly address: string; readonly pool: string }, Refusal>> {
    const { namespace, name: podName, uid: podUid = "" } = pod.metadata;
    const isSticky = pod.metadata.ownerReferences?.[0]?.kind === "StatefulSet";
    const edited = await this.#editRecords(pool, {
      signal,
      edit: (records, { spec }) => {
        const own = Object.entries(records).find(([, record]) =>
          record.podUid === podUid || (isSticky && record.pod === `${namespace}/${podName}`)
        )?.[0];
        const excluded = new Set(addressesOf(spec.excludeIPs ?? []));
        const free = addressesOf(spec.ips ?? []).find((one) =>
          !excluded.has(one) && !(one in records)
        );
        const address = own ?? free;
        if (address === undefined) return err("all IP addresses used out");
        records[address] = { pod: `${namespace}/${podName}`, podUid };
        return ok(`${address}/${spec.subnet.split("/")[1]}`);
      },
    });
    return edited.ok ? ok({ address: edited.value, pool }) : edited;
  }

  /** Reads a pool's records, and writes them back whole where the edit changed them. */
  async #editRecords<T>(
    name: string,
    { edit, signal }: {
      readonly edit: (
        records: Record<string, AllocationRecord>,
        pool: SpiderIpPool,
      ) => Result<T, string>;
      readonly signal: AbortSignal;
    },
  ): Promise<Result<T, Refusal>> {
    const { store, clock } = this.#ports;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const read = await store.get(SPIDER_IP_POOLS, { name }, { signal });
      if (!read.ok) return refuse(read.error.message);
      const { status } = read.value;
      const records = { ...expectOk(readAllocatedIps(status?.allocatedIPs), "records are read") };
      const before = formatAllocatedIps(Object.entries(records));
      const edited = edit(records, read.value);
      if (!edited.ok) return refuse(edited.error);
      const after = formatAllocatedIps(Object.entries(records));
      if (after === before) return ok(edited.value);
      const next = withRecords(read.value, after);
      const written = await store.replaceStatus(SPIDER_IP_POOLS, next, { signal });
      if (written.ok) return ok(edited.value);
      if (written.error.code !== "conflict") return refuse(written.error.message);
      await clock.sleep(10 * 1.5 ** attempt, { signal });
    }
    return refuse("exhaust all retries");
  }

  /**
   * Writes the pod's UID into the records of what its endpoint lists, where it lists them for one
   * of the same name before it. An address without a record is passed over in silence.
   */
  async #rebind(
    pod: Pod,
    { endpoint, nics }: Known,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<void, Refusal>> {
    const { namespace, name, uid: podUid = "" } = pod.metadata;
    if (endpoint?.status?.current.uid === podUid) return ok(undefined);
    const listed = nics.flatMap(({ ipv4, ipv4Pool, ipv6, ipv6Pool }) =>
      [[ipv4Pool, ipv4], [ipv6Pool, ipv6]].map(([pool = "", text = ""]) => {
        return { pool, address: text.split("/")[0] ?? "" };
      })
    ).filter(({ pool }) => pool !== "");
    for (const [pool, own] of Map.groupBy(listed, (one) => one.pool)) {
      const edited = await this.#editRecords(pool, {
        signal,
        edit: (records) => {
          for (const { address } of own) {
            const record = records[address];
            if (record === undefined) continue;
            if (record.pod !== `${namespace}/${name}`) return err("data broken");
            records[address] = { ...record, podUid };
          }
          return ok(undefined);
        },
      });
      if (!edited.ok) return edited;
    }
    return ok(undefined);
  }

  async #writeEndpoint(
    pod: Pod,
    { endpoint, nics }: Known,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<Result<void, Refusal>> {
    const { store } = this.#ports;
    const { namespace = "", name, uid = "" } = pod.metadata;
    const owner = pod.metadata.ownerReferences?.[0];
    const reference = { apiVersion: "v1", kind: "Pod", name, uid };
    const object = {
      apiVersion: SPIDERPOOL_API_VERSION,
      kind: "SpiderEndpoint",
      metadata: {
        ...(endpoint === undefined ? { namespace, name } : endpoint.metadata),
        finalizers: [SPIDERPOOL_FINALIZER],
        ...(owner?.kind !== "StatefulSet" && { ownerReferences: [reference] }),
      },
      status: {
        current: { uid, node: this.#settings.nodeName, ips: nics },
        ownerControllerType: owner?.kind ?? "Pod",
        ownerControllerName: owner?.name ?? name,
      },
    } as const;
    const written = endpoint === undefined
      ? await store.create(SPIDER_ENDPOINTS, object, { signal })
      : await store.replace(SPIDER_ENDPOINTS, object, { signal });
    return written.ok ? ok(undefined) : refuse(written.error.message);
  }
}

/** Whether an endpoint says all of it already. */
function isSaid(
  endpoint: SpiderEndpoint | undefined,
  { pod, node, nics }: {
    readonly pod: Pod;
    readonly node: string;
    readonly nics: readonly EndpointNic[];
  },
): boolean {
  const current = endpoint?.status?.current;
  if (current?.uid !== pod.metadata.uid || current?.node !== node) return false;
  const names = (list: readonly EndpointNic[]): string => list.map((nic) => nic.interface).join();
  return names(current.ips) === names(nics);
}

/** What an endpoint lists for a pod, of a StatefulSet also for one of the same name before it. */
function nicsOf(
  endpoint: SpiderEndpoint | undefined,
  { metadata }: Pod,
): readonly EndpointNic[] {
  const current = endpoint?.status?.current;
  const isSticky = metadata.ownerReferences?.[0]?.kind === "StatefulSet";
  return current !== undefined && (isSticky || current.uid === metadata.uid) ? current.ips : [];
}

/** The entry of a NIC: with its name, else the first without one. */
function placeOf(nics: readonly EndpointNic[], name: string): number | undefined {
  const named = nics.findIndex((nic) => nic.interface === name);
  const found = named >= 0 ? named : nics.findIndex((nic) => nic.interface === "");
  return found < 0 ? undefined : found;
}

/** The NICs that are given addresses together: all that one annotation lists. */
function wantsAtOnce(pod: Pod, name: string): readonly NicWant[] {
  const wants = wantsOfPod(pod);
  const list = pod.metadata.annotations?.[ANNOTATION_IP_POOLS];
  if (list === undefined) return wants.filter(({ nic }) => nic === name);
  const isNamed = list.includes('"interface"');
  return isNamed ? wants : wants.map((want, at) => at === 0 ? want : { ...want, nic: "" });
}

function answerOf(nic: EndpointNic): IpamAddResponse["ips"] {
  const { ipv4, ipv6, ipv4Pool, ipv6Pool } = nic;
  return ([[4, ipv4, ipv4Pool], [6, ipv6, ipv6Pool]] as const).flatMap(
    ([version, address, pool]) =>
      address === undefined ? [] : [{
        version,
        address,
        ipPool: pool ?? "",
        nic: nic.interface,
        gateway: "",
        vlan: 0,
        enableGatewayDetection: false,
        enableIPConflictDetection: false,
      }],
  );
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
