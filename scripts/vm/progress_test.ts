import assert from "node:assert/strict";
import { Progress } from "./progress.ts";

const OUTPUT = [
  "running 3 tests from ./tests/kernel/a_kernel_test.ts\n",
  "quick ...",
  " ok (4ms)\n",
  "slow one ...",
  "\n------- output -------\nhi ... there\n----- output end -----\n",
  "  inner ...",
];

function taken(pieces: readonly string[]): Progress {
  const progress = new Progress();
  for (const piece of pieces) progress.take(piece);
  return progress;
}

Deno.test("Progress names the file, the test and the step that run", () => {
  const progress = taken(OUTPUT);
  assert.equal(progress.file, "./tests/kernel/a_kernel_test.ts");
  assert.equal(progress.running, "slow one > inner");
  progress.take(" ok (3s)\n");
  assert.equal(progress.running, "slow one");
  progress.take("slow one ... FAILED (3s)\n");
  assert.equal(progress.running, undefined);
});

Deno.test("Progress is the same wherever the output is cut", () => {
  const whole = taken([OUTPUT.join("")]);
  const letters = taken([...OUTPUT.join("")]);
  assert.deepEqual(
    [letters.file, letters.running, letters.steps],
    [whole.file, whole.running, whole.steps],
  );
  assert.equal(whole.running, "slow one > inner");
});

Deno.test("Progress counts begins and ends, and nothing else that is printed", () => {
  const progress = taken(OUTPUT.slice(0, 4));
  assert.equal(progress.steps, 4);
  progress.take("chatter\n".repeat(100));
  progress.take("x".repeat(100_000));
  assert.equal(progress.steps, 4);
  progress.take("\nslow one ... ok (1s)\n");
  assert.equal(progress.steps, 5);
});

Deno.test("Progress reads output with colours", () => {
  const progress = taken([
    "\x1b[0m\x1b[38;5;245mrunning 1 test from ./a_test.ts\x1b[0m\nquick ...",
  ]);
  assert.deepEqual([progress.file, progress.running], ["./a_test.ts", "quick"]);
});
