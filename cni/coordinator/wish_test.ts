import assert from "node:assert/strict";
import type { CoordinatorConfig } from "../../src/api/agent.ts";
import { readCoordinatorConfig } from "../../src/api/agent.ts";
import { readCoordinatorPluginConfig } from "../../src/api/cni_config.ts";
import { expectOk, type Result } from "../../src/base/result.ts";
import type { CoordinatorWish } from "../../src/datapath/facts.ts";
import { ANSWER } from "../../tests/support/coordinator_world.ts";
import { readMode, wishFrom } from "./wish.ts";

type Members = Readonly<Record<string, unknown>>;

function answerOf(more: Members): CoordinatorConfig {
  return expectOk(readCoordinatorConfig(JSON.stringify({ ...ANSWER, ...more })), "it is whole");
}

function read(config: Members, answer: Members = {}): Result<CoordinatorWish, string> {
  return wishFrom({
    attachment: { containerId: "c0ffee", netns: "/n", ifName: "net1", args: "" },
    config: expectOk(readCoordinatorPluginConfig(config), "its types are right"),
    answer: answerOf(answer),
    addresses: ["10.6.0.6/24"],
  }, { mode: "auto" });
}

function wish(config: Members, answer: Members = {}): CoordinatorWish {
  return expectOk(read(config, answer), "every value can be used");
}

Deno.test("wishFrom() takes what the agent says where the configuration says nothing", () => {
  const { hijackCidrs, ...rest } = wish({}, { podNICs: ["net1", "net2"] });
  assert.deepEqual(rest, {
    containerId: "c0ffee",
    ifName: "net1",
    firstNic: "eth0",
    mode: "auto",
    policyRoutes: [],
    tunePodRoutes: true,
    laterNics: ["net2"],
    hostRuleTable: 500,
    podRpFilter: 0,
    vethMtu: 1500,
    addresses: ["10.6.0.6/24"],
  });
  assert.deepEqual(hijackCidrs, [
    ...["10.244.0.0/16", "fd00:244::/56"],
    ...["10.233.0.0/18", "fd00:233::/116"],
    "169.254.20.10/32",
  ], "overlay pods, then services, then further ones");
});

Deno.test("wishFrom() puts the configuration before the agent, field by field", () => {
  const config = {
    podDefaultCniNic: "eth9",
    podDefaultRouteNic: "net1",
    tunePodRoutes: false,
    hostRuleTable: 600,
    podRPFilter: 2,
    txQueueLen: 2000,
    vethMTU: 1400,
    vethLinkAddress: "169.254.100.1",
    podMACPrefix: "0A:1B",
    overlayPodCIDR: ["10.1.0.0/16"],
    serviceCIDR: ["10.2.0.0/16"],
    hijackCIDR: ["10.3.0.0/16"],
    policyRoutes: [{ dst: " 10.10.0.1/16 ", gw: " 10.6.0.1" }],
  };
  const answer = {
    podDefaultRouteNIC: "eth0",
    hostRuleTable: 700,
    podRPFilter: 1,
    txQueueLen: 1,
    vethMTU: 1300,
    vethLinkAddress: "169.254.1.9",
    podMACPrefix: "02:00",
    policyRoutes: [{ dst: "10.9.0.0/16", gw: "10.6.0.9" }],
  };
  assert.deepEqual(wish(config, answer), {
    containerId: "c0ffee",
    ifName: "net1",
    firstNic: "eth9",
    mode: "auto",
    hijackCidrs: ["10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"],
    policyRoutes: [{ destination: "10.10.0.0/16", gateway: "10.6.0.1" }],
    tunePodRoutes: false,
    defaultRouteNic: "net1",
    hostRuleTable: 600,
    podRpFilter: 2,
    txQueueLength: 2000,
    vethMtu: 1400,
    vethLinkAddress: "169.254.100.1",
    podMacPrefix: "0a:1b",
    addresses: ["10.6.0.6/24"],
  });
  const answered = wish({ overlayPodCIDR: [], podMACPrefix: "", policyRoutes: [] }, answer);
  assert.equal(answered.hijackCidrs[0], "10.244.0.0/16", "an empty list is as good as none");
  assert.equal(answered.podMacPrefix, "02:00");
  assert.equal(answered.defaultRouteNic, "eth0");
  assert.equal(answered.policyRoutes[0]?.gateway, "10.6.0.9");
});

