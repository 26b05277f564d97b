import assert from "node:assert/strict";
import {
  formatIpNumber,
  readDefaultPools,
  readIpNumber,
  readPoolAnnotation,
  readPoolsAnnotation,
  readReclaim,
  readRoutesAnnotation,
  readSubnetAnnotation,
  readSubnetsAnnotation,
} from "./pod_annotations.ts";

type Case = readonly [value: string, expected: unknown];

function check(read: (value: string) => { readonly ok: boolean }, cases: readonly Case[]): void {
  for (const [value, expected] of cases) {
    const result = read(value);
    const shown = typeof expected === "string"
      ? { ok: false, error: expected }
      : { ok: true, value: expected };
    assert.deepEqual(result, shown, value);
  }
}

Deno.test("readPoolsAnnotation() reads what Go reads", () => {
  check(readPoolsAnnotation, [
    [
      '[{"interface":"eth0","ipv4":["a","b-*"],"cleangateway":true},{"interface":"net1"}]',
      [
        { interface: "eth0", ipv4: ["a", "b-*"], ipv6: [], cleanGateway: true },
        { interface: "net1", ipv4: [], ipv6: [], cleanGateway: false },
      ],
    ],
    [
      '[{"Interface":"eth0","IPv4":["a"],"cleanGateway":true,"later":1,"ipv6":null}]',
      [{ interface: "eth0", ipv4: ["a"], ipv6: [], cleanGateway: true }],
    ],
    [
      '[{"ipv4":["a"]},{"interface":"","ipv4":["a"]}]',
      [
        { ipv4: ["a"], ipv6: [], cleanGateway: false },
        { ipv4: ["a"], ipv6: [], cleanGateway: false },
      ],
    ],
  ]);
});

Deno.test("readPoolsAnnotation() refuses contradictions in one sentence", () => {
  const of = 'of annotation "ipam.spidernet.io/ippools"';
  const root = 'annotation "ipam.spidernet.io/ippools"';
  check(readPoolsAnnotation, [
    ["[]", `Cannot use ${root} []: write at least one item`],
    ["[", `Cannot use ${root} "[": write valid JSON`],
    ['{"ipv4":["a"]}', `Cannot use ${root} {"ipv4":["a"]}: write a list`],
    ['[{"ipv4":"a"}]', `Cannot use [0].ipv4 ${of} "a": write a list`],
    [
      '[{"interface":"eth0"},{"ipv4":["a"]}]',
      `Cannot use [1].interface ${of}: other items name their NIC; write a NIC in every item or ` +
      "in none",
    ],
    [
      '[{"interface":"eth0"},{"interface":"eth0"}]',
      `Cannot use [1].interface ${of} "eth0": it is listed twice; write each NIC once`,
    ],
    [
      '[{"interface":"eth0","ipv6":["a","b","a"]}]',
      `Cannot use [0].ipv6[2] ${of} "a": it is listed twice; write each name once`,
    ],
  ]);
});

Deno.test("readPoolAnnotation() reads pools by family", () => {
  check(readPoolAnnotation, [
    ['{"ipv4":["a"],"ipv6":["b"]}', { ipv4: ["a"], ipv6: ["b"] }],
    ["{}", { ipv4: [], ipv6: [] }],
    [
      '{"ipv4":["a","a"]}',
      'Cannot use ipv4[1] of annotation "ipam.spidernet.io/ippool" "a": it is listed twice; ' +
      "write each name once",
    ],
  ]);
});

Deno.test("readDefaultPools() reads the list of a namespace and names its key", () => {
  check((value) => readDefaultPools(value, { version: 4 }), [
    ['["a","b"]', ["a", "b"]],
    ["null", []],
    [
      '"a"',
      'Cannot use annotation "ipam.spidernet.io/default-ipv4-ippool" "a": write a list',
    ],
  ]);
  const v6 = readDefaultPools("{", { version: 6 });
  assert.match(v6.ok ? "" : v6.error, /default-ipv6-ippool/);
});

