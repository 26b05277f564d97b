import assert from "node:assert/strict";
import fc from "fast-check";
import { anyNftChain, anyNftRule } from "../../../tests/support/nft_records.ts";
import {
  decodeChain,
  decodeGeneration,
  decodeNftRule,
  decodeTable,
  encodeBatchMark,
  encodeChain,
  encodeNftList,
  encodeNftRule,
  encodeTable,
  type NftChain,
  type NftRule,
} from "./nft.ts";
import {
  hasConnectionMark,
  hasMark,
  isFromLink,
  isInState,
  restoreMark,
  saveMark,
  setMark,
} from "./nft_statement.ts";

const TABLE = { family: "ip", name: "spiderpool" } as const;
const IN_TABLE = { family: "ip", table: "spiderpool" } as const;

/** Requests of `nft -f`, and what a kernel 6.18 lists after them. */
const CHAINS: readonly {
  readonly is: NftChain;
  readonly asked: string;
  readonly listed: string;
}[] = [
  {
    is: { ...IN_TABLE, name: "prerouting", type: "filter", hook: "prerouting", priority: -150 },
    asked:
      "020000000f000100737069646572706f6f6c00000f000300707265726f7574696e6700000b00070066696c74" +
      "65720000080005000000000114000480080001000000000008000200ffffff6a",
    listed:
      "020000020f000100737069646572706f6f6c00000f000300707265726f7574696e6700000c00020000000000" +
      "0000000114000400080001000000000008000200ffffff6a08000500000000010b00070066696c7465720000" +
      "08000a00000000010800060000000002",
  },
  {
    is: { ...IN_TABLE, name: "output", type: "route", hook: "output", priority: -150 },
    asked:
      "020000000f000100737069646572706f6f6c00000b0003006f757470757400000a000700726f757465000000" +
      "080005000000000114000480080001000000000308000200ffffff6a",
    listed:
      "020000020f000100737069646572706f6f6c00000b0003006f757470757400000c0002000000000000000002" +
      "14000400080001000000000308000200ffffff6a08000500000000010a000700726f75746500000008000a00" +
      "000000010800060000000001",
  },
];

const RULES: readonly {
  readonly text: string;
  readonly is: NftRule;
  readonly asked: string;
  readonly listed: string;
}[] = [
  {
    text: 'iifname "veth0" ct state new meta mark set 0x1',
    is: {
      ...IN_TABLE,
      chain: "prerouting",
      expressions: [...isFromLink("veth0"), ...isInState(), ...setMark({ mark: 1 })],
    },
    asked:
      "020000000f000100737069646572706f6f6c00000f000200707265726f7574696e6700004001048024000180" +
      "090001006d6574610000000014000280080002000000000608000100000000013800018008000100636d7000" +
      "2c00028008000100000000010800020000000000180003801400010076657468300000000000000000000000" +
      "2000018007000100637400001400028008000200000000000800010000000001440001800c00010062697477" +
      "69736500340002800800010000000001080002000000000108000300000000040c0004800800010008000000" +
      "0c00058008000100000000002c00018008000100636d70002000028008000100000000010800020000000001" +
      "0c00038008000100000000002c0001800e000100696d6d656469617465000000180002800800010000000001" +
      "0c000280080001000100000024000180090001006d6574610000000014000280080002000000000308000300" +
      "00000001",
    listed:
      "020000020f000100737069646572706f6f6c00000f000200707265726f7574696e6700000c00030000000000" +
      "000000034801040024000100090001006d657461000000001400020008000200000000060800010000000001" +
      "3800010008000100636d70002c00020008000100000000010800020000000000180003001400010076657468" +
      "3000000000000000000000002000010007000100637400001400020008000100000000010800020000000000" +
      "4c0001000c00010062697477697365003c000200080001000000000108000200000000010800030000000004" +
      "08000600000000000c00040008000100080000000c00050008000100000000002c00010008000100636d7000" +
      "20000200080001000000000108000200000000010c00030008000100000000002c0001000e000100696d6d65" +
      "64696174650000001800020008000100000000010c000200080001000100000024000100090001006d657461" +
      "000000001400020008000200000000030800030000000001",
  },
  {
    text: "meta mark 0x1 ct mark set meta mark",
    is: {
      ...IN_TABLE,
      chain: "prerouting",
      expressions: [...hasMark({ mark: 1 }), ...saveMark()],
    },
    asked:
      "020000000f000100737069646572706f6f6c00000f000200707265726f7574696e6700009800048024000180" +
      "090001006d6574610000000014000280080002000000000308000100000000012c00018008000100636d7000" +
      "20000280080001000000000108000200000000000c000380080001000100000024000180090001006d657461" +
      "0000000014000280080002000000000308000100000000012000018007000100637400001400028008000200" +
      "000000030800040000000001",
    listed:
      "020000020f000100737069646572706f6f6c00000f000200707265726f7574696e6700000c00030000000000" +
      "000000040c00060000000000000000039800040024000100090001006d657461000000001400020008000200" +
      "0000000308000100000000012c00010008000100636d70002000020008000100000000010800020000000000" +
      "0c000300080001000100000024000100090001006d6574610000000014000200080002000000000308000100" +
      "000000012000010007000100637400001400020008000400000000010800020000000003",
  },
  {
    text: "ct mark 0x1 meta mark set ct mark",
    is: {
      ...IN_TABLE,
      chain: "output",
      expressions: [...hasConnectionMark({ mark: 1 }), ...restoreMark()],
    },
    asked:
      "020000000f000100737069646572706f6f6c00000b0002006f75747075740000940004802000018007000100" +
      "6374000014000280080002000000000308000100000000012c00018008000100636d70002000028008000100" +
      "0000000108000200000000000c00038008000100010000002000018007000100637400001400028008000200" +
      "00000003080001000000000124000180090001006d6574610000000014000280080002000000000308000300" +
      "00000001",
    listed:
      "020000020f000100737069646572706f6f6c00000b0002006f757470757400000c0003000000000000000005" +
      "9400040020000100070001006374000014000200080001000000000108000200000000032c00010008000100" +
      "636d700020000200080001000000000108000200000000000c00030008000100010000002000010007000100" +
      "63740000140002000800010000000001080002000000000324000100090001006d6574610000000014000200" +
      "08000200000000030800030000000001",
  },
];

