/** A controller: one of the replicas leads, and works; the others wait to. */
import { LEADER_LEASE_NAME } from "../api/leases.ts";
import { errorText } from "../base/log.ts";
import type { ObjectKey } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import { runTogether } from "../base/waiting.ts";
import { EventRecorder, Informer, type Lease, LeaseCandidate, LEASES } from "../kube/mod.ts";
import type { Admission } from "./admission/admission.ts";
import type { CertificateKeeper } from "./certificates/keeper.ts";
import type { ControllerSettings } from "./config.ts";
import { ControllerMetrics } from "./controller_metrics.ts";
import type { ControllerEngine } from "./daemon.ts";
import { Leader } from "./leader.ts";
import type { EnginePorts } from "./engine_ports.ts";

/** Reporting controller of the controller's Events. */
export const EVENT_CONTROLLER = "spiderpool.spidernet.io/controller";

/** What serves webhooks on every replica, and what the leader does for them. */
export interface ControllerWebhooks {
  readonly admission: Pick<Admission, "run" | "ask" | "readiness">;
  /** Absent: somebody else keeps the certificate. */
  readonly certificates?: Pick<CertificateKeeper, "run" | "problem"> | undefined;
}

/** One replica. Nothing is kept from one term to the next: a new leader begins with lists. */
export class Controller implements ControllerEngine {
  readonly #ports: EnginePorts;
  readonly #settings: ControllerSettings;
  readonly #key: ObjectKey;
  readonly #candidate: LeaseCandidate;
  readonly #lease: Informer<Lease>;
  readonly #recorder: EventRecorder;
  readonly #metrics: ControllerMetrics;
  readonly #webhooks: ControllerWebhooks | undefined;
  /** The work of this term. */
  #leader: Leader | undefined;

  constructor(
    ports: EnginePorts,
    settings: ControllerSettings,
    { webhooks }: { readonly webhooks?: ControllerWebhooks } = {},
  ) {
    this.#webhooks = webhooks;
    const { store, clock, random } = ports;
    const { namespace, podName, leadership } = settings;
    this.#ports = ports;
    this.#settings = settings;
    this.#metrics = new ControllerMetrics(ports.metrics, {
      countPools: () => this.#leader?.poolCount ?? 0,
    });
    this.#key = { namespace, name: LEADER_LEASE_NAME };
    this.#candidate = new LeaseCandidate({
      ...{ store, clock, random, key: this.#key, identity: podName },
      ...leadership,
    });
    const fieldSelector = `metadata.name=${LEADER_LEASE_NAME}`;
    const selection = { namespace, fieldSelector };
    this.#lease = new Informer(store, LEASES, { clock, random, selection });
    const named = { controller: EVENT_CONTROLLER, instance: podName };
    this.#recorder = new EventRecorder({ store, clock, random, ...named });
  }

  /** Whether this replica leads now. */
  get isLeader(): boolean {
    return this.#candidate.isLeader;
  }

  /** What hinders it. */
  get problem(): string | undefined {
    return this.#leader?.problem ?? this.#lease.status().error?.message ??
      this.#webhooks?.certificates?.problem;
  }

  /** As a probe asks it. */
  leadership(): Result<void, string> {
    const { namespace, name } = this.#key;
    if (this.#candidate.holder === "") {
      return err(`Cannot say who leads: nobody holds the Lease "${namespace}/${name}"`);
    }
    if (!this.isLeader || this.#leader?.hasSynced === true) {
      return this.#webhooks?.admission.readiness ?? ok(undefined);
    }
    const why = this.problem ?? "the first lists are being read";
    return err(`Cannot lead yet: ${why}`);
  }

  /** Asks the webhooks over their own port. */
  readonly askWebhooks = (
    options: { readonly signal: AbortSignal },
  ): Promise<Result<void, string>> => {
    return this.#webhooks?.admission.ask(options) ?? Promise.resolve(ok(undefined));
  };

  /** Stands for election and leads until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<never> {
    await runTogether([
      // It gives the Lease up before it ends.
      ({ signal }) => this.#candidate.run({ signal, work: (options) => this.#lead(options) }),
      (options) => this.#lease.run(options),
      (options) => this.#watchLease(options),
      (options) => this.#recorder.run(options),
      (options) => this.#webhooks?.admission.run(options) ?? Promise.resolve(),
    ], { signal });
    signal.throwIfAborted();
    throw new Error("A controller ends with its signal only");
  }

  async #lead({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { log } = this.#ports;
    log.info("this controller leads");
    const leader = new Leader({
      ports: this.#ports,
      settings: this.#settings,
      recorder: this.#recorder,
      metrics: this.#metrics,
    });
    this.#leader = leader;
    try {
      await runTogether([
        (options) => leader.run(options),
        (options) => this.#webhooks?.certificates?.run(options) ?? Promise.resolve(),
      ], { signal });
    } finally {
      this.#leader = undefined;
      this.#metrics.clear();
      log.info("this controller leads no longer", { why: errorText(signal.reason) });
    }
  }

  /** Looks at once when a leader gave the Lease up. */
  async #watchLease({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#lease.events({ signal })) {
      if (event.type === "synced" || event.type === "broken") continue;
      const isFree = event.type === "deleted" || !event.object.spec?.holderIdentity;
      if (isFree) this.#candidate.wake();
    }
  }
}
