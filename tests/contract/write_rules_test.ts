/** The rules without CEL, on the cases that `crd_test.ts` tries on a server. */
import assert from "node:assert/strict";
import { TRUTH_FENCE_MESSAGE } from "../../src/api/ip_pool.ts";
import { SPIDER_IPS } from "../../src/api/spider_ip.ts";
import { writeRefusal } from "../../src/api/write_rules.ts";
import { RULE_CASES, type RuleCase } from "./rule_cases.ts";

const group = "spiderpool.spidernet.io";

function refusalOf({ kind, name = "a", before, spec }: RuleCase): string | undefined {
  const metadata = { name };
  const previous = before === undefined ? {} : { previous: { metadata, spec: before } };
  return writeRefusal({ kind: { group, kind }, object: { metadata, spec }, ...previous });
}

Deno.test("writeRefusal() says what the server's rules say", () => {
  const pattern = new RegExp(SPIDER_IPS.naming?.pattern ?? "");
  for (const ruleCase of RULE_CASES) {
    const { kind, name, before, spec, refusal, byPattern } = ruleCase;
    const shown = `${kind} ${name ?? ""} ${JSON.stringify(before)} ${JSON.stringify(spec)}`;
    if (byPattern === true) {
      assert.doesNotMatch(name ?? "", pattern, shown);
      assert.notEqual(refusalOf(ruleCase), undefined, shown);
    } else assert.equal(refusalOf(ruleCase), refusal, shown);
    const isTaken = refusal === undefined && byPattern !== true;
    if (kind === "SpiderIP" && isTaken) assert.match(name ?? "", pattern);
  }
});

Deno.test("writeRefusal() fences a pool whose truth is its SpiderIPs", () => {
  const kind = { group, kind: "SpiderIPPool" };
  const pool = (status?: object) => ({ spec: { subnet: "10.6.0.0/16" }, status });
  const fenced = pool({ truth: "SpiderIP", allocatedIPCount: 1 });
  const refused = (object: unknown, previous?: unknown) => writeRefusal({ kind, object, previous });
  assert.equal(refused(fenced, pool()), undefined);
  assert.equal(refused(pool({ truth: "SpiderIP" }), fenced), undefined);
  assert.equal(refused(pool({ allocatedIPCount: 1 }), fenced), TRUTH_FENCE_MESSAGE);
  assert.equal(refused(pool(), fenced), TRUTH_FENCE_MESSAGE);
  assert.equal(refused(pool({ allocatedIPCount: 2 }), pool({ allocatedIPCount: 1 })), undefined);
});

Deno.test("writeRefusal() leaves other kinds alone", () => {
  assert.equal(writeRefusal({ kind: { group: "", kind: "SpiderIP" }, object: {} }), undefined);
  assert.equal(writeRefusal({ kind: { group, kind: "SpiderEndpoint" }, object: {} }), undefined);
});
