/** A slow obvious informer: list, watch, resume, list again; it keeps what it saw for the cases. */
import assert from "node:assert/strict";
import type { ObjectStore, Selection } from "../../src/base/object_store.ts";
import { keyOf, keyText } from "../../src/base/object_store.ts";
import { type Thing, THINGS } from "./kinds.ts";
import { must, stateText } from "./steps.ts";

/** What a follower knows. */
export interface Follower {
  /** Newest state by `keyText`, as the follower believes it. */
  readonly objects: ReadonlyMap<string, Thing>;
  /** Lists it made; 1 when every interruption was resumed. */
  readonly listCount: number;
  /** Times a watch was resumed where it had ended. */
  readonly resumeCount: number;
  /** Events that said again what an earlier event since the same list had said. */
  readonly doubled: readonly string[];
}

/** Keeps a copy of a selection of things until the signal aborts; each step calls `update`. */
export async function follow(
  source: {
    /** Asked anew at each start of a watch. */
    readonly store: () => ObjectStore;
    /** Resolves when a store that did not answer may be asked again. */
    readonly back: () => Promise<unknown>;
  },
  { selection, signal, update }: {
    readonly selection: Selection;
    readonly signal: AbortSignal;
    readonly update: (follower: Follower) => void;
  },
): Promise<void> {
  const objects = new Map<string, Thing>();
  const doubled: string[] = [];
  const progress = { listCount: 0, resumeCount: 0 };
  let seen = new Set<string>();
  let resumeAt: string | undefined;
  while (!signal.aborted) {
    if (resumeAt === undefined) {
      await source.back();
      const listed = await source.store().list(THINGS, { ...selection, signal });
      if (!listed.ok && listed.error.code !== "gone" && listed.error.code !== "invalid") continue;
      const { items, resourceVersion } = must(listed);
      objects.clear();
      for (const item of items) objects.set(keyText(keyOf(item)), item);
      seen = new Set(items.map((item) => `${stateText(item)} there`));
      resumeAt = resourceVersion;
      progress.listCount++;
    } else progress.resumeCount++;
    update({ objects, doubled, ...progress });
    const watch = source.store().watch(THINGS, { ...selection, signal, resourceVersion: resumeAt });
    for await (const event of watch) {
      if (event.type === "failed") {
        if (event.error.code === "gone") resumeAt = undefined;
        break;
      }
      if (event.type === "synced" || event.type === "bookmark") {
        resumeAt = event.resourceVersion;
        continue;
      }
      assert.ok(event.type !== "broken", "no broken thing was made");
      const state = `${stateText(event.object)} ${event.type === "deleted" ? "gone" : "there"}`;
      if (seen.has(state)) doubled.push(state);
      seen.add(state);
      resumeAt = event.object.metadata.resourceVersion;
      const key = keyText(keyOf(event.object));
      if (event.type === "deleted") objects.delete(key);
      else objects.set(key, event.object);
      update({ objects, doubled, ...progress });
    }
    await source.back();
  }
}
