/** Endpoints as this agent last wrote them: a further NIC is added without reading them again. */
import type { ObjectMeta } from "../base/object_store.ts";
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../api/endpoint.ts";
import { SPIDERPOOL_FINALIZER } from "../api/group.ts";
import type { Settler } from "../kube/settler.ts";

/** Endpoints that are remembered; the oldest is forgotten first. A node has a few hundred pods. */
const ENDPOINTS_MAX = 1_024;

/**
 * What was last seen of endpoints, by pod UID. Good for compare-and-swap, which fails if it is old;
 * no address is answered from it.
 */
export class KnownEndpoints {
  readonly #settler: Settler;
  readonly #byPod = new Map<string, SpiderEndpoint>();

  constructor(settler: Settler) {
    this.#settler = settler;
  }

  /** What was seen last of the endpoint of this pod. */
  get(podUID: string): SpiderEndpoint | undefined {
    return this.#byPod.get(podUID);
  }

  /** Forgets the endpoint of a pod. */
  forget(podUID: string): void {
    this.#byPod.delete(podUID);
  }

  /** The endpoint as the API has it now; `undefined` if there is none. */
  async read(
    key: { readonly namespace: string; readonly name: string },
    { signal }: { readonly signal: AbortSignal },
  ): Promise<SpiderEndpoint | undefined> {
    return await this.#settler.get(SPIDER_ENDPOINTS, key, { signal });
  }

  /**
   * Stores an endpoint: creates it, or replaces what was read.
   *
   * @returns `undefined` if somebody else was first: read it again.
   */
  async write(
    endpoint: SpiderEndpoint,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<SpiderEndpoint | undefined> {
    const uid = podOf(endpoint);
    this.#byPod.delete(uid);
    const options = { signal, isOurs: (stored: SpiderEndpoint) => saysTheSame(stored, endpoint) };
    const isNew = endpoint.metadata.resourceVersion === undefined;
    const written = isNew
      ? await this.#settler.create(SPIDER_ENDPOINTS, endpoint, options)
      : await this.#settler.replace(SPIDER_ENDPOINTS, endpoint, options);
    if (written.kind === "exists" || written.kind === "lost") return undefined;
    const oldest = this.#byPod.keys().next();
    if (this.#byPod.size >= ENDPOINTS_MAX && !oldest.done) this.#byPod.delete(oldest.value);
    this.#byPod.set(uid, written.object);
    return written.object;
  }

  /**
   * Removes an endpoint that was read, with the finalizers that the reference left on it.
   *
   * @returns Whether it is gone; if not, it was changed since it was read.
   */
  async remove(
    endpoint: SpiderEndpoint,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<boolean> {
    this.#byPod.delete(podOf(endpoint));
    let current = endpoint;
    if (hasOwnFinalizer(endpoint)) {
      const freed = await this.#settler.replace(SPIDER_ENDPOINTS, withoutFinalizer(endpoint), {
        signal,
        isOurs: (stored) => !hasOwnFinalizer(stored),
      });
      if (freed.kind === "lost") return false;
      if (endpoint.metadata.deletionTimestamp !== undefined) return true; // It went with it.
      current = freed.object;
    }
    return await this.#settler.remove(SPIDER_ENDPOINTS, current, { signal }) === "gone";
  }
}

/** Whether two endpoints give the same pod the same addresses. */
export function saysTheSame(one: SpiderEndpoint, other: SpiderEndpoint): boolean {
  return podOf(one) === podOf(other) && addressText(one) === addressText(other);
}

/** UID of the pod that an endpoint is of at present; empty if it says none. */
export function podOf(endpoint: SpiderEndpoint): string {
  return endpoint.status?.current.uid ?? "";
}

/** Every NIC with its addresses. Servers keep members in an order of their own, so no JSON. */
function addressText(endpoint: SpiderEndpoint): string {
  const nics = endpoint.status?.current.ips ?? [];
  return nics.map((nic) => `${nic.interface} ${nic.ipv4 ?? ""} ${nic.ipv6 ?? ""}`).join("\n");
}

function hasOwnFinalizer({ metadata }: SpiderEndpoint): boolean {
  return metadata.finalizers?.includes(SPIDERPOOL_FINALIZER) ?? false;
}

function withoutFinalizer(endpoint: SpiderEndpoint): SpiderEndpoint {
  const { finalizers, ...metadata }: ObjectMeta = endpoint.metadata;
  const others = finalizers?.filter((name) => name !== SPIDERPOOL_FINALIZER) ?? [];
  return {
    ...endpoint,
    metadata: others.length === 0 ? metadata : { ...metadata, finalizers: others },
  };
}
