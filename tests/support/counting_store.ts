/** A store that counts what is asked of it. */
import type { ObjectStore } from "../../src/base/object_store.ts";

/** Counts lists and reads of a kind on their way to the store. */
export function counting(
  plural: string,
  counts: { lists: number; gets: number },
): (store: ObjectStore) => ObjectStore {
  return (store: ObjectStore): ObjectStore =>
    new Proxy(store, {
      get(target, member) {
        const method: unknown = Reflect.get(target, member);
        if (typeof method !== "function") return method;
        return (...args: readonly unknown[]): unknown => {
          const [resource] = args;
          const isMeant = typeof resource === "object" && resource !== null &&
            "plural" in resource && resource.plural === plural;
          if (isMeant && member === "list") counts.lists++;
          if (isMeant && member === "get") counts.gets++;
          return Reflect.apply(method, target, args);
        };
      },
    });
}
