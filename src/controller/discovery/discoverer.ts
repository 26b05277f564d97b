/** Keeps the networks of the cluster in the status of its SpiderCoordinator. */
import { COORDINATOR_PHASES, SPIDER_COORDINATORS } from "../../api/coordinator.ts";
import type { SpiderCoordinator } from "../../api/coordinator.ts";
import { SPIDERPOOL_API_VERSION, SPIDERPOOL_FINALIZER } from "../../api/group.ts";
import { CONFIG_MAPS } from "../../api/kubernetes/config_map.ts";
import { COMMAND_PODS, CONTROLLER_MANAGER_LABEL } from "../../api/kubernetes/control_plane.ts";
import { CALICO_POOLS, CILIUM_POOLS } from "../../api/kubernetes/pod_networks.ts";
import { SERVICE_CIDRS } from "../../api/kubernetes/service_cidr.ts";
import { isTerminating } from "../../api/metadata.ts";
import { errorText } from "../../base/log.ts";
import { type ObjectKey, type Selection, StoreFailure } from "../../base/object_store.ts";
import { ok, type Result } from "../../base/result.ts";
import { runTogether } from "../../base/waiting.ts";
import { Informer, type ObjectReference, type WorkOutcome, WorkQueue } from "../../kube/mod.ts";
import { withoutFinalizer } from "../admission/rules/mutation.ts";
import type { LeaderParts } from "../parts.ts";
import { type ClusterFacts, CONTROL_PLANE_NAMESPACE, KUBEADM_CONFIG } from "./cluster_networks.ts";
import { Feed } from "./feed.ts";
import { type NetworkSource, ownNetwork } from "./own_network.ts";
import { type CoordinatorStatus, coordinatorStatus, sameStatus } from "./status.ts";

/** SpiderCoordinators that are looked at, or wait for it. */
const COORDINATORS_MAX = 1_000;
/** Milliseconds between two looks: changes that come together are one. */
const SPACING_MS = 500;
/** Milliseconds until the next look while something is missing, at most. */
const RELOOK_MS = 30_000;
const ACTION = "DiscoverNetworks";
/** Reasons of Events by where networks of pods are read, as in the reference where it has one. */
const NOT_READY_REASONS: Readonly<Record<NetworkSource, string>> = {
  cluster: "ClusterNotReady",
  calico: "CalicoNotReady",
  cilium: "CiliumNotReady",
  none: "ClusterNotReady",
};

/** What a discoverer shares with the other parts of a term. */
export type DiscovererParts = Pick<LeaderParts, "ports" | "settings" | "settler" | "recorder">;

/** One term's work. */
export class Discoverer {
  readonly #parts: DiscovererParts;
  readonly #coordinators: Informer<SpiderCoordinator>;
  readonly #queue: WorkQueue;
  readonly #feeds: readonly Pick<Feed<never>, "run">[];
  readonly #facts: ClusterFacts;
  /** Where networks of pods were read last. */
  #source: NetworkSource | undefined;

