import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import {
  formatAddress,
  formatAddressBytes,
  formatObjectName,
  guessVersion,
  IPV4,
  IPV6,
  parseAddress,
  parseAddressBytes,
  parseIpv4,
  parseIpv6,
  parseObjectName,
  versionOf,
} from "./mod.ts";

function codeOf(text: string, parse: typeof parseAddress = parseAddress): string {
  const parsed = parse(text);
  return parsed.ok ? `ok: ${formatAddress(parsed.value)}` : parsed.error.code;
}

Deno.test("parseIpv4() reads four decimal numbers as an unsigned number", () => {
  const cases: readonly [string, number][] = [
    ["0.0.0.0", 0],
    ["10.0.0.1", 0x0a000001],
    ["192.168.255.0", 0xc0a8ff00],
    ["255.255.255.255", 0xffffffff],
  ];
  for (const [text, value] of cases) {
    assert.equal(expectOk(parseIpv4(text), text), value);
    assert.equal(formatAddress(expectOk(parseIpv4(text), text)), text);
  }
});

Deno.test("parseIpv4() refuses what other programs read in another way", () => {
  const cases: readonly [string, string][] = [
    ["010.0.0.1", "leading_zero"],
    ["10.0.0.00", "leading_zero"],
    ["010.1", "number_count"],
    ["10.1", "number_count"],
    ["167772161", "number_count"],
    ["1.2.3.4.5", "number_count"],
    ["0x0a.0.0.1", "not_address"],
    ["10.0.0.256", "number_too_large"],
    ["10.0.0.1/24", "has_prefix_length"],
    ["10.0.0.1\n", "white_space"],
    [" 10.0.0.1", "white_space"],
    ["10.0.0.+1", "not_address"],
    ["10.0.0.-1", "not_address"],
    ["10.0.0.1e0", "not_address"],
    ["10.0.0.*", "not_address"],
    ["10.0.0.", "not_address"],
    ["١٠.0.0.1", "not_address"],
    ["", "not_address"],
    ["fd00::1", "other_family"],
  ];
  for (const [text, code] of cases) assert.equal(codeOf(text, parseIpv4), code, text);
});

Deno.test("parseIpv6() reads every form of RFC 4291 and prints the form of RFC 5952", () => {
  const cases: readonly [string, string][] = [
    ["::", "::"],
    ["::1", "::1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8::0001", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
    ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
    ["::10.0.0.1", "::a00:1"],
    ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
    ["::fffe:10.0.0.1", "::fffe:a00:1"],
    ["::ffff:0:0:1", "::ffff:0:0:1"],
  ];
  for (const [text, canonical] of cases) {
    assert.equal(codeOf(text, parseIpv6), `ok: ${canonical}`, text);
  }
});

Deno.test("parseIpv6() refuses zones, IPv4-mapped addresses and what is malformed", () => {
  const cases: readonly [string, string][] = [
    ["fe80::1%eth0", "zone"],
    ["::ffff:10.0.0.1", "mapped"],
    ["::ffff:a00:1", "mapped"],
    ["0:0:0:0:0:FFFF:0A00:0001", "mapped"],
    ["::ffff:010.0.0.1", "not_address"],
    ["::10.1", "not_address"],
    ["10.0.0.1::", "not_address"],
    ["1::10.0.0.1:2", "not_address"],
    ["00001::1", "not_address"],
    ["12345::", "not_address"],
    ["1::2::3", "not_address"],
    [":::", "not_address"],
    [":", "not_address"],
    [":1:2:3:4:5:6:7", "not_address"],
    ["1:2:3:4:5:6:7:", "not_address"],
    ["1:2:3:4:5:6:7", "not_address"],
    ["1:2:3:4:5:6:7:8:9", "not_address"],
    ["1:2:3:4:5:6:7:8::", "not_address"],
    ["[::1]", "not_address"],
    ["fd00::g", "not_address"],
    ["fd00::1/64", "has_prefix_length"],
    ["fd00::1 ", "white_space"],
    ["10.0.0.1", "other_family"],
    ["", "not_address"],
  ];
  for (const [text, code] of cases) assert.equal(codeOf(text, parseIpv6), code, text);
});

Deno.test("parseAddress() takes both families and refuses what is neither", () => {
  assert.equal(codeOf("10.0.0.1"), "ok: 10.0.0.1");
  assert.equal(codeOf("FD00::1"), "ok: fd00::1");
  assert.equal(codeOf("web-0"), "not_address");
  assert.equal(codeOf("42"), "number_count");
  assert.equal(codeOf("f".repeat(1_000_000)), "not_address");
  assert.equal(codeOf(":".repeat(1_000_000)), "not_address");
  assert.equal(codeOf("1.".repeat(1_000_000)), "not_address");
});

Deno.test("versionOf() and guessVersion() tell the families apart", () => {
  assert.equal(versionOf(IPV4.last), 4);
  assert.equal(versionOf(IPV6.first), 6);
  assert.equal(guessVersion("::ffff:10.0.0.1"), 6);
  assert.equal(guessVersion("10.1"), 4);
  assert.equal(guessVersion("web"), undefined);
});

Deno.test("formatObjectName() gives IPv4 as it is and IPv6 in full with dashes", () => {
  const cases: readonly [string, string][] = [
    ["10.6.0.17", "10.6.0.17"],
    ["2001:db8::1", "2001-0db8-0000-0000-0000-0000-0000-0001"],
    ["::", "0000-0000-0000-0000-0000-0000-0000-0000"],
    [
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
      "ffff-ffff-ffff-ffff-ffff-ffff-ffff-ffff",
    ],
  ];
  for (const [text, name] of cases) {
    const address = expectOk(parseAddress(text), text);
    assert.equal(formatObjectName(address), name);
    assert.equal(parseObjectName(name), address);
  }
});

Deno.test("parseObjectName() takes the one name of an address and no other", () => {
  const names = [
    "2001-0DB8-0000-0000-0000-0000-0000-0001",
    "2001-db8-0-0-0-0-0-1",
    "2001-0db8-0000-0000-0000-0000-0001",
    "2001-0db8-0000-0000-0000-0000-0000-0001-",
    "2001:db8::1",
    "010.0.0.1",
    "10.0.0.256",
    "10.0.0",
    "",
    "web-0",
  ];
  for (const name of names) assert.equal(parseObjectName(name), undefined, name);
});

Deno.test("formatAddressBytes() and parseAddressBytes() use network byte order", () => {
  const four = expectOk(parseIpv4("192.0.2.1"), "IPv4");
  assert.deepEqual([...formatAddressBytes(four)], [192, 0, 2, 1]);
  const six = expectOk(parseIpv6("2001:db8::ff01"), "IPv6");
  assert.deepEqual(
    [...formatAddressBytes(six)],
    [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x01],
  );
  // A view into a larger buffer: the offset counts.
  const packet = Uint8Array.of(9, 9, 192, 0, 2, 1, 9);
  assert.equal(parseAddressBytes(packet.subarray(2, 6)), four);
  assert.equal(parseAddressBytes(packet), undefined);
});
