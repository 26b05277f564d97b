/** The certificate that a replica serves: looks again and again, and tells of a change. */
import type { Clock } from "../../base/clock.ts";
import { CERTIFICATES_LOOK_MS, CERTIFICATES_RETRY_MS } from "../../base/limits.ts";
import { SECRETS } from "../../api/kubernetes/secret.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { CallOptions } from "../../base/object_store.ts";
import { Rest } from "../../base/waiting.ts";
import { isPair, type Pair } from "./certificate.ts";
import { followChanges, type Following } from "./following.ts";
import { type KeeperOptions, readServing } from "./keeper.ts";

/** Where a certificate comes from. */
export interface PairOrigin {
  /** Reads it as it is now; `undefined` while there is none. */
  readonly read: (options: CallOptions) => Promise<Pair | undefined>;
  /** Tells of each change until the signal aborts; absent: it is looked at from time to time. */
  readonly follow?: (options: CallOptions & Pick<Following, "changed">) => Promise<void>;
}

/** The certificate of the Secret that the leader keeps. */
export function pairInSecret(
  options: Pick<KeeperOptions, "store" | "clock" | "random" | "namespace" | "secretName">,
): PairOrigin {
  const { store, clock, random, namespace, secretName } = options;
  const selection = { namespace, fieldSelector: `metadata.name=${secretName}` };
  return {
    read: (call) => readServing(options, call),
    follow: (call) => followChanges(SECRETS, { store, clock, random, selection, ...call }),
  };
}

/** The certificate in two files, which somebody else keeps, such as cert-manager. */
export function pairInFiles(
  { certificatePath, keyPath, readText }: {
    readonly certificatePath: string;
    readonly keyPath: string;
    readonly readText: (path: string) => Promise<string>;
  },
): PairOrigin {
  const read = async (): Promise<Pair> => {
    const [cert, key] = await Promise.all([certificatePath, keyPath].map(readText));
    const pair = { cert: cert ?? "", key: key ?? "" };
    // Two files are never replaced at one instant: what does not fit now will in a moment.
    if (isPair(pair)) return pair;
    throw new Error(
      `Cannot use the certificate "${certificatePath}": the key in "${keyPath}" is not its own; ` +
        `write both anew`,
    );
  };
  return { read };
}

/** Follows a certificate for a server. */
export class CertificateSource {
  readonly #origin: PairOrigin;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #rest = new Rest();
  #problem: string | undefined;

  constructor(origin: PairOrigin, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#origin = origin;
    this.#clock = clock;
    this.#log = log;
  }

  /** Why no certificate can be read; one that was read before is served on. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Hears of changes, so that `pairs` looks at once; ends with the signal at the latest. */
  async follow({ signal }: CallOptions): Promise<void> {
    await this.#origin.follow?.({ signal, changed: () => this.#rest.end() });
  }

  /** Every certificate, from the first that there is; never ends before the signal aborts. */
  async *pairs({ signal }: CallOptions): AsyncGenerator<Pair> {
    let served: Pair | undefined;
    for (;;) {
      this.#rest.begin();
      const pair = await this.#look({ signal });
      if (pair !== undefined && (pair.cert !== served?.cert || pair.key !== served.key)) {
        yield served = pair;
      }
      const waitMs = served === undefined ? CERTIFICATES_RETRY_MS : CERTIFICATES_LOOK_MS;
      await this.#rest.take(waitMs, { clock: this.#clock, signal });
    }
  }

  async #look({ signal }: CallOptions): Promise<Pair | undefined> {
    try {
      const pair = await this.#origin.read({ signal });
      this.#problem = pair === undefined
        ? "There is no certificate for the webhooks yet: the controller that leads makes one"
        : undefined;
      return pair;
    } catch (error) {
      signal.throwIfAborted();
      const problem = errorText(error);
      if (problem !== this.#problem) this.#log.warn("the certificate cannot be read", { problem });
      this.#problem = problem;
      return undefined;
    }
  }
}
