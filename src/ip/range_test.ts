import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import {
  describeRefusal,
  explainRefusal,
  formatRange,
  IPV4,
  IPV6,
  parseAddress,
  parseAnyCidr,
  parseCidr,
  parseRange,
  parseRangeSet,
  rangeContains,
} from "./mod.ts";

const subnet = expectOk(parseCidr(IPV4, "10.0.0.0/24"), "a subnet");

/** The canonical text, or the sentence a user gets. */
function read(text: string): string {
  const parsed = parseRange(IPV4, text, { subnet });
  return parsed.ok ? formatRange(parsed.value) : describeRefusal(parsed.error, "spec.ips[3]");
}

Deno.test("parseRange() takes an address or two of them, and prints the shortest form", () => {
  assert.equal(read("10.0.0.1"), "10.0.0.1");
  assert.equal(read("10.0.0.1-10.0.0.9"), "10.0.0.1-10.0.0.9");
  assert.equal(read("10.0.0.7-10.0.0.7"), "10.0.0.7");
  assert.equal(read("10.0.0.0-10.0.0.255"), "10.0.0.0-10.0.0.255");
  const six = expectOk(parseRange(IPV6, "FD00::0:1-fd00::FF"), "IPv6");
  assert.equal(formatRange(six), "fd00::1-fd00::ff");
  const all = expectOk(parseRange(IPV4, "0.0.0.0-255.255.255.255"), "everything");
  assert.deepEqual(all, { first: IPV4.first, last: IPV4.last });
});

Deno.test("describeRefusal() names field, value, reason and remedy of each bad range", () => {
  const cases: readonly [string, string][] = [
    ["10.0.0.9-10.0.0.1", `it is reversed; write "10.0.0.1-10.0.0.9"`],
    ["10.0.0.0/24", `it is a CIDR, not a range; write "10.0.0.0-10.0.0.255"`],
    ["10.0.0.9/32", `it is a CIDR, not a range; write "10.0.0.9"`],
    ["fd00::/127", `it is a CIDR, not a range; write "fd00::-fd00::1"`],
    ["10.0.0.1-9", `its end is abbreviated; write "10.0.0.1-10.0.0.9"`],
    [
      "10.0.0.9-1",
      `its end "1" has 1 number instead of 4; write an IPv4 address in full, such as "10.6.0.17"`,
    ],
    ["10.0.0.1-10.0.0.2-10.0.0.3", `it has 2 dashes; write one range "first-last" per entry`],
    ["10.0.0.1-fd00::1", `it mixes IPv4 and IPv6; write both ends in one family`],
    ["fd00::1-10.0.0.1", `it mixes IPv4 and IPv6; write both ends in one family`],
    ["fd00::1", `it is an IPv6 address; write an IPv4 one`],
    ["fd00::1-fd00::2", `its start "fd00::1" is an IPv6 address; write an IPv4 one`],
    [
      "10.0.1.5",
      `"10.0.1.5" is outside the subnet "10.0.0.0/24"; stay within "10.0.0.0-10.0.0.255"`,
    ],
    [
      "10.0.0.5-10.0.1.5",
      `"10.0.1.5" is outside the subnet "10.0.0.0/24"; stay within "10.0.0.0-10.0.0.255"`,
    ],
    [
      "9.0.0.5-10.0.1.5",
      `"9.0.0.5" is outside the subnet "10.0.0.0/24"; stay within "10.0.0.0-10.0.0.255"`,
    ],
    [
      "10.0.0.1 - 10.0.0.9",
      `its start "10.0.0.1 " contains white space; write "10.0.0.1"`,
    ],
    ["10.0.0.1-", `its end "" is not an IPv4 address; write one such as "10.6.0.17"`],
    ["-", `its start "" is not an IPv4 address; write one such as "10.6.0.17"`],
    ["", `it is not an IPv4 address; write one such as "10.6.0.17"`],
    ["10.0.0.*", `it is not an IPv4 address; write one such as "10.6.0.17"`],
    [
      "10.0.0.1-010.0.0.9",
      `its end "010.0.0.9" has a number with a leading zero, octal to some programs; ` +
      `write "10.0.0.9" if decimal is meant`,
    ],
    ["10.0.0.1-10.0.0.300", `its end "10.0.0.300" has the number 300; write numbers from 0 to 255`],
  ];
  for (const [text, reason] of cases) {
    const sentence = `Cannot use spec.ips[3] ${JSON.stringify(text)}: ${reason}`;
    assert.equal(read(text), sentence);
  }
});

