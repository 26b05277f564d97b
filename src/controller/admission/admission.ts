/** The webhooks of one replica: their copies of what there is, their certificate, their server. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../api/ip_pool.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import { CONTROLLER_VARIABLES } from "../../api/environment_controller.ts";
import type { Clock } from "../../base/clock.ts";
import { WEBHOOK_CONNECTIONS_MAX } from "../../base/limits.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { CallOptions, ObjectStore } from "../../base/object_store.ts";
import type { Random } from "../../base/random.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { orAborted, runTogether, untilAborted } from "../../base/waiting.ts";
import { Informer, type WebhookServer, type WebhookServerOptions } from "../../kube/mod.ts";
import { CertificateSource, type PairOrigin } from "../certificates/source.ts";
import { judgesOf } from "./judge.ts";
import { KindView } from "./kind_view.ts";
import type { AdmissionSettings } from "./rules/settings.ts";
import { WEBHOOK_HEALTH_PATH, Webhooks } from "./webhooks.ts";

/** What the webhooks need of the world. */
export interface AdmissionPorts {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Listens with TLS: `openWebhookServer` of `src/kube/webhook_server.ts`. */
  readonly openServer: (options: WebhookServerOptions) => Promise<WebhookServer>;
}

/** What they are told. */
export interface AdmissionOptions extends Pick<WebhookServerOptions, "hostname" | "port"> {
  readonly settings: AdmissionSettings;
  readonly origin: PairOrigin;
  /** Milliseconds that are served on after the end was asked for. */
  readonly leaveMs: number;
}

/** Every replica answers, whether it leads or not. */
export class Admission {
  readonly #ports: AdmissionPorts;
  readonly #options: AdmissionOptions;
  readonly #pools: Informer<SpiderIpPool>;
  readonly #subnets: Informer<SpiderSubnet>;
  readonly #webhooks: Webhooks;
  readonly #source: CertificateSource;
  #server: WebhookServer | undefined;
  #isLeaving = false;

  constructor(ports: AdmissionPorts, options: AdmissionOptions) {
    const { store, clock, random, log } = ports;
    this.#ports = ports;
    this.#options = options;
    this.#pools = new Informer(store, SPIDER_IP_POOLS, { clock, random });
    this.#subnets = new Informer(store, SPIDER_SUBNETS, { clock, random });
    this.#source = new CertificateSource(options.origin, { clock, log });
    const pools = new KindView({ store, clock, resource: SPIDER_IP_POOLS, informer: this.#pools });
    const subnets = new KindView({
      ...{ store, clock, resource: SPIDER_SUBNETS, informer: this.#subnets },
    });
    const { settings } = options;
    const judges = judgesOf({ view: { store, pools, subnets }, settings });
    this.#webhooks = new Webhooks({ judges, clock, log });
  }

  /** The port that is served; `undefined` before there is a certificate. */
  get port(): number | undefined {
    return this.#server?.port;
  }

  /** Whether the webhooks serve with all that they need; else why not, for readiness. */
  get readiness(): Result<void, string> {
    if (this.#isLeaving) return err("Cannot answer webhooks much longer: the program stops");
    const problem = this.#source.problem;
    if (this.#server !== undefined) return ok(undefined);
    return err(problem ?? "Cannot answer webhooks yet: their certificate is being read");
  }

  /**
   * Whether the webhooks answer over their own port, for liveness. Before there is a certificate
   * they need not: starting again would not make one.
   */
  async ask({ signal }: CallOptions): Promise<Result<void, string>> {
    const server = this.#server;
    if (server === undefined) return ok(undefined);
    try {
      const status = await server.ask(WEBHOOK_HEALTH_PATH, { signal });
      if (status === 200) return ok(undefined);
      return err(`The webhooks answer ${status} on their own port ${server.port}`);
    } catch (error) {
      return err(`The webhooks do not answer on port ${server.port}: ${errorText(error)}`);
    }
  }

  /**
   * Serves until the signal aborts, and on for `leaveMs`: who asks meanwhile is answered. Rejects
   * with the signal's reason, or with what the server ended of.
   */
  async run({ signal }: CallOptions): Promise<void> {
    const left = new AbortController();
    await runTogether([
      (options) => this.#pools.run(options),
      (options) => this.#subnets.run(options),
      (options) => this.#source.follow(options),
      (options) => this.#serve(options),
      async (options) => {
        await orAborted(untilAborted(signal), options);
        await this.#leave(options);
        left.abort(signal.reason);
      },
    ], { signal: left.signal });
  }

  /** Nobody should ask any more, and those who do hear that they should ask somebody else. */
  async #leave({ signal }: CallOptions): Promise<void> {
    const { clock, log } = this.#ports;
    const { leaveMs } = this.#options;
    this.#isLeaving = true;
    if (this.#server === undefined) return;
    this.#server.endConnections();
    log.info("webhooks serve a moment longer", { leaveMs });
    await clock.sleep(leaveMs, { signal });
  }

  async #serve({ signal }: CallOptions): Promise<void> {
    const { log, openServer } = this.#ports;
    const { hostname, port } = this.#options;
    await using open = new AsyncDisposableStack();
    open.defer(() => this.#server = undefined);
    for await (const certificate of this.#source.pairs({ signal })) {
      if (this.#server !== undefined) {
        this.#server.useCertificate(certificate);
        log.info("webhooks serve another certificate");
        continue;
      }
      const server = await openServer({
        ...{ hostname, port, certificate, connectionsMax: WEBHOOK_CONNECTIONS_MAX },
        answer: (request) => this.#webhooks.answer(request),
      }).catch((cause) => {
        throw new Error(
          `Cannot listen on TCP port ${port}: ${errorText(cause)}: stop what listens there, or ` +
            `set ${CONTROLLER_VARIABLES.webhookPort.name}`,
          { cause },
        );
      });
      this.#server = open.use(server);
      log.info("webhooks serve", { port: server.port });
    }
  }
}
