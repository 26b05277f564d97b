import assert from "node:assert/strict";
import { CALM } from "./faults.ts";
import { type Flaw, naiveAgents } from "./naive_agent.ts";
import { HAPPENINGS, type Profile } from "./happening_kinds.ts";
import type { Scenario } from "./scenario.ts";
import { simulate, type SimulationResult } from "./simulation.ts";

/** Seeds in which a flaw must show. */
const SEEDS = 40;

/** A world that a naive agent can live in: the network is fine, and only pods come and go. */
function quiet(scenario: Scenario): Scenario {
  const names = (version: 4 | 6): readonly string[] => {
    return scenario.pools.map(({ name }) => name).filter((name) => name.startsWith(`v${version}`));
  };
  return {
    ...scenario,
    faults: CALM,
    isMarked: true,
    controllers: undefined,
    nodes: scenario.nodes.map((node) => ({ ...node, isReference: false })),
    plugin: { killed: 0, unnoticed: 0, withoutUid: 0 },
    happenings: [[2, "pod_deleted"], [1, "sandbox_dies"], [1, "scale"], [1, "roll_out"]],
    workloads: scenario.workloads.map((workload) => ({
      ...workload,
      kind: workload.kind === "stateful_set" ? "deployment" : workload.kind,
      template: {
        ...workload.template,
        mode: "ippools",
        wants: workload.template.wants.map((want) =>
          want.ipv4.length + want.ipv6.length > 0
            ? want
            : { ...want, ipv4: names(4), ipv6: names(6) }
        ),
      },
    })),
  };
}

function run(seed: number, flaw: Flaw): Promise<SimulationResult> {
  return simulate({ seed, makeAgent: naiveAgents(flaw), adjust: quiet });
}

Deno.test("simulate() finds nothing to say against a simple agent in a quiet world", async () => {
  let answerCount = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const result = await run(seed, "none");
    assert.deepEqual(result.violation, undefined, `seed ${seed}`);
    answerCount += result.answerCount;
  }
  assert.ok(answerCount > 10 * SEEDS, `it answered ${answerCount} times`);
});

/** Which rule notices which flaw. */
const NOTICED: Readonly<Record<Exclude<Flaw, "none">, readonly string[]>> = {
  claims_nothing: ["answered_unclaimed"],
  lists_nothing: ["answered_unlisted"],
  changes_its_mind: ["changed_answer", "second_address"],
  frees_by_name: ["freed_alive", "freed_in_use"],
  frees_nothing: ["leak"],
  takes_excluded: ["outside"],
  keeps_sandbox: ["answered_container"],
  reverses_pools: ["pool_order"],
  says_full: ["false_full"],
  hangs: ["call_hangs"],
  throws: ["call_throws"],
};

for (const [flaw, rules] of Object.entries(NOTICED) as [Flaw, readonly string[]][]) {
  Deno.test(`simulate() notices an agent that ${flaw.replaceAll("_", " ")}`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violation } = await run(seed, flaw);
      if (violation === undefined) continue;
      assert.ok(rules.includes(violation.rule), `${violation.rule}: ${violation.message}`);
      return;
    }
    assert.fail(`no seed up to ${SEEDS} shows it`);
  });
}

Deno.test("simulate() does the same again for the same seed, and else for another", async () => {
  const lines: string[][] = [[], [], []];
  const results: SimulationResult[] = [];
  for (const [index, seed] of [11, 11, 12].entries()) {
    const sink = (line: string): void => void lines[index]?.push(line);
    results.push(await simulate({ seed, makeAgent: naiveAgents("none"), adjust: quiet, sink }));
  }
  assert.ok((lines[0]?.length ?? 0) > 100);
  assert.deepEqual(lines[0], lines[1]);
  assert.equal(results[0]?.digest, results[1]?.digest);
  assert.notEqual(results[0]?.digest, results[2]?.digest);
});

/** What must be seen in some world: a part of a line of the trace. */
const SEEN: readonly string[] = [
  ...HAPPENINGS.map((happening) => `now: ${happening}`),
  ": lost on its way",
  ": its answer is lost",
  ": is slow: it may happen later",
  ": connection reset",
  ": timed out",
  ": cancelled",
  ": answered conflict",
  ": answered throttled",
  ": answered forbidden",
  ": answered invalid",
  ": answered already_exists",
  ": answered timeout",
  " is lost",
  " is late",
  " is repeated",
  " dies",
  " is cut off",
  " loses power",
  " boots",
  " by force",
  " compacts to",
  " is killed",
  " stops",
  "old-n1.1",
  "creates statefulsets",
  "creates jobs",
  "creates deployments",
  "removes namespaces",
  "removes nodes",
  " is paused for",
  " goes on",
  "this controller leads {}",
  "this controller leads no longer",
  "address freed",
  "vanished address restored",
  "now: wish_changed",
  "now: pool_by_hand",
  "now: record_lost",
  "pool lent addresses",
  "subnet let go",
];
/** Where it is looked for. */
const SEEN_IN: readonly Profile[] = ["any", "any", "leaders", "outage", "wiped", "lending"];

Deno.test("every fault and happening is seen in the first worlds", async () => {
  const missing = new Set(SEEN);
  for (let seed = 1; seed <= 400 && missing.size > 0; seed++) {
    await simulate({
      seed,
      makeAgent: naiveAgents("none"),
      profile: SEEN_IN[seed % SEEN_IN.length],
      sink: (line) => {
        for (const part of missing) if (line.includes(part)) missing.delete(part);
      },
    });
  }
  assert.deepEqual([...missing], []);
});
