import assert from "node:assert/strict";
import { countsOfJunit, countsText, settle, sumCounts } from "./test_counts.ts";

/** As `deno test --junit-path` of Deno 2.9 writes it, shortened to what matters. */
const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="9" failures="2" errors="0" time="0.119">
    <testsuite name="./a_test.ts" tests="6" disabled="2" errors="0" failures="1">
        <testcase name="&lt;testsuite tests=&quot;40&quot;" classname="./a_test.ts" time="0.000">
            <failure message="Uncaught Error: boo">Error: &lt;testsuite tests="40"</failure>
        </testcase>
    </testsuite>
    <testsuite name="./tests=&quot;9&quot;_test.ts" tests="3" disabled="0" errors="1" failures="1">
    </testsuite>
</testsuites>`;

Deno.test("countsOfJunit() adds the suites up, steps included, whatever tests are called", () => {
  assert.deepEqual(countsOfJunit(REPORT), { passed: 4, failed: 3, skipped: 2 });
});

Deno.test("countsOfJunit() refuses what is no report", () => {
  assert.throws(() => countsOfJunit(""), /no <testsuites>/);
  assert.throws(
    () => countsOfJunit(`<testsuites><testsuite name="x" tests="3"></testsuite></testsuites>`),
    /no number "disabled"/,
  );
});

Deno.test("countsText() is the closing line that CI reads", () => {
  const sum = sumCounts(
    { passed: 1, failed: 0, skipped: 2 },
    { passed: 10, failed: 3, skipped: 0 },
  );
  assert.equal(countsText(sum), "11 passed, 3 failed, 2 skipped");
});

Deno.test("settle() fails what failed in any way, and what proved nothing", () => {
  const good = { passed: 2, failed: 0, skipped: 1 };
  assert.deepEqual(settle(good, 0), { counts: good, exitCode: 0 });
  assert.deepEqual(settle({ ...good, passed: 0 }, 0).exitCode, 0);
  assert.deepEqual(settle({ ...good, failed: 3 }, 1), {
    counts: { ...good, failed: 3 },
    exitCode: 1,
  });
  assert.deepEqual(settle(good, 1), { counts: { ...good, failed: 1 }, exitCode: 1 });
  assert.deepEqual(settle({ ...good, failed: 1 }, 0).exitCode, 1);
  const nothing = { counts: { passed: 0, failed: 1, skipped: 0 }, exitCode: 1 };
  assert.deepEqual(settle(undefined, 0), nothing);
  assert.deepEqual(settle({ passed: 0, failed: 0, skipped: 0 }, 0), nothing);
});
