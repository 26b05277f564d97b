/**
 * Frees the addresses of pods that never gave them back (design.md 2.1, rule 5): at once where an
 * event tells that a look is due, and by a scan of everything for what no event told.
 */
import { ANNOTATION_FORCE_RELEASE } from "../../api/annotations.ts";
import { isOutOfService } from "../../api/kubernetes/node.ts";
import type { SpiderIp } from "../../api/spider_ip.ts";
import { errorText } from "../../base/log.ts";
import type { MetadataObject, StoreFailure } from "../../base/object_store.ts";
import { runTogether } from "../../base/waiting.ts";
import { serverNowMs } from "../../base/server_time.ts";
import { freedHappening } from "../../daemon/freed_event.ts";
import { SeenSince } from "../../daemon/seen_since.ts";
import type { InformerEvent, WorkOutcome } from "../../kube/mod.ts";
import { tellWrong } from "../pool_news.ts";
import { LookQueue } from "../look_queue.ts";
import type { LeaderParts } from "../parts.ts";
import type { LifeView } from "./life_view.ts";
import { lookAt } from "./look.ts";

/** Milliseconds after a pod's time is over until a look: the server's clock is seen in replies. */
const OVERDUE_MS = 1_000;

/** One term's work. */
export class Reclaimer {
  readonly #parts: LeaderParts;
  readonly #queue: LookQueue;
  readonly #life: LifeView;
  /** Pods that were seen to have ended, by UID: what a node says of it is by its own clock. */
  readonly #endings = new SeenSince();
  /** Milliseconds that the node's agent has for a DEL before a look. */
  readonly #gapMs: number;

  constructor(parts: LeaderParts) {
    this.#parts = parts;
    this.#queue = new LookQueue(parts);
    this.#life = parts.life;
    this.#gapMs = parts.settings.reclaim.lookGapMs;
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
              look: (...args) => this.#look(...args),
              tellFailed: (name, error) => this.#tellFailed(name, error),
            }),
        ], options);
      },
    ], { signal });
  }

  async #followPods({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#life.pods.events({ signal })) {
      if (event.type === "synced" || event.type === "broken") continue;
      const { uid = "" } = event.object.metadata;
      if (event.type === "deleted") this.#askPod(uid, this.#gapMs);
      else if (event.object.metadata.deletionTimestamp !== undefined) {
        this.#askPod(uid, this.#untilOver(event.object));
      }
    }
  }

  /** Milliseconds until the deletion of a pod is over, if all goes well. */
  #untilOver({ metadata: { deletionTimestamp = "" } }: MetadataObject): number {
    const { store, clock } = this.#parts.ports;
    const nowMs = serverNowMs({ store, clock });
    return Math.max(this.#gapMs, Date.parse(deletionTimestamp) + OVERDUE_MS - nowMs);
  }

  async #followEnded(events: AsyncIterable<InformerEvent<MetadataObject>>): Promise<void> {
    for await (const event of events) {
      if (event.type === "added") this.#askPod(event.object.metadata.uid ?? "", this.#gapMs);
    }
  }

  async #followNodes({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#life.nodes.events({ signal })) {
      const isOff = event.type === "deleted" ||
        ((event.type === "added" || event.type === "modified") && isOutOfService(event.object));
      if (!isOff) continue;
      const node = event.object.metadata.name;
      for (const claim of this.#parts.view.claimsOn(node)) this.#ask(claim, this.#gapMs);
    }
  }

  #askPod(uid: string, afterMs: number): void {
    if (uid === "") return;
    for (const claim of this.#parts.view.claimsOfPod(uid)) this.#ask(claim, afterMs);
  }

  #ask({ metadata: { name } }: SpiderIp, afterMs: number): void {
    this.#queue.ask(name, afterMs);
  }

  /** Looks at everything that does not seem to live, at election and from time to time. */
  async #scanAgain({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { ports: { log }, view } = this.#parts;
    for (;;) {
      this.#endings.keepOnly((uid) => view.claimsOfPod(uid).length > 0);
      const asked = await this.#queue.scan(this.#suspects(), { signal });
      log.debug("addresses scanned", { asked });
      await this.#queue.untilScan({ signal });
    }
  }

  *#suspects(): Iterable<string> {
    for (const { metadata, spec } of this.#parts.view.claims.objects()) {
      const { podUID = "", hold } = spec;
      const isSuspect = hold === undefined && !this.#life.seemsAlive(podUID);
      if (isSuspect) yield metadata.name;
    }
  }

  async #look(
    name: string,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<WorkOutcome> {
    const { ports: { store, clock }, metrics } = this.#parts;
    const looked = await lookAt(this.#parts, { name, endings: this.#endings, signal });
    if (looked.kind === "changed") {
      metrics.conflicted();
      return { code: "again", afterMs: this.#gapMs };
    }
    if (looked.kind === "freed") this.#tellFreed(looked.claim, looked.reason);
    if (looked.kind === "nobodys") this.#tellNobodys(looked.claim);
    if (looked.kind !== "kept" || looked.untilMs === undefined) return { code: "done" };
    const serverMs = serverNowMs({ store, clock });
    const afterMs = Math.max(0, looked.untilMs - serverMs) + OVERDUE_MS;
    return { code: "again", afterMs };
  }

  #tellNobodys({ metadata: { name, uid } }: SpiderIp): void {
    tellWrong(this.#parts.recorder, {
      kind: "SpiderIP",
      metadata: { name, uid },
      problem:
        "spec.podNamespace and spec.podName name no pod, so nobody gives the address back: " +
        `write them, or delete it with the annotation "${ANNOTATION_FORCE_RELEASE}"`,
    });
  }

  #tellFailed(address: string, error: StoreFailure): void {
    const { ports: { log }, metrics } = this.#parts;
    metrics.reclaimFailed();
    log.warn("address not looked at", { address, problem: errorText(error) });
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
