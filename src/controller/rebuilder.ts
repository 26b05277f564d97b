/**
 * Makes SpiderIPs again that living pods list and nobody has: they vanished while nobody led, or
 * faster than anybody saw (design.md 2.1). What a leader sees vanish, `restorer.ts` restores.
 */
import { ANNOTATION_FORCE_RELEASE } from "../api/annotations.ts";
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../api/endpoint.ts";
import { type Pod, PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { LIST_PAGE_OBJECTS } from "../base/limits.ts";
import { errorText } from "../base/log.ts";
import { StoreFailure } from "../base/object_store.ts";
import { runTogether } from "../base/waiting.ts";
import { type ListedAddress, listedAddresses, rebuiltClaim } from "../ipam/restore.ts";
import type { LeaderParts } from "./parts.ts";
import { tellRestored, tellTaken } from "./restore_news.ts";

/** Milliseconds that whoever gives or frees an address has for what belongs to it. */
const SETTLE_MS = 3_000;
/** Milliseconds between two looks: endpoints of pods that have ended cost one each, every scan. */
const LOOK_GAP_MS = 20;
/** Addresses that were freed by force, and stay so; more are forgotten. */
const FORCED_MAX = 10_000;

/** One term's work on addresses without a SpiderIP. */
export class Rebuilder {
  readonly #parts: LeaderParts;
  /** `name podUID` of what people freed by force in this term. */
  readonly #forced = new Set<string>();

  constructor(parts: LeaderParts) {
    this.#parts = parts;
  }

  /** Works until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await runTogether([
      (options) => this.#follow(options),
      (options) => this.#scanAgain(options),
    ], { signal });
  }

  async #follow({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#parts.view.claims.events({ signal })) {
      if (event.type !== "deleted") continue;
      const { metadata, spec } = event.object;
      if (metadata.annotations?.[ANNOTATION_FORCE_RELEASE] !== "true") continue;
      if (this.#forced.size < FORCED_MAX) this.#forced.add(`${metadata.name} ${spec.podUID}`);
    }
  }

  /** At election, as often as dead pods are looked for, and never twice at a time. */
  async #scanAgain({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { view, settings: { reclaim }, ports: { clock, log } } = this.#parts;
    await view.waitForSync({ signal });
    for (;;) {
      try {
        await this.#scan({ signal });
      } catch (error) {
        if (!(error instanceof StoreFailure)) throw error;
        log.warn("endpoints not looked through", { problem: errorText(error) });
      }
      await clock.sleep(reclaim.intervalMs, { signal });
    }
  }

  async #scan({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { settler, ports: { store, clock } } = this.#parts;
    let continuation: string | undefined;
    do {
      const page = await settler.read(
        (options) =>
          store.list(SPIDER_ENDPOINTS, { ...options, limit: LIST_PAGE_OBJECTS, continuation }),
        { signal },
      );
      if (!page.ok) throw new StoreFailure(page.error);
      const missing = page.value.items.map((endpoint) => ({
        endpoint,
        listed: listedAddresses(endpoint).filter((one) => this.#isMissing(endpoint, one)),
      })).filter(({ listed }) => listed.length > 0);
      if (missing.length > 0) await clock.sleep(SETTLE_MS, { signal });
      for (const { endpoint, listed } of missing) {
        await clock.sleep(LOOK_GAP_MS, { signal });
        await this.#rebuild(endpoint, { listed, signal });
      }
      continuation = page.value.continuation;
    } while (continuation !== undefined);
  }

  /** Whether no copy shows a SpiderIP, though the pool's addresses are SpiderIPs. */
  #isMissing(endpoint: SpiderEndpoint, { name, pool }: ListedAddress): boolean {
    const { view } = this.#parts;
    if (view.pools.get({ name: pool })?.status?.truth === undefined) return false;
    if (view.claims.get({ name }) ?? view.claims.broken({ name })) return false;
    return !this.#forced.has(`${name} ${endpoint.status?.current.uid}`);
  }

  /** Nothing of this is believed of a list: the pod is read, and then its endpoint. */
  async #rebuild(
    { metadata: { namespace, name }, status }: SpiderEndpoint,
    { listed, signal }: {
      readonly listed: readonly ListedAddress[];
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const { settler } = this.#parts;
    const key = { namespace, name };
    const pod = status?.ownerControllerType === "VirtualMachineInstance"
      ? await this.#podOfUid(status.current.uid, { namespace, signal })
      : await settler.get(PODS, key, { signal });
    if (pod === undefined) return; // Most go with their pods.
    const endpoint = await settler.get(SPIDER_ENDPOINTS, key, { signal });
    for (const { name } of listed) {
      const wanted = rebuiltClaim({ name, pod, endpoint });
      if (wanted !== undefined) await this.#create(wanted, { signal });
    }
  }

  async #create(wanted: SpiderIp, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { settler } = this.#parts;
    const isOurs = (stored: SpiderIp): boolean => stored.spec.podUID === wanted.spec.podUID;
    const created = await settler.create(SPIDER_IPS, wanted, { signal, isOurs });
    if (created.kind === "created") tellRestored(this.#parts, wanted);
    else await tellTaken(this.#parts, { claim: wanted, signal });
  }

  /** The pod of a virtual machine has another name than the machine and its endpoint. */
  async #podOfUid(
    uid: string,
    { namespace, signal }: { readonly namespace: string | undefined; readonly signal: AbortSignal },
  ): Promise<Pod | undefined> {
    const { settler, ports: { store } } = this.#parts;
    const listed = await settler.read(
      (options) => store.list(PODS, { ...options, namespace }),
      { signal },
    );
    if (!listed.ok) throw new StoreFailure(listed.error);
    return listed.value.items.find(({ metadata }) => metadata.uid === uid);
  }
}
