/**
 * Makes SpiderIPs again that living pods list and nobody has: they vanished while nobody led, or
 * faster than anybody saw (design.md 2.1). What a leader sees vanish, `restorer.ts` restores.
 */
import { ANNOTATION_FORCE_RELEASE } from "../api/annotations.ts";
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../api/endpoint.ts";
import { type Pod, PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { errorText } from "../base/log.ts";
import { keyText, StoreFailure } from "../base/object_store.ts";
import { pagesOf } from "../base/pages.ts";
import { runTogether } from "../base/waiting.ts";
import { type Address, cidrContains, formatAddress } from "../ip/mod.ts";
import { type PoolReading, readPool } from "../ipam/pool_facts.ts";
import {
  endpointNameOfClaim,
  type ListedAddress,
  listedAddresses,
  rebuiltClaim,
} from "../ipam/restore.ts";
import { tellEndpoint } from "./endpoints/news.ts";
import type { LeaderParts } from "./parts.ts";
import { tellRestored, tellTaken } from "./restore_news.ts";

/** Milliseconds that whoever gives or frees an address has for what belongs to it. */
const SETTLE_MS = 3_000;
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
    const { view, life, settings: { reclaim }, ports: { clock, log } } = this.#parts;
    await Promise.all([view.waitForSync({ signal }), life.waitForSync({ signal })]);
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
    const { settler, life, pace, ports: { store, clock } } = this.#parts;
    const pages = pagesOf((page) =>
      settler.read((options) => store.list(SPIDER_ENDPOINTS, { ...options, ...page }), { signal })
    );
    for await (const { items } of pages) {
      const living = items.filter(({ status }) => {
        return life.seemsAlive(status?.current.uid ?? "");
      });
      const missing = living.map((endpoint) => ({
        endpoint,
        listed: listedAddresses(endpoint).filter((one) => this.#isMissing(endpoint, one)),
      })).filter(({ listed }) => listed.length > 0);
      if (missing.length > 0) await clock.sleep(SETTLE_MS, { signal });
      for (const { endpoint, listed } of missing) {
        await pace.turn({ signal });
        await this.#tryRebuild(endpoint, { listed, signal });
      }
    }
  }

  /**
   * Whether no copy shows a SpiderIP, or one of another pod that lives too, though the pool's
   * addresses are SpiderIPs.
   */
  #isMissing(endpoint: SpiderEndpoint, { name, pool, address }: ListedAddress): boolean {
    const { view, life } = this.#parts;
    const stored = view.pools.get({ name: pool });
    if (stored?.status?.truth === undefined) return false;
    if (!isIn(readPool(stored), address)) {
      this.#tellForeign(endpoint, { pool, address });
      return false;
    }
    const claim = view.claims.get({ name });
    if (claim !== undefined) {
      return isOther(claim, endpoint) && life.seemsAlive(claim.spec.podUID ?? "");
    }
    if (view.claims.broken({ name }) !== undefined) return false;
    return !this.#forced.has(`${name} ${endpoint.status?.current.uid}`);
  }

  /** A written entry that its pool could never have given: nothing is made of it. */
  #tellForeign(
    endpoint: SpiderEndpoint,
    { pool, address }: Pick<ListedAddress, "pool" | "address">,
  ): void {
    tellEndpoint(this.#parts, {
      endpoint,
      reason: "AddressForeign",
      note: `${formatAddress(address)} is no address of the subnet of SpiderIPPool "${pool}": ` +
        "correct status.current.ips, or replace the pod",
      isBad: true,
    });
  }

  /** What is refused for one endpoint says nothing of the others. */
  async #tryRebuild(
    endpoint: SpiderEndpoint,
    options: { readonly listed: readonly ListedAddress[]; readonly signal: AbortSignal },
  ): Promise<void> {
    try {
      await this.#rebuild(endpoint, options);
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      const { log } = this.#parts.ports;
      const name = keyText(endpoint.metadata);
      log.warn("endpoint not looked at", { endpoint: name, problem: errorText(error) });
    }
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

/** Whether an address may be of a pool; of one that nobody can read, any may. */
function isIn(reading: PoolReading, address: Address): boolean {
  if (reading.kind !== "facts") return true;
  const { facts } = reading;
  if (facts.version === 4) {
    return typeof address === "number" && cidrContains(facts.subnet, address);
  }
  return typeof address === "bigint" && cidrContains(facts.subnet, address);
}

/** Whether a SpiderIP is that of another endpoint: a rebind writes it before the endpoint. */
function isOther(claim: SpiderIp, { metadata }: SpiderEndpoint): boolean {
  const { podNamespace, hold } = claim.spec;
  if (hold !== undefined) return false;
  return podNamespace !== metadata.namespace || endpointNameOfClaim(claim) !== metadata.name;
}
