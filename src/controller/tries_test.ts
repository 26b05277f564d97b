import assert from "node:assert/strict";
import { Tries } from "./tries.ts";

Deno.test("a key is tried so often in a row, and then anew", () => {
  const tries = new Tries({ max: 3, gapMs: 5_000 });
  const again = { code: "again", afterMs: 5_000 };
  for (let round = 0; round < 2; round++) {
    assert.deepEqual([1, 2, 3].map(() => tries.failed("a")), [again, again, { code: "done" }]);
  }
});

Deno.test("a try that goes well begins the count anew, for its own key", () => {
  const tries = new Tries({ max: 2, gapMs: 1 });
  tries.failed("a");
  tries.failed("b");
  tries.clear("a");
  assert.equal(tries.failed("a").code, "again");
  assert.equal(tries.failed("b").code, "done");
});

Deno.test("without a gap there is one try", () => {
  assert.equal(new Tries({ max: 9, gapMs: undefined }).failed("a").code, "done");
});
