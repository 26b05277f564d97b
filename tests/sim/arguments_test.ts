import assert from "node:assert/strict";
import { parseArguments, type SimRequest } from "./arguments.ts";
import { expectOk } from "../../src/base/result.ts";
import { mutate } from "./mutant_run.ts";

function parsed(...argv: readonly string[]): SimRequest {
  return expectOk(parseArguments(argv), "it is valid");
}

Deno.test("parseArguments() takes nothing as the stage: seeds for a while, and mutants", () => {
  const { seed, rounds, seconds, withMutants } = parsed();
  assert.deepEqual([seed, withMutants, rounds[0]?.profile], [undefined, true, "any"]);
  assert.ok(rounds.every(({ seeds }) => Number.isFinite(seeds)) && Number.isFinite(seconds));
});

Deno.test("parseArguments() runs one seed, a count, or a time", () => {
  assert.deepEqual(parsed("--seed", "7"), {
    seed: 7,
    rounds: [{ profile: "any", seeds: 1 }],
    seconds: Infinity,
    isTraced: false,
    withMutants: false,
  });
  assert.equal(parsed("--seed=0").seed, 0);
  assert.deepEqual(parsed("--seeds=9").rounds, [{ profile: "any", seeds: 9 }]);
  const timed = parsed("--seconds=9");
  assert.deepEqual([timed.rounds[0]?.seeds, timed.seconds], [Infinity, 9]);
  const all = parsed("--trace", "--mutants", "--profile", "sticky");
  assert.deepEqual([all.isTraced, all.withMutants, all.rounds[0]?.profile], [true, true, "sticky"]);
});

Deno.test("parseArguments() refuses what it does not know, in one sentence", () => {
  for (const argv of [["--seed"], ["--seed", "x"], ["--seeds=-1"], ["--seed=4294967296"]]) {
    const refused = parseArguments(argv);
    assert.match(
      refused.ok ? "" : refused.error,
      /^Cannot use --seeds? ".*": write a whole number/,
    );
  }
  const unknown = parseArguments(["--sede", "7"]);
  assert.match(unknown.ok ? "" : unknown.error, /^Unknown argument "--sede": give --seed N/);
  const profile = parseArguments(["--profile", "wild"]);
  assert.match(profile.ok ? "" : profile.error, /^Unknown profile "wild": /);
});

Deno.test("mutate() changes the one place that a mutant names, and refuses none or two", () => {
  const mutant = { name: "m", file: "f.ts", find: "a > b", replace: "a < b" };
  assert.equal(mutate("if (a > b) return;", mutant), "if (a < b) return;");
  assert.throws(() => mutate("if (a < b) return;", mutant), /Mutant "m" does not fit: .* 0 times/);
  assert.throws(() => mutate("a > b, a > b", mutant), /2 times/);
});
