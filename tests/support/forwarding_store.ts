/** A store that hands every call to another one: tests replace some of its calls. */
import type { ObjectStore } from "../../src/base/object_store.ts";

/** Forwards every call; spread it and write the calls that differ. */
export function forwardingStore(store: ObjectStore): ObjectStore {
  return {
    get: (...args) => store.get(...args),
    list: (...args) => store.list(...args),
    listRows: (...args) => store.listRows(...args),
    watch: (...args) => store.watch(...args),
    create: (...args) => store.create(...args),
    replace: (...args) => store.replace(...args),
    replaceStatus: (...args) => store.replaceStatus(...args),
    remove: (...args) => store.remove(...args),
    serverTimeMs: () => store.serverTimeMs(),
  };
}
