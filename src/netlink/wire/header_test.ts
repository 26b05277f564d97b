import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Acknowledgement,
  decodeAcknowledgement,
  decodeDone,
  encodeMessage,
  type Message,
  MessageReader,
  NLMSG,
} from "./header.ts";

/** The only message of a datagram, given in hexadecimal. */
function onlyMessage(hex: string): Message {
  const reader = new MessageReader(Uint8Array.fromHex(hex));
  assert.ok(reader.next());
  const { type, flags } = reader;
  assert.equal(reader.sequence, 7);
  const body = reader.body();
  assert.ok(!reader.next());
  return { type, flags, body };
}

function acknowledged(hex: string): Acknowledgement {
  const message = onlyMessage(hex);
  assert.equal(message.type, NLMSG.ERROR);
  return decodeAcknowledgement(message);
}

// Answers of a kernel 6.18 to requests with the sequence 7.

Deno.test("decodeAcknowledgement() reads that something is done", () => {
  const hex = "240000000200000107000000a05a00000000000028000000100005000700000000000000";
  assert.deepEqual(acknowledged(hex), { errno: 0, text: "" });
});

Deno.test("decodeAcknowledgement() reads a refusal without words", () => {
  const hex = "240000000200000107000000a05a0000efffffff28000000100005060700000000000000";
  assert.deepEqual(acknowledged(hex), { errno: 17, text: "" });
});

Deno.test("decodeAcknowledgement() reads the kernel's words behind the header alone", () => {
  const hex = "3c0000000200000307000000a05a0000a1ffffff38000000100005060700000000000000" +
    "18000100556e6b6e6f776e20646576696365207479706500";
  assert.deepEqual(acknowledged(hex), { errno: 95, text: "Unknown device type" });
});

Deno.test("decodeAcknowledgement() reads the kernel's words behind the whole request", () => {
  const hex = "900000000200000207000000a05a0000deffffff38000000100005060700000000000000" +
    "00000000000000000000000000000000160003006162636465666768696a6b6c6d6e6f7071000000" +
    "27000100417474726962757465206661696c656420706f6c6963792076616c69646174696f6e0000" +
    "080002002000000014000480080007000f000000080001000b000000";
  assert.deepEqual(acknowledged(hex), { errno: 34, text: "Attribute failed policy validation" });
});

Deno.test("decodeAcknowledgement() says which attribute is missing, without words", () => {
  const hex = "2c0000000200000307000000a05a0000eaffffff1c0000001e000500070000000000000008000500" +
    "01000000";
  assert.deepEqual(acknowledged(hex), { errno: 22, text: "attribute 1 is missing" });
});

Deno.test("decodeAcknowledgement() refuses what is cut", () => {
  const body = new Uint8Array(19);
  assert.throws(() => decodeAcknowledgement({ type: NLMSG.ERROR, flags: 0, body }), {
    name: "NetlinkError",
    code: "bad_message",
    message: "Cannot read the kernel's answer: an acknowledgement has 19 bytes, at least 20 are " +
      "due",
  });
});

Deno.test("decodeDone() tells the end of a list from a refusal to give one", () => {
  const end = onlyMessage("140000000300020007000000a05a000000000000");
  assert.equal(end.type, NLMSG.DONE);
  assert.deepEqual(decodeDone(end), { errno: 0, text: "" });
  const refused = onlyMessage(
    "400000000300020207000000a05a0000eaffffff2c0001006279746573206c6566746f766572206166746572" +
      "2070617273696e67206174747269627574657300",
  );
  const text = "bytes leftover after parsing attributes";
  assert.deepEqual(decodeDone(refused), { errno: 22, text });
  assert.deepEqual(decodeDone({ ...refused, flags: 2 }), { errno: 22, text: "" });
});

Deno.test("MessageReader refuses a length that leads out of the datagram, or nowhere", () => {
  for (const length of ["15000000", "0f000000", "00000000", "ffffffff"]) {
    const reader = new MessageReader(Uint8Array.fromHex(`${length}${"00".repeat(16)}`));
    assert.throws(() => reader.next(), { code: "bad_message" }, length);
  }
  const short = new MessageReader(new Uint8Array(15));
  assert.throws(() => short.next(), { code: "bad_message" });
  assert.equal(new MessageReader(new Uint8Array()).next(), false);
});

const message = fc.record({
  type: fc.nat(0xffff),
  flags: fc.nat(0xffff),
  sequence: fc.nat(0xffff_ffff),
  body: fc.uint8Array({ maxLength: 40 }),
});

Deno.test("property: messages that are written one behind another are read as they were", () => {
  fc.assert(fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
    const bytes = new Uint8Array(8 * 56).fill(0xff);
    let length = 0;
    for (const { type, flags, body, sequence } of messages) {
      const place = { sequence, offset: length };
      length += encodeMessage(new DataView(bytes.buffer), { type, flags, body }, place);
    }
    const reader = new MessageReader(bytes.subarray(0, length));
    const read = [];
    while (reader.next()) {
      const { type, flags, sequence } = reader;
      read.push({ type, flags, sequence, body: [...reader.body()] });
    }
    assert.deepEqual(read, messages.map((one) => ({ ...one, body: [...one.body] })));
  }));
});

Deno.test("encodeMessage() fills up to four bytes with zeros", () => {
  const bytes = new Uint8Array(24).fill(0xff);
  const message = { type: 16, flags: 5, body: Uint8Array.of(1, 2, 3, 4, 5) };
  const length = encodeMessage(new DataView(bytes.buffer), message, { sequence: 7, offset: 0 });
  assert.equal(length, 24);
  assert.equal(bytes.toHex(), "150000001000050007000000000000000102030405000000");
  assert.throws(
    () => encodeMessage(new DataView(bytes.buffer), message, { sequence: 7, offset: 4 }),
    /a request is bounded/,
  );
});
