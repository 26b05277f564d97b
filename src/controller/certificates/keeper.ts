/** Certificates of our own: the leader makes and spreads them, every replica serves them. */
import { type Secret, SECRETS } from "../../api/kubernetes/secret.ts";
import { WEBHOOK_CONFIGURATIONS } from "../../api/kubernetes/webhook_configuration.ts";
import { Rest, runTogether } from "../../base/waiting.ts";
import type { Clock } from "../../base/clock.ts";
import { CERTIFICATES_LOOK_MS } from "../../base/limits.ts";
import { errorText, type Log } from "../../base/log.ts";
import {
  type CallOptions,
  type ObjectStore,
  type Resource,
  type Selection,
  type StoredObject,
  StoreFailure,
} from "../../base/object_store.ts";
import type { Random } from "../../base/random.ts";
import { serverNowMs } from "../../base/server_time.ts";
import { factsOf, type Pair } from "./certificate.ts";
import { issueServing, makeAuthority } from "./issue.ts";
import { nextStep, ROTATION, type RotationStep } from "./rotation.ts";
import {
  type Certificates,
  foundIn,
  readCertificates,
  trustedBundle,
  writeCertificates,
} from "./secret.ts";
import { followChanges } from "./following.ts";
import { spreadTrust, trustedNow } from "./trust.ts";

/** Steps of one look; each is followed by at most a few others. */
const STEPS_MAX = 8;

/** Where certificates are kept, and for whom. */
export interface KeeperOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly namespace: string;
  readonly secretName: string;
  /** Of both webhook configurations. */
  readonly webhooksName: string;
  /** DNS names of the Service. */
  readonly hosts: readonly string[];
}

/** DNS names by which an API server asks a Service; it uses the second one. */
export function serviceHosts(
  { namespace, service }: { readonly namespace: string; readonly service: string },
): readonly string[] {
  const name = `${service}.${namespace}`;
  return [name, `${name}.svc`, `${name}.svc.cluster.local`];
}

/** The certificate that the Secret says is served now. */
export async function readServing(
  { store, namespace, secretName: name }: Pick<KeeperOptions, "store" | "namespace" | "secretName">,
  options: CallOptions,
): Promise<Pair | undefined> {
  const found = await store.get(SECRETS, { namespace, name }, options);
  if (found.ok) return readCertificates(found.value).serving;
  if (found.error.code === "not_found") return undefined;
  throw new StoreFailure(found.error);
}

/** The leader's part. Nothing is kept in memory: who leads next goes on where the Secret says. */
export class CertificateKeeper {
  readonly #options: KeeperOptions;
  #problem: string | undefined;
  readonly #rest = new Rest();

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Why certificates cannot be kept at present. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Keeps certificates until the signal aborts; rejects with its reason. */
  async run({ signal }: CallOptions): Promise<void> {
    const { webhooksName, namespace, secretName } = this.#options;
    const trusting = { fieldSelector: `metadata.name=${webhooksName}` };
    await runTogether([
      ...WEBHOOK_CONFIGURATIONS.map((resource) => (options: CallOptions) => {
        return this.#follow(resource, { ...options, selection: trusting });
      }),
      (options) => {
        const selection = { namespace, fieldSelector: `metadata.name=${secretName}` };
        return this.#follow(SECRETS, { ...options, selection });
      },
      (options) => this.#keep(options),
    ], { signal });
  }

