/**
 * The engine of an agent without Kubernetes: the same engine, over objects that stand for
 * containers. A container is known by its ID, and gets its addresses by NIC.
 */
import type { Log } from "../../base/log.ts";
import { keyOf, type StoreError, StoreFailure } from "../../base/object_store.ts";
import { err, ok, type Result } from "../../base/result.ts";
import {
  AGENT_STATUS,
  type CoordinatorArgs,
  type CoordinatorConfig,
  type IpamAddArgs,
  type IpamAddResponse,
  type IpamBatchDelArgs,
  type IpamDelArgs,
  type WorkloadEndpointStatus,
} from "../../api/agent.ts";
import { HOST_RULE_TABLE_DEFAULT, VETH_MTU_DEFAULT } from "../../api/coordinator_mode.ts";
import { type Pod, PODS } from "../../api/kubernetes/pod.ts";
import { STATEFUL_SETS, type StatefulSet } from "../../api/kubernetes/workload.ts";
import type { EngineStore } from "../../store/engine_store.ts";
import type {
  AgentEngine,
  EndpointQuestion,
  ServiceFailure,
  ServiceOptions,
  ServiceResult,
} from "../service.ts";
import {
  CONTAINER_NAMESPACE,
  type ContainerFacts,
  containerFacts,
  containerLabelValue,
  type ContainerNic,
  containerPod,
  fixedNameProblem,
  fixedSet,
  isSameNic,
  LABEL_CONTAINER,
  plainPodName,
  type SeenNetns,
} from "./containers.ts";
import type { Janitor } from "./janitor.ts";
import type { LookAtNetns } from "./ports.ts";

/** Times that a Pod is looked at again because somebody else changed it. */
const TRIES_MAX = 8;

/** What it is made of. */
export interface StandaloneEngineOptions {
  readonly inner: AgentEngine;
  readonly store: EngineStore;
  readonly janitor: Janitor;
  readonly log: Log;
  readonly lookAtNetns: LookAtNetns;
  readonly nodeName: string;
  /** Further work that runs as long as the engine. */
  readonly alongside: readonly ((options: ServiceOptions) => Promise<never>)[];
}

/** Gives the containers of one machine their addresses. Names of pods are not looked at. */
export class StandaloneEngine implements AgentEngine {
  readonly #options: StandaloneEngineOptions;

  constructor(options: StandaloneEngineOptions) {
    this.#options = options;
  }

  get isReady(): boolean {
    return this.#options.inner.isReady;
  }

  get problem(): string | undefined {
    return this.#options.inner.problem;
  }

  ready(options: ServiceOptions): Promise<void> {
    return this.#options.inner.ready(options);
  }

  async run({ signal }: ServiceOptions): Promise<never> {
    const { inner, janitor, alongside } = this.#options;
    const found = (options: ServiceOptions) => inner.settle(options);
    const looking = async (): Promise<never> => {
      await inner.ready({ signal });
      return await janitor.run({ signal, found });
    };
    await Promise.all([
      inner.run({ signal }),
      looking(),
      ...alongside.map((work) => work({ signal })),
    ]);
    throw new Error("An engine ends with its signal only");
  }

  /** Its Pod is made first: it is what the addresses belong to. */
  async add(
    { fixed, ...args }: IpamAddArgs,
    options: ServiceOptions,
  ): ServiceResult<IpamAddResponse> {
    const problem = fixed === undefined ? undefined : fixedNameProblem(fixed);
    if (problem !== undefined) return failed(problem);
    const pod = await this.#podOf(args, { fixed, ...options });
    return pod.ok ? await this.#options.inner.add({ ...args, ...named(pod.value) }, options) : pod;
  }