Deno.test("wishFrom() takes bare addresses, host bits, and numbers that mean nothing", () => {
  assert.equal(wish({ hijackCIDR: ["169.254.20.10"] }).hijackCidrs.at(-1), "169.254.20.10/32");
  assert.equal(wish({ hijackCIDR: ["FD00::5/64"] }).hijackCidrs.at(-1), "fd00::/64");
  const wished = wish({ podRPFilter: -7, txQueueLen: -1, hostRuleTable: 0 }, { vethMTU: 0 });
  assert.ok(!("podRpFilter" in wished) && !("txQueueLength" in wished));
  assert.deepEqual([wished.hostRuleTable, wished.vethMtu], [500, 1500]);
});

const CNI = "of the CNI configuration";
const CRD = "of the SpiderCoordinator";
const REFUSED: readonly (readonly [Members, Members, string])[] = [
  [{ podMACPrefix: "03:1b" }, {}, `podMACPrefix ${CNI} "03:1b": write two bytes such as "0a:1b", `],
  [{ podMACPrefix: "0a-1b" }, {}, `podMACPrefix ${CNI} "0a-1b": write two bytes such as "0a:1b", `],
  [{}, { podMACPrefix: "a:1" }, `podMACPrefix ${CRD} "a:1": write two bytes such as "0a:1b", the `],
  [{ serviceCIDR: ["10.0.0.0/33"] }, {}, `serviceCIDR[0] ${CNI} "10.0.0.0/33": its prefix length `],
  [{}, { hijackCIDR: ["::", "x"] }, `hijackCIDR[1] ${CRD} "x/32": its address "x" is not an IPv`],
  [{ vethLinkAddress: "fe80::1" }, {}, `vethLinkAddress ${CNI} "fe80::1": write an IPv4 address `],
  [{ vethMTU: 67 }, {}, `vethMTU ${CNI} 67: write a number from 68 to 65535`],
  [{}, { vethMTU: 70_000 }, `vethMTU ${CRD} 70000: write a number from 68 to 65535`],
  [{ hostRuleTable: 254 }, {}, `hostRuleTable ${CNI} 254: write a number from 1 to 4294967295 `],
  [{ hostRuleTable: -1 }, {}, `hostRuleTable ${CNI} -1: write a number from 1 to 4294967295 `],
  [{}, { podRPFilter: 3 }, `podRPFilter ${CRD} 3: write 0, 1 or 2, or a negative number to leave `],
  [{ txQueueLen: 2 ** 33 }, {}, `txQueueLen ${CNI} 8589934592: write a number from 1 to 429496729`],
  [{ podDefaultRouteNic: "a/b" }, {}, `podDefaultRouteNic ${CNI} "a/b": write the name of a NIC, `],
  [
    { podDefaultCniNic: "a-name-that-is-too-long" },
    {},
    `podDefaultCniNic ${CNI} "a-name-that-is-too-long": write the name of a NIC, at most 15 bytes`,
  ],
  [
    { policyRoutes: [{ dst: "10.0.0.0/8", gw: "fd00::1" }] },
    {},
    `policyRoutes[0].gw ${CNI} "fd00::1": write an address of IPv4, the family of dst 10.0.0.0/8`,
  ],
  [
    { policyRoutes: [{ dst: "10.0.0.0/8" }] },
    {},
    `policyRoutes[0].gw ${CNI} "": it is not an IP address; write o`,
  ],
];

for (const [config, answer, begin] of REFUSED) {
  Deno.test(`wishFrom() refuses ${JSON.stringify({ ...config, ...answer })}`, () => {
    const refused = read(config, answer);
    assert.ok(!refused.ok);
    assert.equal(
      refused.error.slice(0, "Cannot use ".length + begin.length),
      `Cannot use ${begin}`,
    );
  });
}

Deno.test("readMode() takes both spellings, and refuses what the agent may not say", () => {
  assert.deepEqual(readMode({ mode: "overlay" }, { mode: "x" }), { ok: true, value: "overlay" });
  for (const mode of ["disable", "disabled"]) {
    assert.deepEqual(readMode({}, { mode }), { ok: true, value: "disabled" });
  }
  assert.deepEqual(readMode({}, { mode: "x" }), {
    ok: false,
    error: `Cannot use mode ${CRD} "x": write "auto", "underlay", "overlay", "disabled" or ` +
      `"disable"`,
  });
});
