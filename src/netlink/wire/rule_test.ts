import assert from "node:assert/strict";
import fc from "fast-check";
import { anyRule, cidr } from "../../../tests/support/netlink_records.ts";
import {
  decodeRule,
  describeRule,
  encodeRule,
  encodeRuleList,
  ruleOf,
  type RuleRecord,
} from "./rule.ts";

/** Rules as a kernel 6.18 dumps them, by what `ip rule` says of them. */
const DUMPED: readonly { readonly text: string; readonly hex: string; readonly is: RuleRecord }[] =
  [
    {
      text: "0: from all lookup 255",
      hex: "02000000ff0000010000000008000f00ff00000008000e00ffffffff0500150002000000",
      is: ruleOf({ family: 4, priority: 0, table: 255, protocol: 2 }),
    },
    {
      text: "999: from 10.6.0.5/32 lookup 101",
      hex:
        "02002000650000010000000008000f006500000008000e00ffffffff050015000000000008000600e7030000" +
        "080002000a060005",
      is: ruleOf({ family: 4, priority: 999, from: cidr("10.6.0.5/32"), table: 101 }),
    },
    {
      text: "1000: from all fwmark 0x1 lookup 100",
      hex:
        "02000000640000010000000008000f006400000008000e00ffffffff050015000000000008000600e8030000" +
        "08000a000100000008001000ffffffff",
      is: ruleOf({ family: 4, priority: 1000, fwMark: 1, fwMask: 0xffff_ffff, table: 100 }),
    },
    {
      text: "1001: from all tos 16 fwmark 0x10/0xf0 iif n0 oif n1 lookup 102",
      hex:
        "02000010660000010000000008000f006600000008000e00ffffffff0500150000000000070003006e300000" +
        "070011006e31000008000600e903000008000a001000000008001000f0000000",
      is: ruleOf({
        family: 4,
        priority: 1001,
        tos: 16,
        fwMark: 16,
        fwMask: 0xf0,
        inputName: "n0",
        outputName: "n1",
        table: 102,
      }),
    },
    {
      text: "1002: not from all to 10.9.0.0/16 lookup 500",
      hex:
        "02100000fc0000010200000008000f00f401000008000e0000000000050015004d00000008000600ea030000" +
        "080001000a090000",
      is: ruleOf({
        family: 4,
        priority: 1002,
        isInverted: true,
        to: cidr("10.9.0.0/16"),
        suppressPrefixLength: 0,
        protocol: 77,
        table: 500,
      }),
    },
    {
      text: "1003: from 10.1.0.0/16 unreachable",
      hex:
        "02001000000000070000000008000f000000000008000e00ffffffff050015000000000008000600eb030000" +
        "080002000a010000",
      is: ruleOf({ family: 4, priority: 1003, from: cidr("10.1.0.0/16"), action: 7 }),
    },
    {
      text: "1004: from all lookup 100",
      hex:
        "02000000640000010000000008000f006400000008000e00ffffffff050015000000000008000600ec030000" +
        "0c0014000100000005000000080017006400c80008001800bb01bb0106001d00ffff00000500160006000000",
      is: ruleOf({
        family: 4,
        priority: 1004,
        users: { first: 1, last: 5 },
        ipProtocol: 6,
        sourcePorts: { first: 100, last: 200 },
        destinationPorts: { first: 443, last: 443 },
        table: 100,
      }),
    },
    {
      text: "999: from fd00:10:6::5/128 lookup 1000",
      hex:
        "0a008000fc0000010000000008000f00e803000008000e00ffffffff050015000000000008000600e7030000" +
        "14000200fd000010000600000000000000000005",
      is: ruleOf({ family: 6, priority: 999, from: cidr("fd00:10:6::5/128"), table: 1000 }),
    },
  ];

