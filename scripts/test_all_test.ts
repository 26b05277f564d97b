import assert from "node:assert/strict";
import { failuresIn, lastLines, readCounts, settleStage, sharedOrder } from "./test_all.ts";

Deno.test("readCounts() sums closing lines and refuses anything else", () => {
  const text = "1 passed, 0 failed, 2 skipped\n3 passed, 1 failed, 0 skipped\n";
  assert.deepEqual(readCounts(text), { passed: 4, failed: 1, skipped: 2 });
  assert.deepEqual(readCounts(""), { passed: 0, failed: 0, skipped: 0 });
  assert.throws(() => readCounts("all fine\n"), /not a closing line/);
});

Deno.test("settleStage() never calls a stage fine that failed or ran nothing", () => {
  const none = { passed: 0, failed: 0, skipped: 3 };
  assert.equal(settleStage({ counts: none, exitCode: 0 }).failed, 1);
  const passed = { passed: 5, failed: 0, skipped: 0 };
  assert.equal(settleStage({ counts: passed, exitCode: 1 }).failed, 1);
  assert.deepEqual(settleStage({ counts: passed, exitCode: 0 }), passed);
  const failed = { passed: 5, failed: 2, skipped: 0 };
  assert.deepEqual(settleStage({ counts: failed, exitCode: 1 }), failed);
});

Deno.test("failuresIn() finds the tests that failed, in every run of a stage", () => {
  const run = (name: string) => `
${name} ... \x1b[31mFAILED\x1b[0m (3ms)

 ERRORS 

${name} => ./tests/one_test.ts:4:6
\x1b[1m\x1b[31merror\x1b[0m: AssertionError: 1 is not 2
  assert.equal(1, 2);
    at file:///one_test.ts:5:10
error: something of a cause

 FAILURES 

${name} => ./tests/one_test.ts:4:6

FAILED | 0 passed | 1 failed (5ms)
`;
  assert.deepEqual(failuresIn(`${run("a")}${run("b ... step (deep)")}error: Test failed\n`), [
    "a => ./tests/one_test.ts:4:6: AssertionError: 1 is not 2",
    "b ... step (deep) => ./tests/one_test.ts:4:6: AssertionError: 1 is not 2",
  ]);
  assert.deepEqual(failuresIn("vm: failed: It hangs in its boot\n\nvm: booted\n"), [
    "It hangs in its boot",
  ]);
  assert.deepEqual(failuresIn("a ... ok (3ms)\n\nok | 1 passed | 0 failed (5ms)\n"), []);
});

Deno.test("lastLines() finds what a stage said at its end, without colours", () => {
  const output = "60 worlds\n\nseed 7, step 9: violation of slow\n \x1b[31mreplay it\x1b[0m\n\n";
  assert.deepEqual(lastLines(output, { count: 2 }), [
    "seed 7, step 9: violation of slow",
    "replay it",
  ]);
});

Deno.test("sharedOrder() begins with the longest, and leaves out what looks back at all", () => {
  const files = ["e2e/a_test.ts", "e2e/controller_test.ts", "e2e/zz_rights_test.ts"];
  assert.deepEqual(sharedOrder(["e2e/b_test.ts", "e2e/ipam_test.ts", ...files]), [
    ...["e2e/controller_test.ts", "e2e/ipam_test.ts", "e2e/a_test.ts", "e2e/b_test.ts"],
  ]);
});