  /** Its Pod goes first: with it the container has no right to the addresses any more. */
  async release(args: IpamDelArgs, options: ServiceOptions): ServiceResult<void> {
    const { inner, nodeName } = this.#options;
    const { containerID, ifName: nic } = args;
    const pods = await this.#pods({ containerID, nic }, options);
    if (!pods.ok) return pods;
    // Without a Pod what an earlier DEL could not free is left, if anything.
    const name = plainPodName({ containerID, nic, node: nodeName });
    const rest = { podNamespace: CONTAINER_NAMESPACE, podName: name, podUID: "" };
    if (pods.value.length === 0) return await inner.release({ ...args, ...rest }, options);
    for (const pod of pods.value) {
      const removed = await this.#remove(pod, options);
      if (!removed.ok) return removed;
      const released = await inner.release({ ...args, ...named(pod) }, options);
      if (!released.ok) return released;
    }
    return ok(undefined);
  }

  async releaseAll(args: IpamBatchDelArgs, options: ServiceOptions): ServiceResult<void> {
    const pods = await this.#pods({ containerID: args.containerID }, options);
    if (!pods.ok) return pods;
    for (const pod of pods.value) {
      const released = await this.#options.inner.releaseAll({ ...args, ...named(pod) }, options);
      if (!released.ok) return released;
    }
    return ok(undefined);
  }

  /** Looks for containers that are gone as well. */
  async settle(options: ServiceOptions): ServiceResult<void> {
    const { janitor, inner } = this.#options;
    try {
      await janitor.sweep(options);
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      return failed(error.message);
    }
    return await inner.settle(options);
  }

  async endpoint(
    { nic: asked }: EndpointQuestion,
    options: ServiceOptions,
  ): ServiceResult<WorkloadEndpointStatus> {
    const { containerID = "", ifName: nic = "" } = asked ?? {};
    const pods = await this.#pods({ containerID, nic }, options);
    if (!pods.ok) return pods;
    const [pod] = pods.value;
    if (pod !== undefined) return await this.#options.inner.endpoint(named(pod), options);
    const message = `Nothing is recorded for NIC "${nic}" of container "${containerID}"`;
    return err({ status: AGENT_STATUS.notFound, message });
  }

  /** There is no SpiderCoordinator: the plugin's own configuration says what is asked for. */
  coordinatorConfig(
    _args: CoordinatorArgs,
    _options: ServiceOptions,
  ): ServiceResult<CoordinatorConfig> {
    return Promise.resolve(ok(PLAIN_COORDINATOR));
  }

