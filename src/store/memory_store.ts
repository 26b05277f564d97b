import { Engine, type EngineOptions } from "./engine.ts";
import { EngineStore } from "./engine_store.ts";
import { MemoryBackend } from "./memory_backend.ts";

/**
 * Opens an empty store in memory, with the semantics of an API server over etcd: for tests and
 * simulation. A create, replace or remove costs the same whatever the store holds, but for a search
 * in sorted keys; a list costs what it returns where a label leads to it, else a walk of its kind.
 */
export function openMemoryStore(options: EngineOptions): EngineStore {
  return new EngineStore(new Engine(new MemoryBackend(), options), { clock: options.clock });
}
