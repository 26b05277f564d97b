/** One run of giving back: what it works with, and how it lists. */
import {
  keyText,
  type Resource,
  type Selection,
  type StoredObject,
  StoreFailure,
} from "../../base/object_store.ts";
import { pagesOf } from "../../base/pages.ts";
import { quoted } from "../../ipam/brief.ts";
import type { CommandWork } from "../command.ts";

/** One run. */
export type Run = Pick<CommandWork, "ports" | "signal">;

/** Every object of a kind, as it is now. @throws {StoreFailure} One cannot be read, or the list. */
export async function all<T extends StoredObject>(
  resource: Resource<T>,
  { ports: { store }, signal, ...selection }: Run & Pick<Selection, "namespace" | "labelSelector">,
): Promise<readonly T[]> {
  const found: T[] = [];
  for await (
    const { items, broken } of pagesOf((page) =>
      store.list(resource, { ...selection, ...page, signal })
    )
  ) {
    const [first] = broken;
    if (first !== undefined) {
      const message = `${resource.kind} ${quoted(keyText(first.key))} cannot be read: ` +
        `${first.problem}; correct or delete it`;
      throw new StoreFailure({ code: "broken", message });
    }
    found.push(...items);
  }
  return found;
}
