/**
 * `deno task sim`: runs worlds from seeds and says what broke. Prints the first seed before
 * anything else; a failure prints seed, step and the last operations, and exits with 1.
 */
import type { AgentFactory } from "./agent_ports.ts";
import { agentUnderTest } from "./agent_under_test.ts";
import { parseArguments, type Round, type SimRequest } from "./arguments.ts";
import type { Profile } from "./happening_kinds.ts";
import { closeWith } from "../../scripts/run_tests.ts";
import { sumCounts, type TestCounts } from "../../scripts/test_counts.ts";
import { runMutants } from "./mutant_run.ts";
import { simulate, type SimulationResult } from "./simulation.ts";

/** Operations that a failure shows. */
const SHOWN_LINES = 80;

function say(line: string): void {
  const bytes = new TextEncoder().encode(`${line}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

async function runRound(
  { profile, seeds }: Round,
  { request, makeAgent }: {
    readonly request: SimRequest & { readonly seed: number };
    readonly makeAgent: AgentFactory;
  },
): Promise<TestCounts> {
  const startedMs = performance.now();
  let stepCount = 0;
  let answerCount = 0;
  let passed = 0;
  while (passed < seeds && performance.now() - startedMs < request.seconds * 1_000) {
    const seed = (request.seed + passed) % 2 ** 32;
    const result = await simulate({
      seed,
      makeAgent,
      profile,
      sink: request.isTraced ? say : undefined,
    });
    stepCount += result.stepCount;
    answerCount += result.answerCount;
    if (result.violation !== undefined) {
      describe(result, { profile, isTraced: request.isTraced });
      return { passed, failed: 1, skipped: 0 };
    }
    passed++;
    if (seeds === 1) say(`digest ${result.digest}`);
  }
  const kind = profile === "any" ? "" : ` of ${profile}`;
  say(`${passed} worlds${kind}, ${stepCount} steps, ${answerCount} answers: every rule held`);
  return { passed, failed: 0, skipped: 0 };
}

function describe(
  { seed, violation, lastLines }: SimulationResult,
  { profile, isTraced }: { readonly profile: Profile; readonly isTraced: boolean },
): void {
  const option = profile === "any" ? "" : ` --profile ${profile}`;
  if (!isTraced) lastLines.slice(-SHOWN_LINES).forEach(say);
  say(`seed ${seed}, step ${violation?.step}: violation of ${violation?.rule}`);
  say(`${violation?.message}`);
  say(`replay it with: deno task sim --seed ${seed}${option} --trace`);
}

async function main(argv: readonly string[]): Promise<number> {
  const request = parseArguments(argv);
  if (!request.ok) {
    Deno.stderr.writeSync(new TextEncoder().encode(`${request.error}\n`));
    return 2;
  }
  const seed = request.value.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  say(`seed ${seed}`);
  const running = { request: { ...request.value, seed }, makeAgent: agentUnderTest };
  let counts: TestCounts = { passed: 0, failed: 0, skipped: 0 };
  for (const round of request.value.rounds) {
    if (counts.failed === 0) counts = sumCounts(counts, await runRound(round, running));
  }
  if (counts.failed === 0 && request.value.withMutants) {
    counts = sumCounts(counts, await runMutants(say, { seed: request.value.seed ?? 1 }));
  }
  closeWith(counts, Deno.env.get("COUNTS_FILE"));
  return counts.failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
