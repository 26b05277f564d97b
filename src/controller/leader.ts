/** The work of the leader: all of it ends when its signal aborts, before another may lead. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../api/ip_pool.ts";
import { runTogether } from "../base/waiting.ts";
import { Adopter } from "../daemon/adopter.ts";
import { type EventRecorder, Informer, Settler } from "../kube/mod.ts";
import type { ControllerSettings } from "./config.ts";
import type { EnginePorts } from "./parts.ts";

/** What a leader is made of. */
export interface LeaderOptions {
  readonly ports: EnginePorts;
  readonly settings: ControllerSettings;
  readonly recorder: EventRecorder;
}

/** One term. */
export class Leader {
  readonly #options: LeaderOptions;
  readonly #settler: Settler;
  readonly #pools: Informer<SpiderIpPool>;

  constructor(options: LeaderOptions) {
    const { store, clock, random } = options.ports;
    this.#options = options;
    this.#settler = new Settler({ store, clock, random });
    this.#pools = new Informer(store, SPIDER_IP_POOLS, { clock, random });
  }

  /** Whether everything that there is was read once. */
  get hasSynced(): boolean {
    return this.#pools.hasSynced;
  }

  /** Why a copy is not up to date. */
  get problem(): string | undefined {
    return this.#pools.status().error?.message;
  }

  /** Works until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { store, clock, log } = this.#options.ports;
    const pools = this.#pools;
    const adopter = new Adopter({ store, settler: this.#settler, clock, log, pools });
    await runTogether([
      (options) => pools.run(options),
      (options) => adopter.run(options),
    ], { signal });
  }
}
