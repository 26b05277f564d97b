/**
 * The program `coordinator` as it is, but for its end: `killed.ts COUNT` kills itself with SIGKILL
 * when it has come to the place COUNT. Places are between any two operations on the kernel, before
 * and after each change of a record's file. Where there are fewer, it ends as it always does.
 */
import { processPorts } from "../../../src/base/program.ts";
import { NodeAndPod } from "../../../src/datapath/apply/mod.ts";
import { run } from "../../../cni/coordinator/main.ts";

let left = Number(Deno.args[0]);

/** Comes to a place. */
function place(): void {
  if (--left > 0) return;
  Deno.kill(Deno.pid, "SIGKILL");
  // The signal ends the process before this call returns; nothing may come after it.
  throw new Error("A killed process goes on");
}

const { apply, carryOut } = NodeAndPod.prototype;

NodeAndPod.prototype.apply = function (steps) {
  for (const step of steps) {
    const done = apply.call(this, [step]);
    if (!done.ok) return done;
    place();
  }
  return { ok: true, value: undefined };
};

NodeAndPod.prototype.carryOut = function (operations) {
  return operations.flatMap((operation) => {
    const left = carryOut.call(this, [operation]);
    place();
    return left;
  });
};

const { renameSync, removeSync } = Deno;

Object.assign(Deno, {
  renameSync(from: string, to: string): void {
    place();
    renameSync(from, to);
    place();
  },
  removeSync(path: string): void {
    removeSync(path);
    place();
  },
});

if (import.meta.main) Deno.exitCode = await run(processPorts(Deno, { args: [] }));
