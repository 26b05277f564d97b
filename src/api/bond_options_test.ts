import assert from "node:assert/strict";
import fc from "fast-check";
import { readBondOptions } from "./bond_options.ts";

const ROOT = { root: "the CNI configuration" };

Deno.test("readBondOptions() takes names, numbers, lists and spaces", () => {
  const cases: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ["", {}],
    [" ; ", {}],
    ["primary=ens160; arp_interval=1", { primary: "ens160", arp_interval: 1 }],
    ["miimon=100;lacp_rate=fast;", { miimon: 100, lacp_rate: 1 }],
    ["lacp_rate=1; xmit_hash_policy = layer3+4", { lacp_rate: 1, xmit_hash_policy: 1 }],
    ["use_carrier=0;tlb_dynamic_lb=off", { use_carrier: 0, tlb_dynamic_lb: 0 }],
    ["primary=100", { primary: "100" }],
    ["up_delay=200;downdelay=400", { updelay: 200, downdelay: 400 }],
    ['arp_ip_target=["10.6.0.1","10.6.0.2"]', { arp_ip_target: ["10.6.0.1", "10.6.0.2"] }],
    ["arp_ip_target=10.6.0.1, 10.6.0.2", { arp_ip_target: ["10.6.0.1", "10.6.0.2"] }],
    ["ad_actor_system=0A:1B:00:00:00:01", { ad_actor_system: "0a:1b:00:00:00:01" }],
    ["num_unsol_na=3;peer_notif_delay=100", { num_grat_arp: 3, peer_notif_delay: 100 }],
  ];
  for (const [text, value] of cases) {
    assert.deepEqual(readBondOptions(text, ROOT), { ok: true, value }, text);
  }
});

Deno.test("readBondOptions() names the option that cannot be used, and what may stand", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["miimon", /^Cannot use bond\.options of the CNI configuration "miimon": write NAME=VALUE/],
    ["=1", /"=1": write NAME=VALUE/],
    ["miimmon=100", /bond\.options of .* "miimmon=100": write an option of these: active_slave, /],
    ["toString=1", /"toString=1": write an option of these/],
    ["miimon=fast", /bond\.options\.miimon of .* "fast": write a whole number from 0 to/],
    ["miimon=-1", /bond\.options\.miimon of .* "-1": write a whole number/],
    ["lacp_rate=medium", /lacp_rate of .* "medium": write "slow" or "fast", or its number from 0/],
    ["lacp_rate=2", /lacp_rate of .* "2": write "slow" or "fast"/],
    ["ad_actor_system=01:00:00:00:00:00", /ad_actor_system .*hardware address such as/],
    ["arp_ip_target=fd00::1", /arp_ip_target of .*: write one to 16 IPv4 addresses/],
    ["arp_ip_target=", /arp_ip_target of .*: write one to 16 IPv4 addresses/],
    ["primary=", /primary of .* "": write the name of one of the interfaces/],
    ["updelay=1;up_delay=2", /bond\.options\.up_delay of .* "2": write each option once/],
  ];
  for (const [text, expected] of cases) {
    const read = readBondOptions(text, ROOT);
    assert.ok(!read.ok, text);
    assert.match(read.error, expected);
  }
});

Deno.test("property: readBondOptions() answers whatever is written", () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom("miimon=1", "lacp_rate", "=", ";", "primary=a", "[", "arp_ip_target=[1"),
  );
  fc.assert(fc.property(fc.array(part), (parts) => {
    const read = readBondOptions(parts.join(";"), ROOT);
    assert.ok(read.ok || /^Cannot use bond\.options/.test(read.error));
  }));
});
