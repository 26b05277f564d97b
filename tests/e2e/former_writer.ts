/** Somebody who goes on writing in the reference's form while its objects are taken over. */
import type { Kubectl } from "./kubectl.ts";

/** Milliseconds between two writes: what takes over must get its own in between. */
const PAUSE_MS = 300;
/** What a write is refused with once the fence stands. */
const FENCED = /status\.truth is never taken away/;

/** A pod that has an address more with each write. */
export interface WrittenPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * Records one address after the other for a pod that runs, in a pool and in the pod's endpoint, as
 * a client does that knows no other field: read, change, write whole. Ends once it is refused.
 */
export class FormerWriter {
  /** Addresses whose record the server took. */
  readonly recorded: string[] = [];
  /** Whether the pool, and the endpoint, refused it for the reason that they should. */
  readonly fenced: { pool: boolean; endpoint: boolean } = { pool: false, endpoint: false };
  readonly #kubectl: Kubectl;
  readonly #pool: string;
  readonly #pod: WrittenPod;

  constructor(
    kubectl: Kubectl,
    { pool, pod }: { readonly pool: string; readonly pod: WrittenPod },
  ) {
    this.#kubectl = kubectl;
    this.#pool = pool;
    this.#pod = pod;
  }

  /** Writes until both are refused, or the signal aborts, or there is no address left. */
  async run(
    addresses: Iterable<string>,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    for (const address of addresses) {
      if (signal.aborted || (this.fenced.pool && this.fenced.endpoint)) return;
      if (!this.fenced.pool) await this.#record(address);
      if (!this.fenced.endpoint) await this.#touchEndpoint(address);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  async #record(address: string): Promise<void> {
    const read = await this.#kubectl.attempt(["get", "spiderippool", this.#pool, "-o", "json"]);
    if (read.code !== 0) return;
    const pool = JSON.parse(read.stdout);
    const { allocatedIPs = "{}", totalIPCount } = pool.status ?? {};
    const { namespace, name, uid } = this.#pod;
    const records = JSON.parse(allocatedIPs);
    records[address] = { pod: `${namespace}/${name}`, podUid: uid };
    const allocatedIPCount = Object.keys(records).length;
    pool.status = { allocatedIPs: JSON.stringify(records), allocatedIPCount, totalIPCount };
    const args = ["replace", "--subresource=status"];
    const { code, stderr } = await this.#kubectl.attempt(args, [pool]);
    if (code === 0) this.recorded.push(address);
    else if (FENCED.test(stderr)) this.fenced.pool = true;
  }

  async #touchEndpoint(address: string): Promise<void> {
    const { namespace, name } = this.#pod;
    const get = ["get", "spiderendpoint", "-n", namespace, name, "-o", "json"];
    const read = await this.#kubectl.attempt(get);
    if (read.code !== 0) return;
    const endpoint = JSON.parse(read.stdout);
    const { current, ownerControllerType, ownerControllerName } = endpoint.status;
    endpoint.status = { current, ownerControllerType, ownerControllerName };
    endpoint.metadata.labels = { ...endpoint.metadata.labels, written: address };
    const { code, stderr } = await this.#kubectl.attempt(["replace"], [endpoint]);
    if (code !== 0 && FENCED.test(stderr)) this.fenced.endpoint = true;
  }
}
