import { assert } from "../src/base/assert.ts";

/** How many tests (and their steps, each counted like a test) ended in which way. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Reads the counts of a JUnit report as `deno test --junit-path` writes it: the attributes `tests`,
 * `disabled`, `errors` and `failures` of each `testsuite`, which include steps. Text of a test
 * cannot be mistaken for one, because `<` is escaped everywhere inside.
 *
 * @throws {Error} If `xml` is not such a report.
 */
export function countsOfJunit(xml: string): TestCounts {
  if (!xml.includes("<testsuites")) throw new Error("The JUnit report has no <testsuites> in it");
  let counts: TestCounts = { passed: 0, failed: 0, skipped: 0 };
  for (const [tag] of xml.matchAll(/<testsuite\s[^<>]*/g)) {
    const skipped = attribute(tag, "disabled");
    const failed = attribute(tag, "errors") + attribute(tag, "failures");
    const passed = attribute(tag, "tests") - failed - skipped;
    assert(passed >= 0, "a suite has no more failed and skipped tests than tests");
    counts = sumCounts(counts, { passed, failed, skipped });
  }
  return counts;
}

function attribute(tag: string, name: string): number {
  const text = new RegExp(`\\s${name}="(\\d+)"`).exec(tag)?.[1];
  if (text === undefined) throw new Error(`The JUnit report has no number "${name}" in ${tag}>`);
  return Number(text);
}

/** Adds two runs up. */
export function sumCounts(left: TestCounts, right: TestCounts): TestCounts {
  return {
    passed: left.passed + right.passed,
    failed: left.failed + right.failed,
    skipped: left.skipped + right.skipped,
  };
}

/** The closing line of a run, without its newline: `N passed, N failed, N skipped`. */
export function countsText({ passed, failed, skipped }: TestCounts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