for (const { text, hex, is } of DUMPED) {
  Deno.test(`decodeRule() reads what a kernel says of ${text}`, () => {
    assert.deepEqual(decodeRule(Uint8Array.fromHex(hex)), is);
  });

  Deno.test(`describeRule() says ${text}`, () => {
    assert.equal(describeRule(is), text);
  });
}

/** Requests as `ip rule` makes them; their attributes are put in our order. */
const REQUESTED = {
  "ip rule add from 10.6.0.5 lookup 101 pref 999": {
    hex: "020020006500000100000000080002000a06000508000600e7030000",
    is: { family: 4, priority: 999, from: cidr("10.6.0.5/32"), table: 101 },
  },
  "ip rule add fwmark 0x1 lookup 100 pref 1000": {
    hex: "02000000640000010000000008000600e803000008000a0001000000",
    is: { family: 4, priority: 1000, fwMark: 1, table: 100 },
  },
  "ip rule add fwmark 0x10/0xf0 lookup 102 pref 1001 iif n0 oif n1 tos 0x10": {
    hex:
      "02000010660000010000000008000600e903000008000a001000000008001000f0000000070003006e300000" +
      "070011006e310000",
    is: {
      family: 4,
      priority: 1001,
      tos: 16,
      fwMark: 16,
      fwMask: 0xf0,
      inputName: "n0",
      outputName: "n1",
      table: 102,
    },
  },
  "ip rule add not to 10.9.0.0/16 lookup 500 pref 1002 suppress_prefixlength 0 protocol 77": {
    hex:
      "021000000000000102000000080001000a09000008000600ea03000008000f00f4010000050015004d000000" +
      "08000e0000000000",
    is: {
      family: 4,
      priority: 1002,
      isInverted: true,
      to: cidr("10.9.0.0/16"),
      suppressPrefixLength: 0,
      protocol: 77,
      table: 500,
    },
  },
  "ip -6 rule add from fd00:10:6::5 lookup 1000 pref 999": {
    hex: "0a0080000000000100000000" + "14000200fd00001000060000000000000000000508000600e7030000" +
      "08000f00e8030000",
    is: { family: 6, priority: 999, from: cidr("fd00:10:6::5/128"), table: 1000 },
  },
} as const;

for (const [command, { hex, is }] of Object.entries(REQUESTED)) {
  Deno.test(`encodeRule() asks for what is asked for by ${command}`, () => {
    assert.equal(encodeRule(is).toHex(), hex);
  });
}

Deno.test("encodeRuleList() asks for all families: one alone may be refused", () => {
  assert.equal(encodeRuleList().toHex(), "00".repeat(12));
});

Deno.test("decodeRule() passes over rules of other families", () => {
  assert.equal(decodeRule(Uint8Array.fromHex(`80${"00".repeat(11)}`)), undefined);
});

Deno.test("encodeRule() takes no network of another family", () => {
  const foreign = { family: 4, priority: 1, from: cidr("fd00::/64") } as const;
  assert.throws(() => encodeRule(foreign), /networks are of its family/);
});

Deno.test("ruleOf() leads to the main table, or to none where it looks in none", () => {
  const tables = [
    ruleOf({ family: 4, priority: 1 }),
    ruleOf({ family: 4, priority: 1, action: 7 }),
    ruleOf({ family: 4, priority: 1, isL3mdev: true }),
  ].map(({ table }) => table);
  assert.deepEqual(tables, [254, 0, 0]);
});

Deno.test("describeRule() names what else a rule may do", () => {
  assert.equal(
    describeRule({ family: 4, priority: 1, isL3mdev: true }),
    "1: from all lookup [l3mdev]",
  );
  assert.equal(describeRule({ family: 4, priority: 1, action: 9 }), "1: from all action 9");
});

Deno.test("property: a rule that is written is read as it was", () => {
  fc.assert(fc.property(anyRule, (rule) => {
    assert.deepEqual(decodeRule(encodeRule(rule)), rule);
  }));
});
