/** Calls of the API server that are made at the same time, which kubectl cannot. */
import { systemClock } from "../../../src/base/clock.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { expectOk } from "../../../src/base/result.ts";
import { readKubeConfig, Transport } from "../../../src/kube/mod.ts";
import type { Kubectl } from "../kubectl.ts";

const POOLS = "/apis/spiderpool.spidernet.io/v2beta1/spiderippools";

/** Creates pools; hold it with `using`. */
export class Caller implements Disposable {
  readonly #transport: Transport;

  private constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Calls as the person of a kubeconfig. */
  static async open({ kubeconfig }: Kubectl): Promise<Caller> {
    const readText = (path: string) => Deno.readTextFile(path);
    const access = await readKubeConfig([kubeconfig], { readText });
    const ports = { clock: systemClock(), random: systemRandom(), userAgent: "e2e" };
    return new Caller(new Transport(expectOk(access, "the kubeconfig is good"), ports));
  }

  /**
   * Creates a pool.
   *
   * @param options.isTried Both webhooks are asked, and nothing is stored.
   * @returns What the server says against it; nothing where it is taken.
   */
  async create(
    pool: unknown,
    { signal, isTried = false }: { readonly signal: AbortSignal; readonly isTried?: boolean },
  ): Promise<string | undefined> {
    const result = await this.#transport.call({
      method: "POST",
      path: `${POOLS}${isTried ? "?dryRun=All" : ""}`,
      accept: "application/json",
      body: JSON.stringify(pool),
      what: "create a pool",
    }, { signal });
    return result.ok ? undefined : result.error.message;
  }

  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }
}