  /** The Pod of a NIC, made or brought up to date. */
  async #podOf(
    { containerID, ifName: nic, netNamespace }: IpamAddArgs,
    { fixed, signal }: { readonly fixed: string | undefined; readonly signal: AbortSignal },
  ): ServiceResult<Pod> {
    const { nodeName: node, store, janitor } = this.#options;
    const netns = await this.#seen(netNamespace, containerID);
    const facts: ContainerFacts = { containerID, nic, node, ...(netns && { netns }) };
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      const set = fixed === undefined ? ok(undefined) : await this.#setOf({ fixed, nic, signal });
      if (!set.ok) return set;
      const { podName: name, stored } = set.value ??
        { podName: plainPodName(facts), stored: undefined };
      const wanted = containerPod(name, { facts, set: stored });
      const found = await store.get(PODS, { namespace: CONTAINER_NAMESPACE, name }, { signal });
      if (!found.ok && found.error.code !== "not_found") return failedBy(found.error);
      if (found.ok && !isSameNic(containerFacts(found.value), facts)) {
        // Whoever has the name may have ended without a word.
        if (await janitor.removeIfGone(found.value, { signal })) continue;
        return failed(heldText(fixed ?? name, { by: containerFacts(found.value), facts }));
      }
      const { uid, resourceVersion } = found.ok ? found.value.metadata : {};
      const written = found.ok
        ? await store.replace(PODS, {
          ...wanted,
          metadata: { ...wanted.metadata, uid, resourceVersion },
        }, { signal })
        : await store.create(PODS, wanted, { signal });
      if (written.ok) return written;
      const { code } = written.error;
      const isRaced = code === "already_exists" || code === "conflict" || code === "not_found";
      if (!isRaced) return failedBy(written.error);
    }
    return failed(`Cannot record container "${containerID}": others change it without end`);
  }

  async #setOf(
    { fixed, nic, signal }: {
      readonly fixed: string;
      readonly nic: string;
      readonly signal: AbortSignal;
    },
  ): ServiceResult<{ readonly podName: string; readonly stored: StatefulSet }> {
    const { store } = this.#options;
    const { set, podName } = fixedSet({ fixed, nic });
    for (;;) {
      const found = await store.get(STATEFUL_SETS, keyOf(set), { signal });
      if (found.ok) return ok({ podName, stored: found.value });
      if (found.error.code !== "not_found") return failedBy(found.error);
      const made = await store.create(STATEFUL_SETS, set, { signal });
      if (made.ok) return ok({ podName, stored: made.value });
      if (made.error.code !== "already_exists") return failedBy(made.error);
    }
  }

  /** How to know later that the network namespace is gone. */
  async #seen(path: string, container: string): Promise<SeenNetns | undefined> {
    const { lookAtNetns, log } = this.#options;
    const state = await lookAtNetns(path);
    if (state.kind === "there") return { path, identity: state.identity };
    const why = state.kind === "unknown" ? state.why : "there is none";
    log.warn("network namespace not seen: only a DEL frees the addresses", {
      container,
      netns: path,
      why,
    });
    return undefined;
  }

  /** The Pods of a container of this machine: of one NIC, or of all. */
  async #pods(
    { containerID, nic }: Partial<ContainerNic> & Pick<ContainerNic, "containerID">,
    { signal }: ServiceOptions,
  ): ServiceResult<readonly Pod[]> {
    const { store, nodeName } = this.#options;
    const listed = await store.list(PODS, {
      namespace: CONTAINER_NAMESPACE,
      labelSelector: `${LABEL_CONTAINER}=${containerLabelValue(containerID)}`,
      fieldSelector: `spec.nodeName=${nodeName}`,
      signal,
    });
    if (!listed.ok) return failedBy(listed.error);
    return ok(listed.value.items.filter((pod) => {
      const facts = containerFacts(pod);
      return facts.containerID === containerID && (nic === undefined || facts.nic === nic);
    }));
  }

  async #remove(pod: Pod, { signal }: ServiceOptions): ServiceResult<void> {
    const preconditions = { uid: pod.metadata.uid };
    const removed = await this.#options.store.remove(PODS, keyOf(pod), { preconditions, signal });
    if (removed.ok) return ok(undefined);
    const { code } = removed.error;
    return code === "not_found" || code === "conflict" ? ok(undefined) : failedBy(removed.error);
  }
}

/** What a SpiderCoordinator says where its user wrote nothing. There are no cluster's networks. */
const PLAIN_COORDINATOR: CoordinatorConfig = {
  mode: "auto",
  overlayPodCIDR: [],
  serviceCIDR: [],
  hijackCIDR: [],
  policyRoutes: [],
  tunePodRoutes: true,
  podMACPrefix: "",
  podDefaultRouteNIC: "",
  hostRuleTable: HOST_RULE_TABLE_DEFAULT,
  podRPFilter: 0,
  txQueueLen: 0,
  vethLinkAddress: "",
  vethMTU: VETH_MTU_DEFAULT,
};

function named({ metadata: { name, uid = "" } }: Pod): {
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUID: string;
} {
  return { podNamespace: CONTAINER_NAMESPACE, podName: name, podUID: uid };
}

function heldText(
  fixed: string,
  { by, facts }: { readonly by: ContainerFacts; readonly facts: ContainerFacts },
): string {
  const where = by.node === facts.node ? "" : ` of node "${by.node}"`;
  return `Cannot give container "${facts.containerID}" the addresses kept as "${fixed}": ` +
    `container "${by.containerID}"${where} has them on NIC "${by.nic}"; remove that container ` +
    `first, or take another name`;
}

function failed(message: string): Result<never, ServiceFailure> {
  return err({ status: AGENT_STATUS.failed, message });
}

function failedBy({ message }: StoreError): Result<never, ServiceFailure> {
  return failed(message);
}
