import assert from "node:assert/strict";
import { runTogether } from "./waiting.ts";

/** Work that ends a while after it is told to. */
function slowToEnd(ended: string[], name: string) {
  return async ({ signal }: { readonly signal: AbortSignal }): Promise<void> => {
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    ended.push(name);
    throw signal.reason;
  };
}

Deno.test("runTogether() waits for all works, also after one has failed", async () => {
  const ended: string[] = [];
  const failing = (): Promise<never> => Promise.reject(new Error("a bug"));
  const works = [slowToEnd(ended, "a"), failing, slowToEnd(ended, "b")];
  await assert.rejects(runTogether(works, { signal: new AbortController().signal }), /a bug/);
  assert.deepEqual(ended, ["a", "b"]);
});

Deno.test("runTogether() ends with the signal's reason, or when every work is done", async () => {
  const ended: string[] = [];
  const stop = new AbortController();
  const running = runTogether([slowToEnd(ended, "a")], { signal: stop.signal });
  stop.abort(new Error("stopped"));
  await assert.rejects(running, /stopped/);
  assert.deepEqual(ended, ["a"]);
  await runTogether([() => Promise.resolve(1)], { signal: new AbortController().signal });
});
