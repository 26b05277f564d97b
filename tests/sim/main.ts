/**
 * `deno task sim`: runs worlds from seeds and says what broke. Prints the first seed before
 * anything else; a failure prints seed, step and the last operations, and exits with 1.
 */
import type { AgentFactory } from "./agent_ports.ts";
import { agentUnderTest } from "./agent_under_test.ts";
import { parseArguments, type SimRequest } from "./arguments.ts";
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

async function runSeeds(
  request: SimRequest & { readonly seed: number },
  makeAgent: AgentFactory,
): Promise<TestCounts> {
  const startedMs = performance.now();
  let stepCount = 0;
  let answerCount = 0;
  let passed = 0;
  while (passed < request.seeds && performance.now() - startedMs < request.seconds * 1_000) {
    const seed = (request.seed + passed) % 2 ** 32;
    const result = await simulate({
      seed,
      makeAgent,
      profile: request.profile,
      sink: request.isTraced ? say : undefined,
    });
    stepCount += result.stepCount;
    answerCount += result.answerCount;
    if (result.violation !== undefined) {
      describe(result, request);
      return { passed, failed: 1, skipped: 0 };
    }
    passed++;
    if (request.seeds === 1) say(`digest ${result.digest}`);
  }
  say(`${passed} worlds, ${stepCount} steps, ${answerCount} answers: every rule held`);
  return { passed, failed: 0, skipped: 0 };
}

function describe({ seed, violation, lastLines }: SimulationResult, request: SimRequest): void {
  const profile = request.profile === "any" ? "" : ` --profile ${request.profile}`;
  if (!request.isTraced) lastLines.slice(-SHOWN_LINES).forEach(say);
  say(`seed ${seed}, step ${violation?.step}: violation of ${violation?.rule}`);
  say(`${violation?.message}`);
  say(`replay it with: deno task sim --seed ${seed}${profile} --trace`);
}

async function main(argv: readonly string[]): Promise<number> {
  const request = parseArguments(argv);
  if (!request.ok) {
    Deno.stderr.writeSync(new TextEncoder().encode(`${request.error}\n`));
    return 2;
  }
  const seed = request.value.seed ?? crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  say(`seed ${seed}`);
  let counts = await runSeeds({ ...request.value, seed }, agentUnderTest);
  if (counts.failed === 0 && request.value.withMutants) {
    counts = sumCounts(counts, await runMutants(say, { seed: request.value.seed ?? 1 }));
  }
  closeWith(counts, Deno.env.get("COUNTS_FILE"));
  return counts.failed === 0 ? 0 : 1;
}

if (import.meta.main) Deno.exitCode = await main(Deno.args);
