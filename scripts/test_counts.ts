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

/** A run as it goes to CI: with status 0 only if something ran and nothing failed. */
export interface SettledRun {
  readonly counts: TestCounts;
  readonly exitCode: number;
}

/**
 * Brings the counts of a run and the exit code of `deno test` together. A run that fails without a
 * failed test (a module that does not load or does not compile) counts as one failed; so does a run
 * in which no test was found, because it proves nothing. Tests that `--filter` leaves out count as
 * skipped: deno reports them so.
 *
 * @param counts What the report says; `undefined` if there is none.
 */
export function settle(counts: TestCounts | undefined, exitCode: number): SettledRun {
  const said = counts ?? { passed: 0, failed: 0, skipped: 0 };
  const isGood = exitCode === 0 && said.failed === 0 && said.passed + said.skipped > 0;
  if (isGood) return { counts: said, exitCode: 0 };
  return { counts: { ...said, failed: Math.max(said.failed, 1) }, exitCode: exitCode || 1 };
}