Deno.test("describeRefusal() says what is wrong with an address", () => {
  const cases: readonly [string, string][] = [
    ["fe80::1%eth0", `it has a zone, which means nothing on other hosts; write "fe80::1"`],
    [
      "::ffff:a00:1",
      `it is IPv4-mapped, which some programs read as IPv4 and some as IPv6; ` +
      `write the IPv4 address "10.0.0.1"`,
    ],
    ["10.0.0.1/24", `it has a prefix length; write the bare address "10.0.0.1"`],
    ["gateway", `it is not an IP address; write one such as "10.6.0.17"`],
    ["fd00::x", `it is not an IPv6 address; write one such as "fd00:6::17"`],
  ];
  for (const [text, reason] of cases) {
    const parsed = parseAddress(text);
    assert.ok(!parsed.ok, text);
    const sentence = `Cannot use spec.gateway ${JSON.stringify(text)}: ${reason}`;
    assert.equal(describeRefusal(parsed.error, "spec.gateway"), sentence);
    assert.equal(explainRefusal(parsed.error), reason);
  }
});

Deno.test("describeRefusal() says what is wrong with a CIDR", () => {
  const cases: readonly [string, string][] = [
    ["10.0.0.1/24", `it has host bits set; write its network "10.0.0.0/24"`],
    ["FD00::/64", `it is not in canonical form; write "fd00::/64"`],
    ["10.0.0.0/255.255.255.0", `it has a netmask; write "10.0.0.0/24"`],
    [
      "10.0.0.0",
      `it has no prefix length; write one after the address, as in "10.6.0.0/16"`,
    ],
    [
      "fd00::",
      `it has no prefix length; write one after the address, as in "fd00:6::/64"`,
    ],
    [
      "10.0.0.0/33",
      `its prefix length "33" is not a plain number from 0 to 32; write one after the slash`,
    ],
    [
      "10.0/16",
      `its address "10.0" has 2 numbers instead of 4; ` +
      `write an IPv4 address in full, such as "10.6.0.17"`,
    ],
  ];
  for (const [text, reason] of cases) {
    const parsed = parseAnyCidr(text);
    assert.ok(!parsed.ok, text);
    assert.equal(
      describeRefusal(parsed.error, "spec.subnet"),
      `Cannot use spec.subnet ${JSON.stringify(text)}: ${reason}`,
    );
  }
});

Deno.test("describeRefusal() says of an IPv6 end what an IPv6 end is", () => {
  const cases: readonly [string, string][] = [
    ["fd00::a1-aF", 'its end is abbreviated; write "fd00::a1-fd00::af"'],
    ["fd00::9-1", 'its end "1" is not an IPv6 address; write one such as "fd00:6::17"'],
  ];
  for (const [text, reason] of cases) {
    const parsed = parseRange(IPV6, text);
    assert.ok(!parsed.ok, text);
    const sentence = describeRefusal(parsed.error, "spec.ips[0]");
    assert.equal(sentence, `Cannot use spec.ips[0] "${text}": ${reason}`);
  }
});

Deno.test("describeRefusal() shows control characters escaped and long values shortened", () => {
  const parsed = parseRange(IPV4, "\u0007" + "9".repeat(100_000));
  assert.ok(!parsed.ok);
  const sentence = describeRefusal(parsed.error, "spec.ips[0]");
  assert.ok(sentence.length < 300, sentence);
  assert.match(sentence, /"\\u00079{99}…"/);
});

Deno.test("parseRangeSet() joins entries in any order, refuses a bad one by its index", () => {
  const good = parseRangeSet(IPV4, ["10.0.0.9", "10.0.0.1-10.0.0.5", "10.0.0.3-10.0.0.8"]);
  assert.deepEqual(expectOk(good, "good entries").toTexts(), ["10.0.0.1-10.0.0.9"]);
  assert.deepEqual(expectOk(parseRangeSet(IPV4, []), "no entry").toTexts(), []);

  const bad = parseRangeSet(IPV4, ["10.0.0.9-10.0.0.1", "10.0.0.2", "10.0.7.1"], { subnet });
  assert.ok(!bad.ok);
  assert.deepEqual(
    bad.error.map(({ index, refusal }) => [index, refusal.code]),
    [[0, "reversed"], [2, "outside_subnet"]],
  );
});

Deno.test("rangeContains() includes both ends", () => {
  const range = expectOk(parseRange(IPV6, "fd00::1-fd00::3"), "a range");
  const has = (text: string) => rangeContains(range, expectOk(IPV6.parse(text), text));
  assert.deepEqual(["fd00::", "fd00::1", "fd00::3", "fd00::4"].map(has), [
    false,
    true,
    true,
    false,
  ]);
});
