import assert from "node:assert/strict";
import { explainEnd, parseReport, tailOf } from "./report.ts";

const XML = `<testsuites>\n<testsuite name="é" tests="3" disabled="1" errors="0" failures="1">\n` +
  `exit 9\nend\n</testsuite>\n</testsuites>`;

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const WHOLE = bytesOf(
  `stage booted 1.50\nstage ended 3.25\nexit 1\njunit ${bytesOf(XML).length}\n${XML}\nend\n`,
);

Deno.test("parseReport() reads stages, status and counts, whatever the JUnit report holds", () => {
  assert.deepEqual(parseReport(WHOLE), {
    stages: { booted: 1.5, ended: 3.25 },
    outcome: { exitCode: 1, counts: { passed: 1, failed: 1, skipped: 1 } },
  });
});

Deno.test("parseReport() reads a run that wrote no JUnit report", () => {
  assert.deepEqual(parseReport(bytesOf("stage booted 1\nexit 1\nend\n")).outcome, {
    exitCode: 1,
    counts: undefined,
  });
});

Deno.test("parseReport() gives no outcome of a report that is cut off anywhere", () => {
  for (let length = 0; length < WHOLE.length; length++) {
    assert.equal(parseReport(WHOLE.subarray(0, length)).outcome, undefined, String(length));
  }
  assert.equal(parseReport(WHOLE.subarray(0, 30)).stages.booted, 1.5);
});

Deno.test("parseReport() refuses a line that it does not know", () => {
  assert.throws(() => parseReport(bytesOf("stage booted 1\nexot 1\n")), /"exot 1"/);
});

Deno.test("explainEnd() says what the first process or the kernel gave up on", () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      "[ 1.0] x\r\nrig: module dummy insmod: can't insert 'dummy.ko': invalid format\r\n",
      `Cannot load the kernel module "dummy": insmod: can't insert 'dummy.ko': invalid format`,
    ],
    ["rig: limit\n", "The machine reached the limit of its time and stopped itself"],
    ["rig: folder /a b\n", `The machine does not hold the folder "/a b" that its tests run in`],
    [
      "[ 9.1] Kernel panic - not syncing: sysrq triggered crash\r\n[ 9.2] CPU: 0",
      "The machine's kernel panics: sysrq triggered crash",
    ],
    ["[ 9.1] nothing", "The machine went off before its tests ended"],
  ];
  for (const [text, sentence] of cases) assert.equal(explainEnd(text), sentence);
});

Deno.test("tailOf() gives the last lines only", () => {
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
  assert.equal(tailOf(lines.join("\r\n")).split("\n").length, 30);
  assert.match(tailOf(lines.join("\r\n")), /^line 70\n.*\nline 99$/s);
});
