/** Hearing of what others do to a few objects, without keeping anything of them. */
import type { Clock } from "../../base/clock.ts";
import type {
  CallOptions,
  ObjectStore,
  Resource,
  Selection,
  StoredObject,
} from "../../base/object_store.ts";
import type { Random } from "../../base/random.ts";
import { runTogether } from "../../base/waiting.ts";
import { Informer } from "../../kube/mod.ts";

/** What is followed, and who hears of it. */
export interface Following extends CallOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly selection: Selection;
  /** Called for each object that comes, changes or goes. */
  readonly changed: () => void;
}

/** Watches objects until the signal aborts; rejects with its reason. */
export async function followChanges<T extends StoredObject>(
  resource: Resource<T>,
  { store, clock, random, selection, changed, signal }: Following,
): Promise<void> {
  const informer = new Informer(store, resource, { clock, random, selection });
  await runTogether([
    (options) => informer.run(options),
    async (options) => {
      for await (const { type } of informer.events(options)) if (type !== "synced") changed();
    },
  ], { signal });
}
