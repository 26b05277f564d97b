import assert from "node:assert/strict";
import { decodeDriverInfo, encodeDriverQuestion, encodeNicRequest, isNicName } from "./ethtool.ts";

/** An answer as a kernel 6.18 gives it: pieces in hexadecimal, each followed by zeros. */
function answer(pieces: Readonly<Record<number, string>>): Uint8Array {
  const bytes = new Uint8Array(196);
  for (const [offset, text] of Object.entries(pieces)) {
    bytes.set(Uint8Array.fromHex(text), Number(offset));
  }
  return bytes;
}

Deno.test("decodeDriverInfo() reads what a kernel says of a NIC on PCI", () => {
  const bytes = answer({
    0: "03000000",
    4: "76697274696f5f6e6574",
    // The driver's version stands over the kernel's, which was longer.
    36: "312e302e3000342d7631",
    100: "303030303a30303a30332e30",
    180: "14",
  });
  assert.deepEqual(decodeDriverInfo(bytes), { driver: "virtio_net", busInfo: "0000:00:03.0" });
});

Deno.test("decodeDriverInfo() reads what a kernel says of a veth: no bus", () => {
  const bytes = answer({ 0: "03000000", 4: "76657468", 36: "312e3000", 180: "0a" });
  assert.deepEqual(decodeDriverInfo(bytes), { driver: "veth", busInfo: "" });
});

Deno.test("decodeDriverInfo() reads a bus that is none, and a text without an end", () => {
  const bytes = answer({ 4: "62726964676500747261696c", 100: "4e2f41" });
  assert.deepEqual(decodeDriverInfo(bytes), { driver: "bridge", busInfo: "N/A" });
  const full = answer({ 4: "61".repeat(32), 36: "62" });
  assert.equal(decodeDriverInfo(full).driver, "a".repeat(32));
});

Deno.test("decodeDriverInfo() takes no answer of another length", () => {
  assert.throws(() => decodeDriverInfo(new Uint8Array(195)), /as long as its question/);
});

Deno.test("encodeDriverQuestion() is the command and room for the answer", () => {
  assert.equal(encodeDriverQuestion().toHex(), `03000000${"00".repeat(192)}`);
});

Deno.test("encodeNicRequest() is the name and the address of the data", () => {
  assert.equal(
    encodeNicRequest("net1", { data: 0x7f00_1122_3344_5566n }).toHex(),
    `6e657431${"00".repeat(12)}665544332211007f${"00".repeat(16)}`,
  );
  assert.equal(
    encodeNicRequest("abcdefghijklmno", { data: 0n }).toHex(),
    `6162636465666768696a6b6c6d6e6f00${"00".repeat(24)}`,
  );
});

Deno.test("isNicName() takes what a kernel takes", () => {
  for (const name of ["eth0", "net1", "a", "a.b", "...", "enp59s0f0v2", "abcdefghijklmno", "ü"]) {
    assert.equal(isNicName(name), true, name);
  }
});

Deno.test("isNicName() refuses what a kernel refuses", () => {
  const refused = ["", ".", "..", "a/b", "a b", "eth0:1", "a\0b", "a\n", "abcdefghijklmnop"];
  for (const name of [...refused, "üüüüüüüü"]) assert.equal(isNicName(name), false, name);
});

Deno.test("encodeNicRequest() is not asked for a name that no NIC can have", () => {
  assert.throws(() => encodeNicRequest("abcdefghijklmnop", { data: 0n }), /is checked before/);
});
