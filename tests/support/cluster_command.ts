/** Commands of the controller on a cluster in memory. */
import type { CommandPorts } from "../../src/controller/command.ts";
import type { ObjectStore } from "../../src/base/object_store.ts";
import { ok } from "../../src/base/result.ts";
import { type ManualClock, runToEnd } from "./manual_clock.ts";

/** Runs a command in namespace "spiderpool". @returns Its code, and what it said to whom. */
export async function runOn(
  store: ObjectStore,
  { clock, stepMs, run }: {
    readonly clock: ManualClock;
    /** Milliseconds by which time moves while it runs. */
    readonly stepMs: number;
    readonly run: (ports: CommandPorts) => Promise<number>;
  },
): Promise<{ readonly code: number; readonly error: string; readonly told: readonly string[] }> {
  let error = "";
  const told: string[] = [];
  const running = run({
    clock,
    stop: new AbortController().signal,
    readEnvironment: (name) => name === "SPIDERPOOL_POD_NAMESPACE" ? "spiderpool" : undefined,
    writeError: (text) => error += text,
    writeLog: () => {},
    tellPod: (note) => Promise.resolve(void told.push(note)),
    openStore: () => Promise.resolve(ok({ store, [Symbol.dispose]: () => {} })),
  });
  const code = await runToEnd(running, { clock, stepMs });
  return { code, error, told };
}
