/** Finds containers that ended without a word: their network namespace is gone. */
import type { Clock } from "../../base/clock.ts";
import { errorText, type Log } from "../../base/log.ts";
import { keyOf, StoreFailure } from "../../base/object_store.ts";
import { SPIDER_ENDPOINTS } from "../../api/endpoint.ts";
import { type Pod, PODS } from "../../api/kubernetes/pod.ts";
import { EVENTS } from "../../kube/events.ts";
import type { EngineStore } from "../../store/engine_store.ts";
import { collectGarbage } from "../../store/garbage.ts";
import { CONTAINER_NAMESPACE, containerFacts } from "./containers.ts";
import type { LookAtNetns } from "./ports.ts";

/** Milliseconds between two looks. */
export const SWEEP_GAP_MS = 30_000;
/** Milliseconds that an Event is kept, as long as an API server keeps it. */
const EVENT_MS = 3_600_000;

/** What a janitor needs. */
export interface JanitorOptions {
  readonly store: EngineStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly lookAtNetns: LookAtNetns;
  /** Only the agent that saw a network namespace can say that it is gone. */
  readonly nodeName: string;
}

/** Removes the Pods of containers that are gone; what they had is freed by the engine. */
export class Janitor {
  readonly #options: JanitorOptions;

  constructor(options: JanitorOptions) {
    this.#options = options;
  }

  /** @returns How many containers were found gone. @throws {StoreFailure} */
  async sweep({ signal }: { readonly signal: AbortSignal }): Promise<number> {
    const { store, nodeName } = this.#options;
    const listed = await store.list(PODS, {
      namespace: CONTAINER_NAMESPACE,
      fieldSelector: `spec.nodeName=${nodeName}`,
      signal,
    });
    if (!listed.ok) throw new StoreFailure(listed.error);
    let gone = 0;
    for (const pod of listed.value.items) if (await this.removeIfGone(pod, { signal })) gone++;
    collectGarbage(store.engine, [PODS, SPIDER_ENDPOINTS]);
    await this.#dropOldEvents({ signal });
    return gone;
  }

  /**
   * Removes the Pod of a container of this machine if it is gone.
   *
   * @returns Whether it was removed. Not if it changed meanwhile: then the container is back.
   */
  async removeIfGone(pod: Pod, { signal }: { readonly signal: AbortSignal }): Promise<boolean> {
    const { store, log, lookAtNetns, nodeName } = this.#options;
    const { containerID: container, nic, node, netns } = containerFacts(pod);
    if (netns === undefined || node !== nodeName) return false;
    const state = await lookAtNetns(netns.path);
    if (state.kind === "unknown") {
      log.warn("network namespace not looked at", { container, netns: netns.path, ...state });
      return false;
    }
    if (state.kind === "there" && state.identity === netns.identity) return false;
    const { uid, resourceVersion } = pod.metadata;
    const preconditions = { uid, resourceVersion };
    const removed = await store.remove(PODS, keyOf(pod), { preconditions, signal });
    if (removed.ok) log.info("container is gone", { container, nic, netns: netns.path });
    else if (removed.error.code !== "not_found" && removed.error.code !== "conflict") {
      throw new StoreFailure(removed.error);
    }
    return removed.ok;
  }

  /** Looks again and again. @param options.found Called after a look that found any gone. */
  async run(
    { signal, found }: {
      readonly signal: AbortSignal;
      readonly found: (options: { readonly signal: AbortSignal }) => Promise<unknown>;
    },
  ): Promise<never> {
    const { clock, log } = this.#options;
    for (;;) {
      try {
        if (await this.sweep({ signal }) > 0) await found({ signal });
      } catch (error) {
        if (!(error instanceof StoreFailure)) throw error;
        log.warn("containers not looked at", { problem: errorText(error) });
      }
      await clock.sleep(SWEEP_GAP_MS, { signal });
    }
  }

  /** Nobody else takes them out of the file. */
  async #dropOldEvents({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { store, clock } = this.#options;
    const listed = await store.list(EVENTS, { signal });
    if (!listed.ok) throw new StoreFailure(listed.error);
    for (const event of listed.value.items) {
      const madeMs = Date.parse(event.metadata.creationTimestamp ?? "");
      if (!(clock.nowMs() - madeMs > EVENT_MS)) continue;
      await store.remove(EVENTS, keyOf(event), { signal });
    }
  }
}
