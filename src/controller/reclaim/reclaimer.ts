/**
 * Frees the addresses of pods that never gave them back (design.md 2.1, rule 5): at once where an
 * event tells that a look is due, and by a scan of everything for what no event told.
 */
import { type Node, TAINT_OUT_OF_SERVICE } from "../../api/kubernetes/node.ts";
import type { SpiderIp } from "../../api/spider_ip.ts";
import { errorText } from "../../base/log.ts";
import { type MetadataObject, StoreFailure } from "../../base/object_store.ts";
import { runTogether } from "../../base/waiting.ts";
import { freedHappening } from "../../daemon/freed_event.ts";
import { type InformerEvent, type WorkOutcome, WorkQueue } from "../../kube/mod.ts";
import type { LeaderParts } from "../parts.ts";
import type { LifeView } from "./life_view.ts";
import { lookAt } from "./look.ts";

/** Milliseconds that the node's agent has for a DEL before a look. */
const DEL_MS = 5_000;
/** Milliseconds after a pod's time is over until a look: the server's clock is seen in replies. */
const OVERDUE_MS = 1_000;
/** Looks of a second, so that a scan does not disturb who allocates. */
const LOOKS_PER_SECOND = 50;

/** One term's work. */
export class Reclaimer {
  readonly #parts: LeaderParts;
  readonly #queue: WorkQueue;
  readonly #life: LifeView;
  /** Before when no further look begins; monotonic milliseconds. */
  #nextMs = -Infinity;

  constructor(parts: LeaderParts) {
    const { ports, settings: { reclaim } } = parts;
    this.#parts = parts;
    this.#queue = new WorkQueue({ ...ports, capacity: reclaim.tracedMax });
    this.#life = parts.life;
  }

  /** Works until the signal aborts; rejects with its reason. Returns at once if it is off. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { settings: { reclaim }, view } = this.#parts;
    if (!reclaim.isOn) return;
    const life = this.#life;
    await runTogether([
      (options) => this.#followPods(options),
      ...life.ended.map((informer) => (options: { readonly signal: AbortSignal }) =>
        this.#followEnded(informer.events(options))
      ),
      (options) => this.#followNodes(options),
      async (options) => {
        await Promise.all([life.waitForSync(options), view.waitForSync(options)]);
        await runTogether([
          (inTime) => this.#scanAgain(inTime),
          (inTime) =>
            this.#queue.run({
              ...inTime,
              workers: reclaim.workers,
              work: (...args) => this.#work(...args),
            }),
        ], options);
      },
    ], { signal });
  }

  async #followPods({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#life.pods.events({ signal })) {
      if (event.type === "synced" || event.type === "broken") continue;
      const { uid = "" } = event.object.metadata;
      if (event.type === "deleted") this.#askPod(uid, DEL_MS);
      else if (event.object.metadata.deletionTimestamp !== undefined) {
        this.#askPod(uid, this.#untilOver(event.object));
      }
    }
  }

  /** Milliseconds until the deletion of a pod is over, if all goes well. */
  #untilOver({ metadata: { deletionTimestamp = "" } }: MetadataObject): number {
    const { store, clock } = this.#parts.ports;
    const nowMs = store.serverTimeMs() ?? clock.nowMs();
    return Math.max(DEL_MS, Date.parse(deletionTimestamp) + OVERDUE_MS - nowMs);
  }

  async #followEnded(events: AsyncIterable<InformerEvent<MetadataObject>>): Promise<void> {
    for await (const event of events) {
      if (event.type === "added") this.#askPod(event.object.metadata.uid ?? "", DEL_MS);
    }
  }

  async #followNodes({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#life.nodes.events({ signal })) {
      const isOff = event.type === "deleted" ||
        ((event.type === "added" || event.type === "modified") && isOutOfService(event.object));
      if (!isOff) continue;
      const node = event.object.metadata.name;
      for (const claim of this.#parts.view.claimsOn(node)) this.#ask(claim, DEL_MS);
    }
  }

  #askPod(uid: string, afterMs: number): void {
    if (uid === "") return;
    for (const claim of this.#parts.view.claimsOfPod(uid)) this.#ask(claim, afterMs);
  }

  /** A full queue forgets: the next scan does not. */
  #ask({ metadata: { name } }: SpiderIp, afterMs: number): void {
    this.#queue.add(name, { afterMs });
  }

  /** Looks at everything that does not seem to live, at election and from time to time. */
  async #scanAgain({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { ports: { clock, log }, settings: { reclaim }, view } = this.#parts;
    for (;;) {
      let asked = 0;
      for (const claim of view.claims.objects()) {
        const { podUID = "", hold } = claim.spec;
        if (hold !== undefined || this.#life.seemsAlive(podUID)) continue;
        this.#ask(claim, 0);
        asked++;
      }
      log.debug("addresses scanned", { asked });
      await clock.sleep(reclaim.intervalMs, { signal });
    }
  }

  async #work(
    name: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const { ports: { store, clock, log }, metrics } = this.#parts;
    const nowMs = clock.monotonicMs();
    const startMs = Math.max(nowMs, this.#nextMs);
    this.#nextMs = startMs + 1_000 / LOOKS_PER_SECOND;
    if (startMs > nowMs) await clock.sleep(startMs - nowMs, { signal });
    try {
      const looked = await lookAt(this.#parts, { name, signal });
      if (looked.kind === "changed") return { code: "again", afterMs: DEL_MS };
      if (looked.kind === "freed") this.#tellFreed(looked.claim, looked.reason);
      if (looked.kind !== "kept" || looked.untilMs === undefined) return { code: "done" };
      const serverMs = store.serverTimeMs() ?? clock.nowMs();
      const afterMs = Math.max(0, looked.untilMs - serverMs) + OVERDUE_MS;
      return { code: "again", afterMs };
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      metrics.reclaimFailed();
      log.warn("address not looked at", { address: name, problem: errorText(error) });
      return { code: "failed" };
    }
  }

  #tellFreed(claim: SpiderIp, reason: string): void {
    const { ports: { log }, recorder, metrics } = this.#parts;
    const { ip: address, pool, podNamespace = "", podName = "", podUID = "", nic, node } =
      claim.spec;
    metrics.reclaimed();
    log.info("address freed", { address, pool, podNamespace, podName, podUID, nic, node, reason });
    recorder.record(freedHappening(claim, reason));
  }
}

function isOutOfService({ spec }: Node): boolean {
  return (spec.taints ?? []).some(({ key }) => key === TAINT_OUT_OF_SERVICE);
}
