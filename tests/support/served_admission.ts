/** A controller's webhooks on this machine, for an API server on the same one. */
import { parseAllDocuments } from "yaml";
import { WEBHOOK_CONFIGURATIONS } from "../../src/api/kubernetes/webhook_configuration.ts";
import { systemClock } from "../../src/base/clock.ts";
import { SILENT_LOG } from "../../src/base/log.ts";
import { type ObjectStore, StoreFailure, type StoreResult } from "../../src/base/object_store.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk } from "../../src/base/result.ts";
import { Admission } from "../../src/controller/admission/admission.ts";
import { CertificateKeeper } from "../../src/controller/certificates/keeper.ts";
import { pairInSecret } from "../../src/controller/certificates/source.ts";
import { openWebhookServer } from "../../src/kube/webhook_server.ts";
import { ADMISSION_SETTINGS } from "./admission_judge.ts";
import { hangLimit, untilTrue } from "./hang_limit.ts";

const WEBHOOKS = new URL("../../manifests/webhooks/webhooks.yaml", import.meta.url);
/** Where a webhook is served, in the shipped file. */
const SERVICE = /service:\n +name: \S+\n +namespace: \S+\n +path: (\S+)\n +port: 5722/g;

/** Where what belongs to them is kept. */
export interface ServedPlace {
  readonly store: ObjectStore;
  /** Of the Secret with their certificate; it exists. */
  readonly namespace: string;
  /** Of both webhook configurations. */
  readonly name: string;
}

/** Serves until it is disposed; its configurations are its user's to take away. */
export class ServedAdmission implements AsyncDisposable {
  readonly #place: ServedPlace;
  readonly #keeper: CertificateKeeper;
  readonly #admission: Admission;
  readonly #end = new AbortController();
  readonly #limit = hangLimit(3_600_000);
  #running: Promise<unknown> | undefined;

  private constructor(place: ServedPlace) {
    const { store, namespace, name } = place;
    const [clock, random, log] = [systemClock(), systemRandom(), SILENT_LOG];
    const secret = { store, clock, random, namespace, secretName: "certificates" };
    this.#place = place;
    this.#keeper = new CertificateKeeper({
      ...{ ...secret, log, webhooksName: name, hosts: ["localhost"] },
    });
    const ports = { store, clock, random, log, openServer: openWebhookServer };
    this.#admission = new Admission(ports, {
      ...{ hostname: "localhost", port: 0, settings: ADMISSION_SETTINGS },
      ...{ origin: pairInSecret(secret), leaveMs: 0 },
    });
  }

  /** Makes a certificate and listens. */
  static async open(place: ServedPlace): Promise<ServedAdmission> {
    const served = new ServedAdmission(place);
    await served.#keeper.look(served.#limit);
    served.#running = served.#admission.run({ signal: served.#end.signal }).catch(() => {});
    await untilTrue(() => served.#admission.port !== undefined);
    return served;
  }

  /** Registers the shipped configuration, with this machine in place of the Service. */
  async register(): Promise<void> {
    const { store, name } = this.#place;
    const text = (await Deno.readTextFile(WEBHOOKS)).replaceAll(
      SERVICE,
      (_, path) => `url: https://localhost:${this.#admission.port}${path}`,
    );
    const documents = parseAllDocuments(text).map((document) => document.toJS());
    for (const resource of WEBHOOK_CONFIGURATIONS) {
      const { metadata, ...rest } = documents.find(({ kind }) => kind === resource.kind);
      const object = { ...rest, metadata: { ...metadata, name } };
      const parsed = expectOk(resource.parse(object), "the shipped file is good");
      done(await store.create(resource, parsed, this.#limit));
    }
    await this.#keeper.look(this.#limit);
  }

  /** Takes the configurations away. */
  async unregister(): Promise<void> {
    const { store, name } = this.#place;
    for (const resource of WEBHOOK_CONFIGURATIONS) {
      done(await store.remove(resource, { name }, this.#limit));
    }
  }

  /** Ends the webhooks, as if every controller were down; their configuration stays. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort(new Error("The controllers are down"));
    await this.#running;
    this.#limit[Symbol.dispose]();
  }
}

function done<T>(result: StoreResult<T>): void {
  if (!result.ok) throw new StoreFailure(result.error);
}
