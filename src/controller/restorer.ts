/** Restores SpiderIPs that vanish while their pods use the addresses (design.md 2.1). */
import { SPIDER_ENDPOINTS } from "../api/endpoint.ts";
import { PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { errorText } from "../base/log.ts";
import { StoreFailure } from "../base/object_store.ts";
import { runTogether } from "../base/waiting.ts";
import { endpointNameOfClaim, restoredClaim } from "../ipam/restore.ts";
import { type WorkOutcome, WorkQueue } from "../kube/mod.ts";
import type { LeaderParts } from "./parts.ts";
import { tellRestored, tellTaken } from "./restore_news.ts";

/** Milliseconds that whoever deleted a SpiderIP has for what belongs to it. */
const SETTLE_MS = 3_000;
/** Vanished SpiderIPs that are looked at, or wait for it. */
const VANISHED_MAX = 10_000;
/** Looks at a time: most SpiderIPs vanish because their pods do, and cost one read. */
const LOOKS_AT_ONCE = 4;

/** One term's work on vanished SpiderIPs. */
export class Restorer {
  readonly #parts: LeaderParts;
  readonly #queue: WorkQueue;
  /** As they were last, by name. */
  readonly #vanished = new Map<string, SpiderIp>();

  constructor(parts: LeaderParts) {
    const { clock, random } = parts.ports;
    this.#parts = parts;
    this.#queue = new WorkQueue({ clock, random, capacity: VANISHED_MAX });
  }

  /** Works until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await runTogether([
      (options) => this.#follow(options),
      (options) =>
        this.#queue.run({
          ...options,
          workers: LOOKS_AT_ONCE,
          work: (name, inTime) => this.#look(name, inTime),
        }),
    ], { signal });
  }

  async #follow({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#parts.view.claims.events({ signal })) {
      if (event.type !== "deleted") continue;
      const { name } = event.object.metadata;
      if (!this.#queue.add(name, { afterMs: SETTLE_MS }).ok) continue; // The next scan sees it.
      this.#vanished.set(name, event.object);
    }
  }

  async #look(
    name: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const claim = this.#vanished.get(name);
    if (claim === undefined) return { code: "done" };
    try {
      await this.#restore(claim, { signal });
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      const { log } = this.#parts.ports;
      log.warn("vanished address not looked at", { address: name, problem: errorText(error) });
      return { code: "failed" };
    }
    if (this.#vanished.get(name) === claim) this.#vanished.delete(name);
    return { code: "done" };
  }

  /** Nothing of this is believed of a copy: pod and endpoint are read, pod first. */
  async #restore(
    claim: SpiderIp,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    const { settler } = this.#parts;
    const { podNamespace: namespace = "", podName = "", podUID } = claim.spec;
    if (namespace === "" || podName === "") return;
    const pod = await settler.get(PODS, { namespace, name: podName }, { signal });
    if (pod === undefined) return; // Most go with their pods.
    const key = { namespace, name: endpointNameOfClaim(claim) };
    const endpoint = await settler.get(SPIDER_ENDPOINTS, key, { signal });
    const wanted = restoredClaim({ claim, pod, endpoint });
    if (wanted === undefined) return;
    const isOurs = (stored: SpiderIp): boolean => stored.spec.podUID === podUID;
    const created = await settler.create(SPIDER_IPS, wanted, { signal, isOurs });
    if (created.kind === "created") return tellRestored(this.#parts, claim);
    await tellTaken(this.#parts, { claim, signal });
  }
}
