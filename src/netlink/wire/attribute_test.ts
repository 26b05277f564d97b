import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../../base/result.ts";
import { parseAddress } from "../../ip/mod.ts";
import { AttributeReader, BodyWriter } from "./attribute.ts";

function address(text: string) {
  return expectOk(parseAddress(text), text);
}

Deno.test("BodyWriter writes structure, attributes and nests, and zeros between them", () => {
  const writer = new BodyWriter().addU8(2).addU8(24).addU16(0x1234).addI32(-2).addU32(7)
    .addU16Be(0x0102).addBytes(Uint8Array.of(0xaa, 0xbb))
    .putText(3, "net1").putU8(1, 5).putU16(2, 6).putFlag(9);
  const outer = writer.openNest(18);
  const inner = writer.putText(1, "vlan").openNest(2);
  writer.putU16(1, 100).closeNest(inner).closeNest(outer);
  assert.equal(
    writer.finish().toHex(),
    "02183412feffffff070000000102aabb" +
      "090003006e65743100000000" + "0500010005000000" + "0600020006000000" + "04000900" +
      "1c001280" + "09000100766c616e00000000" + "0c000280" + "0600010064000000",
  );
});

Deno.test("BodyWriter writes both orders, addresses and bytes", () => {
  const writer = new BodyWriter().putU16Be(1, 0x8100).putU32Be(2, 1).putU32(3, 0xfeff_ffff)
    .putI32(4, -1).putU64(5, 1n).putU64Be(6, 1n).putAddress(7, address("10.6.0.7"))
    .putAddress(8, address("fd00:10:6::7")).putBytes(9, Uint8Array.of(1, 2, 3));
  assert.equal(
    writer.finish().toHex(),
    "0600010081000000" + "0800020000000001" + "08000300fffffffe" + "08000400ffffffff" +
      "0c0005000100000000000000" + "0c0006000000000000000001" + "080007000a060007" +
      "14000800fd000010000600000000000000000007" + "0700090001020300",
  );
});

Deno.test("BodyWriter grows beyond its first room, and refuses what has no length field", () => {
  const large = new BodyWriter().addU32(1).putBytes(1, new Uint8Array(60_000).fill(7)).putU8(2, 9);
  const reader = new AttributeReader(large.finish(), 4);
  assert.ok(reader.next());
  assert.equal(reader.bytes().length, 60_000);
  assert.ok(reader.bytes().every((byte) => byte === 7));
  assert.ok(reader.next());
  assert.equal(reader.u8(), 9);
  assert.throws(() => new BodyWriter().putBytes(1, new Uint8Array(65_532)), /length field/);
  const nest = new BodyWriter();
  const start = nest.openNest(1);
  nest.putBytes(1, new Uint8Array(65_000)).putBytes(1, new Uint8Array(600));
  assert.throws(() => nest.closeNest(start), /length field/);
});

Deno.test("AttributeReader takes the flags from a type, and a text without an end", () => {
  const reader = new AttributeReader(Uint8Array.fromHex("0000" + "0600034061620000"), 2);
  assert.ok(reader.next());
  assert.deepEqual([reader.type, reader.length, reader.text()], [3, 2, "ab"]);
  assert.ok(!reader.next());
});

Deno.test("AttributeReader refuses a length that leads out of the message", () => {
  for (const hex of ["0900010000000000", "0300010000000000", "0000000000000000"]) {
    const reader = new AttributeReader(Uint8Array.fromHex(hex), 0);
    assert.throws(() => reader.next(), { name: "NetlinkError", code: "bad_message" }, hex);
  }
});

Deno.test("AttributeReader refuses a value that is shorter than asked for", () => {
  const reads: readonly ((reader: AttributeReader) => unknown)[] = [
    (reader) => reader.u8(),
    (reader) => reader.u16(),
    (reader) => reader.u16Be(),
    (reader) => reader.u32(),
    (reader) => reader.u32Be(),
    (reader) => reader.u32At(0),
    (reader) => reader.i32(),
    (reader) => reader.u64(),
    (reader) => reader.u64Be(),
  ];
  const bytes = new BodyWriter().putFlag(1).putU64(2, 1n).finish();
  for (const read of reads) {
    const reader = new AttributeReader(bytes, 0);
    assert.ok(reader.next());
    assert.throws(() => read(reader), { code: "bad_message" });
  }
});

const u8 = fc.nat(0xff);
const u16 = fc.nat(0xffff);
const u32 = fc.nat(0xffff_ffff);
const u64 = fc.bigInt(0n, 0xffff_ffff_ffff_ffffn);
const text = fc.string({ unit: fc.constantFrom("a", "0", "ü", "-"), maxLength: 20 });

Deno.test("property: AttributeReader reads what BodyWriter wrote", () => {
  const values = fc.record({ u8, u16, u32, u64, text, i32: fc.integer(), bytes: fc.uint8Array() });
  fc.assert(fc.property(values, u16.map((type) => type & 0x3fff), (value, type) => {
    const writer = new BodyWriter().addU32(0);
    const outer = writer.openNest(type);
    writer.putU8(1, value.u8).putU16(2, value.u16).putU16Be(3, value.u16).putU32(4, value.u32)
      .putU32Be(5, value.u32).putU64(6, value.u64).putU64Be(7, value.u64).putText(8, value.text)
      .putI32(9, value.i32).putBytes(10, value.bytes).closeNest(outer);
    const outside = new AttributeReader(writer.finish(), 4);
    assert.ok(outside.next());
    assert.equal(outside.type, type);
    const inside = outside.nested();
    const read = {
      1: () => assert.equal(inside.u8(), value.u8),
      2: () => assert.equal(inside.u16(), value.u16),
      3: () => assert.equal(inside.u16Be(), value.u16),
      4: () => assert.equal(inside.u32(), value.u32),
      5: () => assert.equal(inside.u32Be(), value.u32),
      6: () => assert.equal(inside.u64(), value.u64),
      7: () => assert.equal(inside.u64Be(), value.u64),
      8: () => assert.equal(inside.text(), value.text),
      9: () => assert.equal(inside.i32(), value.i32),
      10: () => assert.deepEqual(new Uint8Array(inside.bytes()), value.bytes),
    };
    for (const [expected, check] of Object.entries(read)) {
      assert.ok(inside.next());
      assert.equal(inside.type, Number(expected));
      check();
    }
    assert.ok(!inside.next() && !outside.next());
  }));
});

Deno.test("property: AttributeReader never reads behind the message, whatever is in it", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
    const reader = new AttributeReader(bytes, 0);
    try {
      for (let count = 0; reader.next(); count++) {
        assert.ok(reader.bytes().length === reader.length && count <= bytes.length / 4);
      }
    } catch (error) {
      assert.equal(error instanceof Error ? error.name : error, "NetlinkError");
    }
  }));
});
