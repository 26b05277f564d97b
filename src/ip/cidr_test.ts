import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import {
  type AnyCidr,
  type Cidr,
  cidrAround,
  cidrContains,
  cidrSize,
  cidrsOverlap,
  formatAddressInCidr,
  formatCidr,
  formatCidrLabel,
  hostCount,
  hostRange,
  IPV4,
  type Ipv4,
  IPV6,
  type Ipv6,
  parseAddressInCidr,
  parseAnyAddressInCidr,
  parseAnyCidr,
  parseAnyDestination,
  parseCidr,
  parseDestination,
} from "./mod.ts";

function four(text: string): Cidr<Ipv4> {
  return expectOk(parseCidr(IPV4, text), text);
}
function six(text: string): Cidr<Ipv6> {
  return expectOk(parseCidr(IPV6, text), text);
}

Deno.test("parseCidr() gives network, broadcast, prefix length and size", () => {
  const cidr = four("172.18.40.0/24");
  assert.equal(IPV4.format(cidr.first), "172.18.40.0");
  assert.equal(IPV4.format(cidr.last), "172.18.40.255");
  assert.equal(cidr.prefixLength, 24);
  assert.equal(cidrSize(cidr), 256);
  assert.equal(formatCidr(cidr), "172.18.40.0/24");

  const wide = six("fd00:db8::/48");
  assert.equal(IPV6.format(wide.last), "fd00:db8:0:ffff:ffff:ffff:ffff:ffff");
  assert.equal(cidrSize(wide), 1n << 80n);
});

Deno.test("parseCidr() takes the widest and the narrowest networks", () => {
  assert.equal(cidrSize(four("0.0.0.0/0")), 2 ** 32);
  assert.equal(cidrSize(four("255.255.255.255/32")), 1);
  assert.equal(cidrSize(four("128.0.0.0/1")), 2 ** 31);
  assert.equal(cidrSize(six("::/0")), 1n << 128n);
  assert.equal(cidrSize(six("::/128")), 1n);
});

Deno.test("parseCidr() refuses what is not canonical and says which network was meant", () => {
  assert.deepEqual(parseCidr(IPV4, "172.18.40.1/24"), {
    ok: false,
    error: { code: "host_bits", text: "172.18.40.1/24", network: "172.18.40.0/24" },
  });
  for (const text of ["FD00::/64", "fd00:0::/64"]) {
    assert.deepEqual(parseCidr(IPV6, text), {
      ok: false,
      error: { code: "not_canonical", text, canonical: "fd00::/64" },
    });
  }
});

Deno.test("parseCidr() refuses a missing, malformed or too long prefix length", () => {
  const cases: readonly [string, string][] = [
    ["10.0.0.0", "no_prefix_length"],
    ["10.0.0.0/", "bad_prefix_length"],
    ["10.0.0.0/33", "bad_prefix_length"],
    ["10.0.0.0/08", "bad_prefix_length"],
    ["10.0.0.0/+8", "bad_prefix_length"],
    ["10.0.0.0/8/8", "bad_prefix_length"],
    ["10.0.0.0/8 ", "bad_prefix_length"],
    ["10.0.0.0/255.255.0.255", "bad_prefix_length"],
    ["fd00::/129", "bad_prefix_length"],
    ["fd00::/255.0.0.0", "bad_prefix_length"],
    ["10.0/16", "bad_address"],
    ["::ffff:10.0.0.0/104", "bad_address"],
    ["fe80::%eth0/64", "bad_address"],
    ["", "bad_address"],
  ];
  for (const [text, code] of cases) {
    const parsed = parseAnyCidr(text);
    assert.equal(parsed.ok ? "ok" : parsed.error.code, code, text);
  }
  const other = parseCidr(IPV4, "fd00::/64");
  assert.equal(
    !other.ok && other.error.code === "bad_address" && other.error.address.code,
    "other_family",
  );
});

Deno.test("parseCidr() reads a netmask only to say the prefix length", () => {
  const masks: readonly [string, number][] = [
    ["0.0.0.0", 0],
    ["128.0.0.0", 1],
    ["255.255.255.0", 24],
    ["255.255.255.255", 32],
  ];
  for (const [mask, prefixLength] of masks) {
    const text = `0.0.0.0/${mask}`;
    const error = { code: "netmask", text, meant: `0.0.0.0/${prefixLength}` };
    assert.deepEqual(parseCidr(IPV4, text), { ok: false, error });
  }
});