for (const { is, asked, listed } of CHAINS) {
  Deno.test(`encodeChain() asks for chain ${is.name} as nft does`, () => {
    assert.equal(encodeChain(is).toHex(), asked);
  });

  Deno.test(`decodeChain() reads what a kernel says of chain ${is.name}`, () => {
    assert.deepEqual(decodeChain(Uint8Array.fromHex(listed)), is);
  });
}

for (const { text, is, asked, listed } of RULES) {
  Deno.test(`encodeNftRule() asks for ${text} as nft does`, () => {
    assert.equal(encodeNftRule(is).toHex(), asked);
  });

  Deno.test(`decodeNftRule() reads what a kernel says of ${text}`, () => {
    assert.deepEqual(decodeNftRule(Uint8Array.fromHex(listed)), is);
  });
}

Deno.test("encodeBatchMark() names the subsystem, and the generation if there is one", () => {
  assert.equal(encodeBatchMark().toHex(), "0000000a");
  assert.equal(encodeBatchMark({ generation: 2 }).toHex(), "0000000a0800010000000002");
});

Deno.test("encodeTable() names the table, decodeTable() reads it", () => {
  assert.equal(encodeTable(TABLE).toHex(), "020000000f000100737069646572706f6f6c0000");
  const listed =
    "020000020f000100737069646572706f6f6c000008000300000000020c0004000000000000000001" +
    "0800020000000000";
  assert.deepEqual(decodeTable(Uint8Array.fromHex(listed)), TABLE);
  assert.deepEqual(decodeTable(encodeTable({ family: "inet", name: "x" })), {
    family: "inet",
    name: "x",
  });
});

Deno.test("encodeNftList() asks for all families, or for one", () => {
  assert.equal(encodeNftList().toHex(), "00000000");
  assert.equal(encodeNftList("ip6").toHex(), "0a000000");
});

Deno.test("decodeGeneration() reads what a kernel says of its rules", () => {
  const body = "000000020800010000000002080002000000109a0c000300707974686f6e3300";
  assert.equal(decodeGeneration(Uint8Array.fromHex(body)), 2);
});

Deno.test("what is of another family, or a chain at no place, is passed over", () => {
  const bridge = Uint8Array.fromHex("07000000");
  assert.equal(decodeTable(bridge), undefined);
  assert.equal(decodeChain(bridge), undefined);
  assert.equal(decodeNftRule(bridge), undefined);
  const jumpedTo = "020000000f000100737069646572706f6f6c00000b0003006f75747075740000";
  assert.equal(decodeChain(Uint8Array.fromHex(jumpedTo)), undefined);
});

Deno.test("parts with a mask leave the other bits alone", () => {
  const register = 1;
  const bitwise = { kind: "bitwise", source: 1, register } as const;
  const bytes = (hex: string): Uint8Array => Uint8Array.fromHex(hex);
  assert.deepEqual(setMark({ mark: 0x10, mask: 0xf0 }), [
    { kind: "meta_load", key: 3, register },
    { ...bitwise, mask: bytes("0fffffff"), flips: bytes("10000000") },
    { kind: "meta_set", key: 3, register },
  ]);
  assert.deepEqual(hasMark({ mark: 0x10, mask: 0xf0 }), [
    { kind: "meta_load", key: 3, register },
    { ...bitwise, mask: bytes("f0000000"), flips: bytes("00000000") },
    { kind: "compare", register, comparison: "eq", value: bytes("10000000") },
  ]);
});

Deno.test("parts take no name and no mark that a kernel would not", () => {
  assert.throws(() => isFromLink("abcdefghijklmnop"), /1 to 15 bytes/);
  assert.throws(() => isFromLink(""), /1 to 15 bytes/);
  assert.throws(() => setMark({ mark: 2 ** 32 }), /32 bits/);
});

Deno.test("property: a chain that is written is read as it was", () => {
  fc.assert(fc.property(anyNftChain, (chain) => {
    assert.deepEqual(decodeChain(encodeChain(chain)), chain);
  }));
});

Deno.test("property: a rule of nf_tables that is written is read as it was", () => {
  fc.assert(fc.property(anyNftRule, (rule) => {
    assert.deepEqual(decodeNftRule(encodeNftRule(rule)), rule);
  }));
});