  /** What comes, goes or is changed by others is looked at, at once. */
  async #follow<T extends StoredObject>(
    resource: Resource<T>,
    { signal, selection }: CallOptions & { readonly selection: Selection },
  ): Promise<void> {
    const { store, clock, random } = this.#options;
    const changed = (): void => this.#rest.end();
    await followChanges(resource, { store, clock, random, selection, changed, signal });
  }

  async #keep({ signal }: CallOptions): Promise<never> {
    const { clock, log } = this.#options;
    for (;;) {
      this.#rest.begin();
      let waitMs: number = CERTIFICATES_LOOK_MS;
      try {
        waitMs = Math.min(waitMs, await this.look({ signal }));
        this.#problem = undefined;
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof StoreFailure)) throw error;
        const problem = `Cannot keep the certificates of the webhooks: ${errorText(error)}`;
        if (problem !== this.#problem) log.warn("certificates are not kept", { problem });
        this.#problem = problem;
      }
      await this.#rest.take(waitMs, { clock, signal });
    }
  }

  /**
   * Does what is due now.
   *
   * @returns Milliseconds until something is due again.
   * @throws {StoreFailure} The server refuses; the next look begins anew.
   */
  async look(options: CallOptions): Promise<number> {
    const { store, namespace, secretName: name, log } = this.#options;
    for (let count = 0; count < STEPS_MAX; count++) {
      const read = await store.get(SECRETS, { namespace, name }, options);
      if (!read.ok && read.error.code !== "not_found") throw new StoreFailure(read.error);
      const secret = read.ok ? read.value : undefined;
      const certificates = readCertificates(secret);
      const isTrusted = await this.#spread(certificates, options);
      const nowMs = this.#nowMs();
      const step = nextStep(
        foundIn(certificates, { isTrusted, hosts: this.#options.hosts }),
        nowMs,
      );
      if (step.kind === "wait") return Math.max(0, step.untilMs - nowMs);
      log.info("certificates change", { step: step.kind, why: step.why });
      const after = await this.#after(step, { certificates, options });
      await this.#write(secret, { certificates: after, options });
    }
    return 0;
  }

  /** The API server's time: certificates are compared with its clock, not with ours. */
  #nowMs(): number {
    const { store, clock } = this.#options;
    return serverNowMs({ store, clock });
  }

  async #spread(certificates: Certificates, options: CallOptions): Promise<boolean> {
    const { store, webhooksName: name, log } = this.#options;
    const bundle = trustedBundle(certificates);
    if (bundle === "") return false;
    const changed = await spreadTrust({ store, name, bundle }, options);
    if (changed.length > 0) log.info("webhook configurations trust", { changed });
    return true;
  }

  async #after(
    { kind }: Exclude<RotationStep, { readonly kind: "wait" }>,
    { certificates, options }: {
      readonly certificates: Certificates;
      readonly options: CallOptions;
    },
  ): Promise<Certificates> {
    const { authority, next, former } = certificates;
    const old = authority === undefined ? former : [authority.cert, ...former];
    switch (kind) {
      case "create": {
        // Replicas serve what they have until they see the new one: it stays trusted meanwhile.
        const { store, webhooksName: name } = this.#options;
        const trusted = await trustedNow({ store, name }, options);
        const former = [...new Set([...old, ...trusted])];
        return await this.#withServing({ authority: await this.#authority(), former });
      }
      case "issue":
        return await this.#withServing(certificates);
      case "prepare":
        return { ...certificates, next: await this.#authority() };
      case "promote":
        return await this.#withServing({ authority: next, former: old });
      case "forget":
        return { ...certificates, former: [] };
    }
  }

  #authority(): Promise<Pair> {
    const { random } = this.#options;
    const { authorityLifetimeMs: lifetimeMs, backdatedMs } = ROTATION;
    const span = { nowMs: this.#nowMs(), lifetimeMs, backdatedMs };
    return makeAuthority("spiderpool-controller", { ...span, random });
  }

  async #withServing(certificates: Certificates): Promise<Certificates> {
    const { authority } = certificates;
    const ends = authority && factsOf(authority.cert);
    if (authority === undefined || ends === undefined) return certificates;
    const { random, hosts } = this.#options;
    const nowMs = this.#nowMs();
    const { servingLifetimeMs, backdatedMs } = ROTATION;
    // None outlives its authority.
    const lifetimeMs = Math.min(servingLifetimeMs, ends.notAfterMs - nowMs);
    const span = { nowMs, lifetimeMs, backdatedMs };
    return { ...certificates, serving: await issueServing(authority, { ...span, random, hosts }) };
  }

  async #write(
    secret: Secret | undefined,
    { certificates, options }: {
      readonly certificates: Certificates;
      readonly options: CallOptions;
    },
  ): Promise<void> {
    const { store, namespace, secretName: name } = this.#options;
    const data = writeCertificates(certificates, secret?.data);
    const written = secret === undefined
      ? await store.create(SECRETS, {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { namespace, name },
        type: "kubernetes.io/tls",
        data,
      }, options)
      : await store.replace(SECRETS, { ...secret, data }, options);
    if (!written.ok) throw new StoreFailure(written.error);
  }
}
