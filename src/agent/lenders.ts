/** What SpiderSubnets say of themselves, for pods that wait for pools out of them. */
import type { Condition } from "../api/parts.ts";
import { SPIDER_SUBNETS, type SpiderSubnet, SUBNET_CONDITIONS } from "../api/subnet.ts";
import { isTerminating } from "../api/metadata.ts";
import { StoreFailure } from "../base/object_store.ts";
import { orAborted, SingleFlight } from "../base/waiting.ts";
import type { Settler } from "../kube/settler.ts";

/** Reads SpiderSubnets, each once for all who ask at a time. */
export class Lenders {
  readonly #settler: Settler;
  readonly #lifetime: AbortSignal;
  readonly #reads = new SingleFlight<SpiderSubnet | undefined>();

  /** @param options.lifetime Of the agent: what several ask for is read once, whoever goes. */
  constructor(settler: Settler, { lifetime }: { readonly lifetime: AbortSignal }) {
    this.#settler = settler;
    this.#lifetime = lifetime;
  }

  /**
   * Why a SpiderSubnet lends nothing more now, as a sentence.
   *
   * @returns `undefined` if nothing is known against it, or it cannot be read.
   */
  async problemOf(
    name: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<string | undefined> {
    let subnet: SpiderSubnet | undefined;
    try {
      subnet = await orAborted(this.#reads.run(name, () => this.#read(name)), { signal });
    } catch (error) {
      if (error instanceof StoreFailure) return undefined;
      throw error;
    }
    const which = `SpiderSubnet ${JSON.stringify(name)}`;
    if (subnet === undefined) return `${which} does not exist; create it, or name another one`;
    if (isTerminating(subnet)) return `${which} is being deleted; name another one`;
    const conditions = subnet.status?.conditions ?? [];
    const { ready, insufficient } = SUBNET_CONDITIONS;
    const bad = conditions.find(({ type, status }) => type === ready && status === "False") ??
      conditions.find(({ type, status }) => type === insufficient && status === "True");
    return bad === undefined ? undefined : `${which} says ${saying(bad)}`;
  }

  #read(name: string): Promise<SpiderSubnet | undefined> {
    return this.#settler.get(SPIDER_SUBNETS, { name }, { signal: this.#lifetime });
  }
}

function saying({ type, status, message }: Condition): string {
  return `${type}=${status}: ${message}`;
}
