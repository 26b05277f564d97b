import assert from "node:assert/strict";
import { expectOk } from "../../base/result.ts";
import { readPoolFiles } from "./pool_documents.ts";

const POOL = `apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderIPPool
metadata:
  name: p4
spec:
  subnet: 10.6.0.0/16
  gateway: 10.6.0.1
  ips:
    - 10.6.0.10
    - 10.6.0.20-10.6.0.29
`;
const RESERVED = `apiVersion: spiderpool.spidernet.io/v2beta1
kind: SpiderReservedIP
metadata: { name: r }
spec:
  ips: [10.6.0.11, "fd00:6::1"]
`;

function read(...texts: readonly string[]) {
  const names = ["a.yaml", "b.yaml", "c.yaml"];
  return readPoolFiles(texts.map((text, index) => ({ path: names[index] ?? "", text })));
}

Deno.test("readPoolFiles() reads several documents of several files", () => {
  const other = POOL.replace("name: p4", "name: p5");
  const { pools, reserved } = expectOk(
    read(`# A note.\n---\n${POOL}---\n${RESERVED}`, other),
    "fine",
  );
  assert.deepEqual([...pools.keys()], ["p4", "p5"]);
  assert.deepEqual([...reserved.keys()], ["r"]);
  assert.deepEqual(pools.get("p4")?.object.spec.ips, ["10.6.0.10", "10.6.0.20-10.6.0.29"]);
  assert.equal(pools.get("p4")?.object.spec.default, false);
});

Deno.test("readPoolFiles() takes files and documents with nothing in them", () => {
  assert.equal(expectOk(read("", "# Only a note.\n", "---\n---\n"), "fine").pools.size, 0);
});

Deno.test("readPoolFiles() leaves out what a server adds", () => {
  const served = POOL.replace("name: p4", "name: p4\n  uid: u\n  resourceVersion: '7'") +
    "status: { allocatedIPCount: 3, truth: SpiderIP }\n";
  const { pools } = expectOk(read(served), "fine");
  assert.deepEqual(pools.get("p4")?.object.metadata, { name: "p4" });
  assert.equal(pools.get("p4")?.object.status, undefined);
});

const WRONG: readonly (readonly [what: string, texts: readonly string[], sentence: string])[] = [
  [
    "no YAML",
    [`${POOL}  ips: [`],
    "a.yaml:11: Cannot read YAML: Map keys must be unique at line 11, column 3",
  ],
  ["no YAML, otherwise", ["a: [1\nb: 2\n"], "a.yaml:2: Cannot read YAML: "],
  ["a text", ["hello"], 'a.yaml:1: Cannot use the value "hello": write a SpiderIPPool'],
  [
    "another group",
    [POOL.replace("v2beta1", "v1")],
    'a.yaml:1: Cannot use apiVersion "spiderpool.spidernet.io/v1": write ' +
    "spiderpool.spidernet.io/v2beta1",
  ],
  [
    "another kind, in the second document",
    [`${POOL}---\n${POOL.replace("SpiderIPPool", "SpiderSubnet")}`],
    'a.yaml:13: Cannot use kind "SpiderSubnet": write "SpiderIPPool" or "SpiderReservedIP"',
  ],
  [
    "no name",
    [POOL.replace("name: p4", "labels: {}")],
    "a.yaml:3: Cannot use metadata.name: it is",
  ],
  ["a bad name", [POOL.replace("p4", "P_4")], 'a.yaml:4: metadata.name "P_4" is not a name'],
  [
    "a bad label",
    [POOL.replace("name: p4", "name: p4\n  labels:\n    team: a b")],
    'a.yaml:5: metadata.labels["team"] "a b" is not the value of a label',
  ],
  [
    "an unknown field of the spec",
    [POOL.replace("ips:", "ip:")],
    "a.yaml:8: Cannot use spec.ip: there is no such field; write one of ipVersion, subnet, ips,",
  ],
  [
    "an unknown field at the top",
    [`${POOL}sepc: {}\n`],
    "a.yaml:11: Cannot use sepc: there is no such field",
  ],
  [
    "an unknown field of a selector",
    [`${POOL}  podAffinity:\n    matchLabel: { app: web }\n`],
    "a.yaml:12: Cannot use spec.podAffinity.matchLabel: there is no such field; write one of " +
    "matchLabels, matchExpressions",
  ],
  [
    "another type",
    [POOL.replace("    - 10.6.0.10\n", "    - 10\n")],
    "a.yaml:9: Cannot use spec.ips[0] 10: write an address or a range, such as " +
    '"10.6.0.10-10.6.0.20"',
  ],
  [
    "no subnet",
    [POOL.replace(/ {2}subnet.*\n/, "")],
    "a.yaml:5: Cannot use spec.subnet: it is mis",
  ],
  [
    "a subnet that is none",
    [POOL.replace("10.6.0.0/16", "10.6.0.0")],
    'a.yaml:6: Cannot use spec.subnet "10.6.0.0": it has no prefix length',
  ],
  [
    "a gateway elsewhere",
    [POOL.replace("gateway: 10.6.0.1", "gateway: 10.7.0.1")],
    'a.yaml:7: Cannot use spec.gateway "10.7.0.1": it is outside the subnet "10.6.0.0/16"',
  ],
  [
    "a reversed range",
    [POOL.replace("10.6.0.20-10.6.0.29", "10.6.0.29-10.6.0.20")],
    'a.yaml:10: Cannot use spec.ips[1] "10.6.0.29-10.6.0.20": it is reversed; write',
  ],
  [
    "a range of another family",
    [POOL.replace("    - 10.6.0.10\n", '    - "fd00::1"\n')],
    "a.yaml:8: ips has an entry that is not of the family of subnet",
  ],
  [
    "a bad selector",
    [`${POOL}  nodeAffinity:\n    matchExpressions:\n      - { key: a, operator: Sometimes }\n`],
    'a.yaml:13: Cannot use spec.nodeAffinity.matchExpressions[0].operator "Sometimes"',
  ],
  [
    "a bad reserved address",
    [RESERVED.replace("10.6.0.11", "10.6.0.300")],
    'a.yaml:5: Cannot use spec.ips[0] "10.6.0.300": it has the number 300;',
  ],
  [
    "a name twice",
    [POOL, RESERVED, `\n\n${POOL}`],
    'c.yaml:6: Cannot use metadata.name "p4": a.yaml:4 has it too; write another name',
  ],
];

for (const [what, texts, sentence] of WRONG) {
  Deno.test(`readPoolFiles() refuses ${what} with file, line and field`, () => {
    const result = read(...texts);
    assert.ok(!result.ok);
    assert.equal(result.error.slice(0, sentence.length), sentence);
    assert.doesNotMatch(result.error, /\n/);
  });
}
