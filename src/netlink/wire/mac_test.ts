import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../../base/result.ts";
import { macBytes, macOfBytes, parseMac } from "./mac.ts";

Deno.test("parseMac() gives one spelling", () => {
  assert.deepEqual(parseMac("0A:1b:0a:06:00:07"), { ok: true, value: "0a:1b:0a:06:00:07" });
});

Deno.test("parseMac() refuses what has other separators, lengths or digits", () => {
  const refused = [
    "",
    "0a-1b-0a-06-00-07",
    "0a:1b:0a:06:00",
    "0a:1b:0a:06:00:07:08",
    "a:1b:0a:06:00:07",
    "0a:1b:0a:06:00:0g",
    " 0a:1b:0a:06:00:07",
    "0a:1b:0a:06:00:07\n",
  ];
  for (const text of refused) {
    assert.deepEqual(parseMac(text), { ok: false, error: { code: "not_mac", text } });
  }
});

Deno.test("macOfBytes() gives nothing for the addresses of tunnels and InfiniBand", () => {
  for (const length of [0, 4, 16, 20]) assert.equal(macOfBytes(new Uint8Array(length)), undefined);
});

Deno.test("property: a hardware address is the same after bytes and back", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
    const mac = macOfBytes(bytes) ?? "";
    assert.deepEqual(macBytes(expectOk(parseMac(mac), mac)), new Uint8Array(bytes));
  }));
});
