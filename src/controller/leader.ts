/** The work of the leader: all of it ends when its signal aborts, before another may lead. */
import { runTogether } from "../base/waiting.ts";
import { Adopter } from "../daemon/adopter.ts";
import { type EventRecorder, Settler } from "../kube/mod.ts";
import { ClusterView } from "./cluster_view.ts";
import type { ControllerSettings } from "./config.ts";
import { Discoverer } from "./discovery/discoverer.ts";
import type { ControllerMetrics } from "./controller_metrics.ts";
import { EndpointMender } from "./endpoints/mender.ts";
import type { EnginePorts } from "./engine_ports.ts";
import { Lender } from "./lending/lender.ts";
import { LookPace } from "./look_queue.ts";
import type { LeaderParts } from "./parts.ts";
import { NetworkKeeper } from "./networks/keeper.ts";
import { NodeOpener } from "./nodes/opener.ts";
import { OtherIpams } from "./other_ipams/watcher.ts";
import { PoolPublisher } from "./pool_publisher.ts";
import { LifeView } from "./reclaim/life_view.ts";
import { Reclaimer } from "./reclaim/reclaimer.ts";
import { Rebuilder } from "./rebuilder.ts";
import { Restorer } from "./restorer.ts";

/** What a leader is made of. */
export interface LeaderOptions {
  readonly ports: EnginePorts;
  readonly settings: ControllerSettings;
  readonly recorder: EventRecorder;
  readonly metrics: ControllerMetrics;
}

/** One term. */
export class Leader {
  readonly #parts: LeaderParts;
  readonly #lender: Lender;
  readonly #discoverer: Discoverer;
  readonly #mender: EndpointMender;
  readonly #networks: NetworkKeeper;
  readonly #otherIpams: OtherIpams;

  constructor(options: LeaderOptions) {
    const { ports } = options;
    this.#parts = {
      ...options,
      settler: new Settler(ports),
      view: new ClusterView(ports),
      life: new LifeView(ports),
      pace: new LookPace(ports.clock),
    };
    this.#lender = new Lender(this.#parts);
    this.#discoverer = new Discoverer(this.#parts);
    this.#mender = new EndpointMender(this.#parts);
    this.#networks = new NetworkKeeper(this.#parts);
    this.#otherIpams = new OtherIpams(this.#parts, this.#networks);
  }

  /** Whether everything that there is was read once. */
  get hasSynced(): boolean {
    return this.#parts.view.hasSynced;
  }

  /** How many pools there are. */
  get poolCount(): number {
    return this.#parts.view.pools.status().objectCount;
  }

  /** Why a copy is not up to date. */
  get problem(): string | undefined {
    return this.#parts.view.problem ?? this.#lender.problem ?? this.#mender.problem ??
      this.#discoverer.problem ?? this.#networks.problem ?? this.#otherIpams.problem;
  }

  /** Works until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { ports: { store, clock, log }, settler, view, life } = this.#parts;
    const adopter = new Adopter({ store, settler, clock, log, pools: view.pools });
    const publisher = new PoolPublisher(this.#parts, adopter);
    const restorer = new Restorer(this.#parts);
    const rebuilder = new Rebuilder(this.#parts);
    const reclaimer = new Reclaimer(this.#parts);
    const nodes = new NodeOpener(this.#parts);
    await runTogether([
      (options) => view.run(options),
      (options) => life.run(options),
      (options) => adopter.run(options),
      (options) => publisher.run(options),
      (options) => restorer.run(options),
      (options) => rebuilder.run(options),
      (options) => reclaimer.run(options),
      (options) => this.#discoverer.run(options),
      (options) => this.#mender.run(options),
      (options) => this.#networks.run(options),
      (options) => this.#otherIpams.run(options),
      (options) => nodes.run(options),
      (options) => this.#lender.run(options),
    ], { signal });
  }
}
