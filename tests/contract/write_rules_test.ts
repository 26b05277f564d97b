/** The rules without CEL, on the cases that `crd_test.ts` tries on a server. */
import assert from "node:assert/strict";
import { TRUTH_FENCE_MESSAGE } from "../../src/api/truth_fence.ts";
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

Deno.test("writeRefusal() fences pools and endpoints whose truth is SpiderIPs", () => {
  for (const [name, spec] of [["SpiderIPPool", { subnet: "10.6.0.0/16" }], ["SpiderEndpoint"]]) {
    const kind = { group, kind: String(name) };
    const made = (status?: object) => ({ ...(spec !== undefined && { spec }), status });
    const fenced = made({ truth: "SpiderIP", some: 1 });
    const refused = (object: unknown, previous?: unknown) =>
      writeRefusal({ kind, object, previous });
    assert.equal(refused(fenced, made()), undefined);
    assert.equal(refused(made({ truth: "SpiderIP" }), fenced), undefined);
    assert.equal(refused(made({ some: 1 }), fenced), TRUTH_FENCE_MESSAGE);
    assert.equal(refused(made(), fenced), TRUTH_FENCE_MESSAGE);
    assert.equal(refused(made({ some: 2 }), made({ some: 1 })), undefined);
  }
});

Deno.test("writeRefusal() leaves other kinds alone", () => {
  assert.equal(writeRefusal({ kind: { group: "", kind: "SpiderIP" }, object: {} }), undefined);
  assert.equal(writeRefusal({ kind: { group, kind: "SpiderEndpoint" }, object: {} }), undefined);
});