Deno.test("readSubnetsAnnotation() takes the first name of each list", () => {
  const root = 'annotation "ipam.spidernet.io/subnets"';
  check(readSubnetsAnnotation, [
    [
      '[{"interface":"eth0","ipv4":["a","x"]},{"interface":"net1","ipv4":["b"],"ipv6":["c"]}]',
      [
        { interface: "eth0", ipv4: "a", unused: ["x"] },
        { interface: "net1", ipv4: "b", ipv6: "c" },
      ],
    ],
    ['[{"ipv6":["c"]}]', [{ interface: "eth0", ipv6: "c" }]],
    ["[]", `Cannot use ${root} []: write at least one item`],
    [
      '[{"interface":"eth0"}]',
      `Cannot use [0].ipv4 of ${root}: it is missing; write the name of a SpiderSubnet there or ` +
      "in ipv6",
    ],
    [
      '[{"interface":"eth0","ipv4":["a"],"ipv6":[""]}]',
      `Cannot use [0].ipv6[0] of ${root} "": write the name of a SpiderSubnet`,
    ],
    [
      '[{"interface":"a","ipv6":["s"]},{"interface":"b","ipv4":["s"]},' +
      '{"interface":"c","ipv6":["s"]}]',
      `Cannot use [2].ipv6[0] of ${root} "s": it is listed twice; write each subnet for one NIC`,
    ],
    [
      '[{"ipv4":["a"]},{"ipv4":["b"]}]',
      `Cannot use [1].interface of ${root} "eth0": it is listed twice; write each NIC once`,
    ],
    [
      '[{"interface":"eth0","ipv4":["a"]},{"ipv4":["b"]}]',
      `Cannot use [1].interface of ${root} "eth0": it is listed twice; write each NIC once`,
    ],
    [
      '[{"interface":"eth 0","ipv4":["a"]}]',
      `Cannot use [0].interface of ${root} "eth 0": write the name of a NIC, such as "eth0": at ` +
      'most 15 letters, digits, "-", "_" and "."',
    ],
  ]);
});

Deno.test("readSubnetAnnotation() is for eth0 unless it says otherwise", () => {
  check(readSubnetAnnotation, [
    ['{"ipv4":["a"]}', { interface: "eth0", ipv4: "a" }],
    ['{"interface":"net1","ipv4":["a"],"ipv6":["b"]}', { interface: "net1", ipv4: "a", ipv6: "b" }],
    [
      '{"ipv4":[]}',
      'Cannot use ipv4 of annotation "ipam.spidernet.io/subnet": it is missing; write the name ' +
      "of a SpiderSubnet there or in ipv6",
    ],
  ]);
});

Deno.test("readIpNumber() and formatIpNumber() agree", () => {
  const refusal = (value: string) =>
    `Cannot use annotation "ipam.spidernet.io/ippool-ip-number" ${JSON.stringify(value)}: ` +
    'write a count such as "5", or "+2" beyond the replicas';
  check(readIpNumber, [
    ["5", { kind: "fixed", count: 5 }],
    ["0", { kind: "fixed", count: 0 }],
    ["+2", { kind: "flexible", count: 2 }],
    ["+0", { kind: "flexible", count: 0 }],
    ["5+3", refusal("5+3")],
    ["1.5", refusal("1.5")],
    [" 5", refusal(" 5")],
    ["", refusal("")],
    ["+", refusal("+")],
    ["++2", refusal("++2")],
    ["-1", refusal("-1")],
    ["+-1", refusal("+-1")],
    ["two", refusal("two")],
  ]);
  assert.equal(formatIpNumber({ kind: "flexible", count: 2 }), "+2");
  assert.equal(formatIpNumber({ kind: "fixed", count: 2 }), "2");
});

Deno.test("readReclaim() is true unless it says otherwise", () => {
  assert.deepEqual(readReclaim(undefined), { ok: true, value: true });
  check(readReclaim, [
    ["F", false],
    ["1", true],
    [
      "no",
      'Cannot use annotation "ipam.spidernet.io/ippool-reclaim" "no": write true or false',
    ],
  ]);
});

Deno.test("readRoutesAnnotation() leaves the addresses to src/ipam", () => {
  check(readRoutesAnnotation, [
    ['[{"dst":"10.0.0.0/8","gw":"10.6.0.1"},{}]', [
      { dst: "10.0.0.0/8", gw: "10.6.0.1" },
      { dst: "", gw: "" },
    ]],
    [
      '[{"dst":8}]',
      'Cannot use [0].dst of annotation "ipam.spidernet.io/routes" 8: write a string',
    ],
  ]);
});