Deno.test("parseAnyCidr() tells families apart by version", () => {
  function sizeOf(cidr: AnyCidr): number | bigint {
    return cidr.version === 4 ? sizeOfFour(cidr) : cidrSize(cidr);
  }
  const sizeOfFour = (cidr: Cidr<Ipv4>): number => cidrSize(cidr);
  assert.equal(sizeOf(expectOk(parseAnyCidr("10.0.0.0/30"), "IPv4")), 4);
  assert.equal(sizeOf(expectOk(parseAnyCidr("fd00::/126"), "IPv6")), 4n);
});

Deno.test("parseAddressInCidr() keeps host bits", () => {
  const value = expectOk(parseAddressInCidr(IPV4, "172.31.199.193/20"), "an endpoint's address");
  assert.equal(IPV4.format(value.address), "172.31.199.193");
  assert.equal(formatCidr(value.cidr), "172.31.192.0/20");
  assert.equal(formatAddressInCidr(value), "172.31.199.193/20");
  const six = expectOk(parseAddressInCidr(IPV6, "FD00::0001/64"), "any spelling");
  assert.equal(formatAddressInCidr(six), "fd00::1/64");
  const bare = parseAnyAddressInCidr("172.31.199.193");
  assert.equal(!bare.ok && bare.error.code, "no_prefix_length");
});

Deno.test("parseDestination() takes a bare address as a network of its own", () => {
  const host = expectOk(parseDestination(IPV4, "10.0.0.9"), "a bare address");
  assert.equal(formatCidr(host.cidr), "10.0.0.9/32");
  assert.equal(
    formatCidr(expectOk(parseAnyDestination("fd00::9"), "IPv6").cidr),
    "fd00::9/128",
  );
  const net = expectOk(parseDestination(IPV4, "10.0.0.9/8"), "host bits kept");
  assert.equal(formatAddressInCidr(net), "10.0.0.9/8");
  assert.equal(formatCidr(net.cidr), "10.0.0.0/8");
  const bad = parseDestination(IPV4, "10.0.0.300");
  assert.equal(!bad.ok && bad.error.code, "bad_address");
});

Deno.test("cidrAround() masks at both ends of the number range", () => {
  assert.equal(formatCidr(cidrAround(IPV4, { address: IPV4.last, prefixLength: 0 })), "0.0.0.0/0");
  assert.equal(
    formatCidr(cidrAround(IPV4, { address: IPV4.last, prefixLength: 1 })),
    "128.0.0.0/1",
  );
  assert.equal(formatCidr(cidrAround(IPV6, { address: IPV6.last, prefixLength: 1 })), "8000::/1");
  assert.equal(formatCidr(cidrAround(IPV6, { address: IPV6.last, prefixLength: 0 })), "::/0");
});

Deno.test("cidrContains() and cidrsOverlap() include both ends and nothing beyond", () => {
  const cidr = four("10.0.1.0/24");
  const at = (text: string) => expectOk(IPV4.parse(text), text);
  assert.equal(cidrContains(cidr, at("10.0.1.0")), true);
  assert.equal(cidrContains(cidr, at("10.0.1.255")), true);
  assert.equal(cidrContains(cidr, at("10.0.0.255")), false);
  assert.equal(cidrContains(cidr, at("10.0.2.0")), false);
  assert.equal(cidrsOverlap(cidr, four("10.0.0.0/16")), true);
  assert.equal(cidrsOverlap(four("10.0.0.0/16"), cidr), true);
  assert.equal(cidrsOverlap(cidr, four("10.0.2.0/24")), false);
  assert.equal(cidrsOverlap(cidr, cidr), true);
});

Deno.test("hostCount() leaves out network and broadcast address where hosts are left", () => {
  assert.equal(hostCount(four("10.0.0.0/24")), 254);
  assert.equal(hostCount(four("10.0.0.0/30")), 2);
  assert.equal(hostCount(four("10.0.0.0/31")), 2);
  assert.equal(hostCount(four("10.0.0.0/32")), 1);
  assert.equal(hostCount(six("fd00::/64")), 1n << 64n);
  assert.equal(IPV4.format(hostRange(four("10.0.0.0/24")).first), "10.0.0.1");
  assert.equal(IPV4.format(hostRange(four("10.0.0.0/24")).last), "10.0.0.254");
});

Deno.test("formatCidrLabel() is the reference's form, and a valid label value always", () => {
  assert.equal(formatCidrLabel(four("172.18.40.0/24")), "172-18-40-0-24");
  assert.equal(formatCidrLabel(six("fd00:db8::/64")), "fd00-db8---64");
  assert.equal(formatCidrLabel(six("::/0")), "0---0");
  assert.equal(formatCidrLabel(six("::1:0:0:0/80")), "0--1-0-0-0-80");
  const longest = formatCidrLabel(six("2001:1111:2222:3333:4444:5555:6666:7777/128"));
  assert.match(longest, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
});
