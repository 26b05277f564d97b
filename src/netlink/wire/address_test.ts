import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../../base/result.ts";
import { type Address, parseAddress, parseIpv4, parseIpv6 } from "../../ip/mod.ts";
import {
  ADDRESS_SCOPE,
  addressFault,
  type AddressSpec,
  decodeAddress,
  encodeAddress,
  encodeAddressesQuestion,
  encodeAddressRemoval,
  IFA_F,
} from "./address.ts";

function address(text: string): Address {
  return expectOk(parseAddress(text), text);
}

function decoded(hex: string) {
  return decodeAddress({ type: 20, flags: 0, body: Uint8Array.fromHex(hex) });
}

function encoded(spec: AddressSpec): string {
  return encodeAddress(spec, { flags: 0 }).body.toHex();
}

const V4 = { linkIndex: 5, address: address("10.6.0.5"), prefixLength: 24 };
const V6 = { linkIndex: 5, address: address("fd00::5"), prefixLength: 64 };

const RECORD = {
  family: 4,
  ...V4,
  peer: undefined,
  broadcast: address("10.6.0.255"),
  label: "n0",
  scope: ADDRESS_SCOPE.UNIVERSE,
  flags: IFA_F.PERMANENT,
  isTentative: false,
  isDadFailed: false,
  protocol: 0,
  validSeconds: undefined,
  preferredSeconds: undefined,
};

// What a kernel 6.18 said of addresses that ip had set.

Deno.test("decodeAddress() reads an IPv4 address", () => {
  const hex =
    "0218800005000000080001000a060005080002000a060005080004000a0600ff070003006e3000000800" +
    "08008000000014000600ffffffffffffffffe45a1900e45a1900";
  assert.deepEqual(decoded(hex), RECORD);
});

Deno.test("decodeAddress() reads an IPv6 address", () => {
  const hex =
    "0a4082000500000014000100fd00000000000000000000000000000514000600ffffffffffffffffe45a" +
    "1900e45a19000800080082000000";
  const flags = IFA_F.PERMANENT | IFA_F.NODAD;
  const record = { ...RECORD, ...V6, family: 6, flags, broadcast: undefined, label: undefined };
  assert.deepEqual(decoded(hex), record);
});

Deno.test("decodeAddress() tells the link's own address from that of the other end", () => {
  const hex = "0220800005000000080001000a060009080002000a060005";
  const record = decoded(hex);
  assert.deepEqual([record?.address, record?.peer], [address("10.6.0.5"), address("10.6.0.9")]);
});

Deno.test("decodeAddress() reads lifetimes, states and who set it", () => {
  const hex = "0a4040000500000014000100fd00000000000000000000000000000514000600" +
    "0a0000001400000000000000000000000800080048000000" + "05000b0002000000";
  assert.partialDeepStrictEqual(decoded(hex), {
    ...{ isTentative: true, isDadFailed: true, protocol: 2 },
    ...{ preferredSeconds: 10, validSeconds: 20 },
  });
});

Deno.test("decodeAddress() gives nothing for what is no IP address", () => {
  assert.equal(decoded("2d080000010000000500020008000000"), undefined);
  assert.throws(() => decoded("0218800005000000080001000a06"), { code: "bad_message" });
});

Deno.test("encodeAddress() computes the broadcast address of networks that have one", () => {
  const body = "0218000005000000080002000a060005080001000a060005";
  assert.equal(encoded(V4), `${body}080004000a0600ff`);
  assert.equal(encoded({ ...V4, broadcast: "none" }), body);
  for (const prefixLength of [31, 32]) {
    const length = prefixLength.toString(16);
    assert.equal(encoded({ ...V4, prefixLength }), body.replace("0218", `02${length}`));
  }
  const loopback = { linkIndex: 1, address: address("127.0.0.2"), prefixLength: 8 };
  assert.equal(encoded(loopback), "020800fe01000000080002007f000002080001007f000002");
});