  constructor(parts: DiscovererParts) {
    const { ports, settings: { discovery } } = parts;
    const { store, clock, random } = ports;
    this.#parts = parts;
    this.#coordinators = new Informer(store, SPIDER_COORDINATORS, { clock, random });
    this.#queue = new WorkQueue({
      ...{ clock, random },
      capacity: COORDINATORS_MAX,
      spacingMs: SPACING_MS,
    });
    const shared = { ports, changed: () => this.#ask(discovery.coordinatorName) };
    const serviceCidrs = new Feed({ ...shared, versions: SERVICE_CIDRS });
    const kubeadmConfig = new Feed({
      ...{ ...shared, versions: [CONFIG_MAPS] },
      selection: selectionOf(KUBEADM_CONFIG),
    });
    const controllerManagers = new Feed({
      ...{ ...shared, versions: [COMMAND_PODS] },
      selection: { namespace: CONTROL_PLANE_NAMESPACE, labelSelector: CONTROLLER_MANAGER_LABEL },
    });
    const calicoPools = new Feed({ ...shared, versions: [CALICO_POOLS] });
    const ciliumConfig = new Feed({
      ...{ ...shared, versions: [CONFIG_MAPS] },
      selection: selectionOf(discovery.ciliumConfigMap),
    });
    const ciliumPools = new Feed({ ...shared, versions: [CILIUM_POOLS] });
    this.#feeds = [
      ...[serviceCidrs, kubeadmConfig, controllerManagers],
      ...[calicoPools, ciliumConfig, ciliumPools],
    ];
    this.#facts = {
      serviceCidrs: () => serviceCidrs.ask(),
      kubeadmConfig: () => kubeadmConfig.ask(),
      controllerManagers: () => controllerManagers.ask(),
      calicoPools: () => calicoPools.ask(),
      ciliumConfig: () => ciliumConfig.ask(),
      ciliumPools: () => ciliumPools.ask(),
      ciliumKey: discovery.ciliumConfigMap,
    };
  }

  /** Why its copy of the SpiderCoordinators is not up to date. */
  get problem(): string | undefined {
    return this.#coordinators.status().error?.message;
  }

  /** Works until the signal aborts; rejects with its reason. Returns at once if it is off. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (!this.#parts.settings.discovery.isOn) return;
    await runTogether([
      (options) => this.#coordinators.run(options),
      (options) => this.#follow(options),
      ...this.#feeds.map((feed) => (options: { readonly signal: AbortSignal }) =>
        feed.run(options)
      ),
      (options) =>
        this.#queue.run({
          ...options,
          workers: 1,
          work: (name, inTime) => this.#work(name, inTime),
        }),
    ], { signal });
  }

  async #follow({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { log } = this.#parts.ports;
    for await (const event of this.#coordinators.events({ signal })) {
      if (event.type === "added" || event.type === "modified") {
        this.#ask(event.object.metadata.name);
      } else if (event.type === "broken") {
        const { key: { name }, problem } = event.object;
        log.warn("SpiderCoordinator not looked at", { coordinator: name, problem });
      }
    }
  }

  /** One that a full queue does not take waits for its next change: only one of them counts. */
  #ask(name: string): void {
    this.#queue.add(name);
  }

  async #work(
    name: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const { ports: { log }, settings: { discovery } } = this.#parts;
    const stored = this.#coordinators.get({ name });
    if (stored === undefined) return { code: "done" };
    try {
      if (stored.metadata.finalizers?.includes(SPIDERPOOL_FINALIZER)) {
        await this.#release(stored, { signal });
        return { code: "done" }; // Its change brings it back.
      }
      if (name !== discovery.coordinatorName || isTerminating(stored)) return { code: "done" };
      return await this.#discover(stored, { signal });
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      const problem = errorText(error);
      log.warn("SpiderCoordinator not kept up to date", { coordinator: name, problem });
      return { code: "failed" };
    }
  }

  /** Takes the reference's finalizer away: nobody else does, and it would never be deleted. */
  async #release(
    stored: SpiderCoordinator,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const isOurs = ({ metadata: { finalizers = [] } }: SpiderCoordinator): boolean =>
      !finalizers.includes(SPIDERPOOL_FINALIZER);
    const wanted = withoutFinalizer(stored);
    await this.#parts.settler.replace(SPIDER_COORDINATORS, wanted, { signal, isOurs });
  }

  async #discover(
    stored: SpiderCoordinator,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const { settler, settings: { discovery: { resyncMs } } } = this.#parts;
    const source = await this.#sourceOf(stored);
    const { status: former } = stored;
    const status = coordinatorStatus(source, { facts: this.#facts, former });
    if (status === undefined) return { code: "done" }; // What it waits for brings it back.
    if (source.ok) this.#tellSource(stored, source.value);
    if (!sameStatus(former, status)) {
      const replaced = await settler.replace(SPIDER_COORDINATORS, { ...stored, status }, {
        ...{ signal, part: "status" as const },
        isOurs: (read) => sameStatus(read.status, status),
      });
      if (replaced.kind === "lost") return { code: "done" }; // Its change brings it back.
      this.#tell(stored, { status, source: source.ok ? source.value : "none" });
    }
    const isReady = status.phase === COORDINATOR_PHASES.synced;
    const afterMs = Math.min(resyncMs || Infinity, isReady ? Infinity : RELOOK_MS);
    return afterMs === Infinity ? { code: "done" } : { code: "again", afterMs };
  }

  /** A SpiderCoordinator that nobody checked may lack the type: it is found out as well. */
  async #sourceOf({ spec }: SpiderCoordinator): Promise<Result<NetworkSource, string>> {
    const { podCIDRType = "auto" } = spec;
    const { ports: { files }, settings: { discovery } } = this.#parts;
    if (podCIDRType !== "auto") return ok(podCIDRType);
    return await ownNetwork(discovery.cniFolder, files);
  }

  #tellSource(stored: SpiderCoordinator, source: NetworkSource): void {
    const former = this.#source;
    this.#source = source;
    if (former === undefined || former === source) return;
    this.#parts.recorder.record({
      type: "Normal",
      reason: "PodCIDRTypeChanged",
      action: ACTION,
      note: `Networks of pods are read as podCIDRType "${source}" says, no longer "${former}"`,
      regarding: referenceOf(stored),
    });
  }

  #tell(
    stored: SpiderCoordinator,
    { status, source }: { readonly status: CoordinatorStatus; readonly source: NetworkSource },
  ): void {
    const { ports: { log }, recorder } = this.#parts;
    const { phase, reason, overlayPodCIDR: pods = [], serviceCIDR: services = [] } = status;
    const { name: coordinator } = stored.metadata;
    log.info("networks of the cluster written", { coordinator, phase, reason, pods, services });
    const isReady = phase === COORDINATOR_PHASES.synced;
    const listed = (cidrs: readonly string[]): string => cidrs.join(", ") || "none";
    recorder.record({
      type: reason === undefined ? "Normal" : "Warning",
      reason: isReady ? "Synced" : NOT_READY_REASONS[source],
      action: ACTION,
      note: reason ?? `Networks of pods: ${listed(pods)}; of services: ${listed(services)}`,
      regarding: referenceOf(stored),
    });
  }
}

function selectionOf({ namespace, name }: ObjectKey): Selection {
  return { namespace, fieldSelector: `metadata.name=${name}` };
}

function referenceOf({ metadata: { name, uid } }: SpiderCoordinator): ObjectReference {
  const kind = "SpiderCoordinator";
  return { apiVersion: SPIDERPOOL_API_VERSION, kind, name, ...(uid !== undefined && { uid }) };
}
