import assert from "node:assert/strict";
import { readCounts, settleStage } from "./test_all.ts";

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