Deno.test("encodeAddress() writes flags, label, scope, lifetimes and the other end", () => {
  const fd00 = "fd000000000000000000000000000005";
  const flagged = { ...V6, noDad: true, noPrefixRoute: true, preferredSeconds: 0 };
  assert.equal(
    encoded(flagged),
    `0a40000005000000` + `14000200${fd00}14000100${fd00}` + "0800080002020000" +
      "1400060000000000ffffffff0000000000000000",
  );
  const peer = address("10.6.0.9");
  assert.equal(
    encoded({
      ...V4,
      peer,
      prefixLength: 32,
      label: "n0:1",
      scope: ADDRESS_SCOPE.LINK,
      validSeconds: 5,
    }),
    "022000fd05000000" + "080002000a060005080001000a060009" + "090003006e303a3100000000" +
      "1400060005000000050000000000000000000000",
  );
});

Deno.test("encodeAddressRemoval() and encodeAddressesQuestion() name what they are about", () => {
  assert.equal(
    encodeAddressRemoval(V4).body.toHex(),
    "0218000005000000080002000a060005080001000a060005",
  );
  assert.equal(encodeAddressesQuestion({}).body.toHex(), "0000000000000000");
  const filter = { family: 6, linkIndex: 5 } as const;
  assert.equal(encodeAddressesQuestion(filter).body.toHex(), "0a00000005000000");
  assert.equal(encodeAddressesQuestion({ family: 4 }).body.toHex(), "0200000000000000");
});

Deno.test("addressFault() finds what would become another address on its way", () => {
  assert.equal(addressFault(V4), undefined);
  assert.match(addressFault({ ...V4, prefixLength: 33 }) ?? "", /33 is not one of 0 to 32/);
  assert.match(addressFault({ ...V6, prefixLength: 0.5 }) ?? "", /0\.5 is not one of 0 to 128/);
  assert.match(addressFault({ ...V4, peer: V6.address }) ?? "", /different families/);
  assert.match(addressFault({ ...V4, label: "a".repeat(16) }) ?? "", /more than 15 bytes/);
});

const ipv4s = fc.ipV4().map((text) => expectOk(parseIpv4(text), text));
const ipv6s = fc.bigInt(1n << 64n, (1n << 128n) - 1n).map((value) => {
  const text = value.toString(16).padStart(32, "0").replaceAll(/(.{4})(?!$)/g, "$1:");
  return expectOk(parseIpv6(text), text);
});
const common = {
  linkIndex: fc.nat(0x7fff_ffff),
  scope: fc.nat(255),
  noDad: fc.boolean(),
  noPrefixRoute: fc.boolean(),
  validSeconds: fc.nat(0xffff_fffe),
};
const shape = { noNullPrototype: true };
const specs: fc.Arbitrary<AddressSpec> = fc.oneof(
  fc.record({
    ...{ ...common, address: ipv4s, peer: ipv4s, prefixLength: fc.nat(32) },
    ...{ broadcast: ipv4s, label: fc.constantFrom("n0", "abcdefghijklmno") },
  }, shape),
  fc.record({ ...common, address: ipv6s, peer: ipv6s, prefixLength: fc.nat(128) }, shape),
);

Deno.test("property: decodeAddress() reads what encodeAddress() wrote", () => {
  fc.assert(fc.property(specs, (spec) => {
    const { noDad, noPrefixRoute, peer, address, broadcast, label, ...kept } = spec;
    const flags = (noDad === true ? IFA_F.NODAD : 0) |
      (noPrefixRoute === true ? IFA_F.NOPREFIXROUTE : 0);
    assert.deepEqual(decodeAddress(encodeAddress(spec, { flags: 0 })), {
      ...{ ...RECORD, ...kept, flags, address, broadcast, label },
      family: typeof address === "number" ? 4 : 6,
      peer: peer === address ? undefined : peer,
      preferredSeconds: spec.validSeconds,
    });
  }));
});
