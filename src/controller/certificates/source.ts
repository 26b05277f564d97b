/** The certificate that a replica serves: looks again and again, and tells of a change. */
import type { Clock } from "../../base/clock.ts";
import { CERTIFICATES_LOOK_MS, CERTIFICATES_RETRY_MS } from "../../base/limits.ts";
import { errorText, type Log } from "../../base/log.ts";
import type { CallOptions } from "../../base/object_store.ts";
import { isPair, type Pair } from "./certificate.ts";
import { type KeeperOptions, readServing } from "./keeper.ts";

/** Reads the certificate as it is now; `undefined` while there is none. */
export type ReadPair = (options: CallOptions) => Promise<Pair | undefined>;

/** The certificate of the Secret that the leader keeps. */
export function pairInSecret(
  options: Pick<KeeperOptions, "store" | "namespace" | "secretName">,
): ReadPair {
  return (call) => readServing(options, call);
}

/** The certificate in two files, which somebody else keeps, such as cert-manager. */
export function pairInFiles(
  { certificatePath, keyPath, readText }: {
    readonly certificatePath: string;
    readonly keyPath: string;
    readonly readText: (path: string) => Promise<string>;
  },
): ReadPair {
  return async () => {
    const [cert, key] = await Promise.all([certificatePath, keyPath].map(readText));
    const pair = { cert: cert ?? "", key: key ?? "" };
    // Two files are never replaced at one instant: what does not fit now will in a moment.
    if (isPair(pair)) return pair;
    throw new Error(
      `Cannot use the certificate "${certificatePath}": the key in "${keyPath}" is not its own; ` +
        `write both anew`,
    );
  };
}

/** Follows a certificate for a server. */
export class CertificateSource {
  readonly #read: ReadPair;
  readonly #clock: Clock;
  readonly #log: Log;
  #problem: string | undefined;

  constructor(read: ReadPair, { clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#read = read;
    this.#clock = clock;
    this.#log = log;
  }

  /** Why no certificate can be read; one that was read before is served on. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Every certificate, from the first that there is; never ends before the signal aborts. */
  async *pairs({ signal }: CallOptions): AsyncGenerator<Pair> {
    let served: Pair | undefined;
    for (;;) {
      const pair = await this.#look({ signal });
      if (pair !== undefined && (pair.cert !== served?.cert || pair.key !== served.key)) {
        yield served = pair;
      }
      const waitMs = served === undefined ? CERTIFICATES_RETRY_MS : CERTIFICATES_LOOK_MS;
      await this.#clock.sleep(waitMs, { signal });
    }
  }

  async #look({ signal }: CallOptions): Promise<Pair | undefined> {
    try {
      const pair = await this.#read({ signal });
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
