import assert from "node:assert/strict";
import { NETWORK_ATTACHMENT_DEFINITIONS } from "../../api/network_attachment.ts";
import { expectOk } from "../../base/result.ts";
import { type Address, formatRange, type RangeSet } from "../../ip/mod.ts";
import { otherIpamsOf } from "./claimed_ranges.ts";

/** What a network with a configuration hands out, as text by plugin. */
function claimed(config: unknown): Readonly<Record<string, readonly string[]>> {
  const attachment = expectOk(
    NETWORK_ATTACHMENT_DEFINITIONS.parse({
      metadata: { namespace: "default", name: "net" },
      spec: config === undefined
        ? {}
        : { config: typeof config === "string" ? config : JSON.stringify(config) },
    }),
    "it is one",
  );
  return Object.fromEntries(
    otherIpamsOf(attachment).map(({ type, ipv4, ipv6 }) => {
      return [type, [...textsOf(ipv4), ...textsOf(ipv6)]];
    }),
  );
}

function textsOf<A extends Address>(addresses: RangeSet<A>): readonly string[] {
  return [...addresses].map(formatRange);
}

function whereabouts(ipam: object): unknown {
  return { type: "macvlan", ipam: { type: "whereabouts", ...ipam } };
}

Deno.test("otherIpamsOf() reads the ranges of whereabouts", () => {
  const cases: readonly (readonly [object, readonly string[]])[] = [
    [{ range: "10.6.0.0/29" }, ["10.6.0.1-10.6.0.6"]],
    [{ range: "192.168.2.225/28" }, ["192.168.2.225-192.168.2.238"]],
    [{ range: "10.6.0.10-10.6.0.20/16" }, ["10.6.0.10-10.6.0.20"]],
    [{ range: "10.6.0.0/16", range_start: "10.6.0.10", range_end: "10.6.0.20" }, [
      "10.6.0.10-10.6.0.20",
    ]],
    [{ range: "10.6.0.0/28", exclude: ["10.6.0.0/29", "10.6.0.9", "nothing"] }, [
      "10.6.0.8",
      "10.6.0.10-10.6.0.14",
    ]],
    [{ ipRanges: [{ range: "10.6.0.0/30" }, { range: "fd00::/126" }] }, [
      "10.6.0.1-10.6.0.2",
      "fd00::-fd00::3",
    ]],
  ];
  for (const [ipam, ranges] of cases) {
    assert.deepEqual(claimed(whereabouts(ipam)), { whereabouts: ranges }, JSON.stringify(ipam));
  }
});

Deno.test("otherIpamsOf() reads host-local and static, in each plugin of a list", () => {
  const ranges = [[{ subnet: "10.6.0.0/24", rangeStart: "10.6.0.9", rangeEnd: "10.6.0.12" }], [
    { subnet: "fd00::/125" },
  ]];
  const plugins = [
    { type: "bridge", ipam: { type: "host-local", ranges } },
    { type: "macvlan", ipam: { type: "static", addresses: [{ address: "10.7.0.5/16" }] } },
    { type: "tuning" },
  ];
  assert.deepEqual(claimed({ plugins }), {
    "host-local": ["10.6.0.9-10.6.0.12", "fd00::-fd00::7"],
    static: ["10.7.0.5"],
  });
  const flat = { type: "host-local", subnet: "10.6.0.0/24", rangeEnd: "10.6.0.3" };
  assert.deepEqual(claimed({ ipam: flat }), { "host-local": ["10.6.0.1-10.6.0.3"] });
});

Deno.test("otherIpamsOf() makes nothing of ours, nor of what it does not understand", () => {
  const cases: readonly unknown[] = [
    { ipam: { type: "spiderpool", subnet: "10.6.0.0/24" } },
    { ipam: { type: "dhcp" } },
    { ipam: {} },
    whereabouts({ range: "ten", exclude: "all", ipRanges: [5], ranges: "no" }),
    whereabouts({ range: "10.6.0.9-10.6.0.2/16" }),
    { plugins: "none" },
    [],
    "{",
    undefined,
  ];
  for (const config of cases) assert.deepEqual(claimed(config), {}, JSON.stringify(config));
});

Deno.test("otherIpamsOf() reads so many ranges of a list and no more", () => {
  const ipRanges = Array.from({ length: 60_000 }, (_, index) => {
    return { range: `10.${index >> 8}.${index & 255}.0/30` };
  });
  const { whereabouts: ranges = [] } = claimed(whereabouts({ ipRanges }));
  assert.deepEqual([ranges.length, ranges.at(-1)], [256, "10.0.255.1-10.0.255.2"]);
});
