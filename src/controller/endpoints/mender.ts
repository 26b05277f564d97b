/**
 * Keeps SpiderEndpoints as SpiderIPs and pods say (design.md 2.1, 2.2): one that is lost although
 * its addresses are kept is made again, one that nobody needs goes, and no finalizer holds one.
 */
import type { SpiderEndpoint } from "../../api/endpoint.ts";
import { SPIDERPOOL_FINALIZER } from "../../api/group.ts";
import { errorText } from "../../base/log.ts";
import { type BrokenObject, keyText } from "../../base/object_store.ts";
import { runTogether } from "../../base/waiting.ts";
import { endpointNameOfClaim } from "../../ipam/restore.ts";
import { Informer } from "../../kube/mod.ts";
import { LookQueue } from "../look_queue.ts";
import type { LeaderParts } from "../parts.ts";
import { endpointRows } from "./endpoint_rows.ts";
import { type EndpointKey, lookAtEndpoint } from "./look.ts";
import { tellEndpoint } from "./news.ts";
import { isSuspect } from "./suspects.ts";

/** Milliseconds that whoever writes or deletes an endpoint has for what belongs to it. */
const SETTLE_MS = 5_000;

/** One term's work. */
export class EndpointMender {
  readonly #parts: LeaderParts;
  readonly #endpoints: Informer<SpiderEndpoint>;
  readonly #queue: LookQueue;

  constructor(parts: LeaderParts) {
    const { store, clock, random } = parts.ports;
    this.#parts = parts;
    this.#endpoints = new Informer(store, endpointRows(), { clock, random });
    this.#queue = new LookQueue(parts);
  }

  /** Why its copy is not up to date. */
  get problem(): string | undefined {
    return this.#endpoints.status().error?.message;
  }

  /** Works until the signal aborts; rejects with its reason. */
  async run({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { view, life, ports: { log } } = this.#parts;
    await runTogether([
      (options) => this.#endpoints.run(options),
      (options) => this.#follow(options),
      async (options) => {
        await Promise.all([
          this.#endpoints.waitForSync(options),
          view.waitForSync(options),
          life.waitForSync(options),
        ]);
        await runTogether([
          (inTime) => this.#scanAgain(inTime),
          (inTime) =>
            this.#queue.run({
              ...inTime,
              look: (text, options) =>
                lookAtEndpoint(this.#parts, { ...options, key: keyOfText(text) }),
              tellFailed: (endpoint, error) =>
                log.warn("endpoint not looked at", { endpoint, problem: errorText(error) }),
            }),
        ], options);
      },
    ], { signal });
  }

  async #follow({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    for await (const event of this.#endpoints.events({ signal })) {
      switch (event.type) {
        case "synced":
          continue;
        case "broken":
          if (event.change !== "deleted") this.#tellBroken(event.object);
          this.#ask(event.object.key);
          continue;
        case "deleted":
          this.#ask(event.object.metadata);
          continue;
        case "added":
        case "modified":
          if (event.object.metadata.finalizers?.includes(SPIDERPOOL_FINALIZER)) {
            this.#ask(event.object.metadata);
          }
      }
    }
  }

  #ask(key: { readonly namespace?: string | undefined; readonly name: string }): void {
    this.#queue.ask(keyText(key), SETTLE_MS);
  }

  /** Looks at everything that is not as it should be, at election and from time to time. */
  async #scanAgain({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { ports: { clock, log }, view } = this.#parts;
    for (;;) {
      const suspects = new Set<string>();
      for (const endpoint of this.#endpoints.objects()) {
        if (isSuspect(this.#parts, endpoint)) suspects.add(keyText(endpoint.metadata));
      }
      for (const claim of view.claims.objects()) {
        const { owner, hold, podNamespace: namespace } = claim.spec;
        if (owner === undefined || hold !== undefined) continue;
        const key = { namespace, name: endpointNameOfClaim(claim) };
        const isThere = (this.#endpoints.get(key) ?? this.#endpoints.broken(key)) !== undefined;
        if (!isThere) suspects.add(keyText(key));
      }
      for (const { key } of this.#endpoints.brokenObjects()) suspects.add(keyText(key));
      // A copy of one kind may be ahead of another.
      if (suspects.size > 0) await clock.sleep(SETTLE_MS, { signal });
      const asked = await this.#queue.scan(suspects, { signal });
      log.debug("endpoints scanned", { asked });
      await this.#queue.untilScan({ signal });
    }
  }

  #tellBroken({ key: { namespace, name }, problem }: BrokenObject): void {
    tellEndpoint(this.#parts, {
      endpoint: { metadata: { namespace, name } },
      reason: "Unreadable",
      note: `${problem}; correct it, or delete it: its addresses are SpiderIPs`,
      isBad: true,
    });
  }
}

function keyOfText(text: string): EndpointKey {
  const [namespace = "", name = ""] = text.split("/");
  return { namespace, name };
}
