/** Tells ADDs that wait what the watches say. */
import { isTerminating } from "../api/metadata.ts";
import { applicationKeysOf, podKey, poolKey } from "./news_keys.ts";
import type { AgentParts } from "./parts.ts";

/** Rings for each change of a pool until the signal aborts; rejects with its reason. */
export async function tellOfPools(
  { view, book, news }: Pick<AgentParts, "view" | "book" | "news">,
  { signal }: { readonly signal: AbortSignal },
): Promise<never> {
  for await (const event of view.pools.events({ signal })) {
    if (event.type === "synced" || event.type === "broken") continue;
    const { metadata } = event.object;
    const isSame = event.type === "modified" &&
      event.previous.metadata.generation === metadata.generation;
    if (!isSame) book.changed(metadata.name);
    news.ring(poolKey(metadata.name));
    for (const key of applicationKeysOf(metadata)) news.ring(key);
  }
  throw new Error("What is told of pools ends with its signal only");
}

/** Rings for pods of the node that end, as `tellOfPools` does for pools. */
export async function tellOfPods(
  { view, news }: Pick<AgentParts, "view" | "news">,
  { signal }: { readonly signal: AbortSignal },
): Promise<never> {
  for await (const event of view.pods.events({ signal })) {
    if (event.type === "synced" || event.type === "broken") continue;
    const { object } = event;
    if (event.type === "deleted" || isTerminating(object)) news.ring(podKey(object.metadata));
  }
  throw new Error("What is told of pods ends with its signal only");
}
