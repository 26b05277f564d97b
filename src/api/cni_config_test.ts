import assert from "node:assert/strict";
import { expectOk, type Result } from "../base/result.ts";
import { AGENT_SOCKET_PATH } from "./agent.ts";
import {
  readCoordinatorPluginConfig,
  readIfacerConfig,
  readIpamConfig,
  readVlanConfig,
} from "./cni_config.ts";

const OF = "of the CNI configuration";

function refusals(
  read: (network: unknown) => Result<unknown, string>,
  cases: readonly (readonly [unknown, string])[],
): void {
  for (const [network, error] of cases) assert.deepEqual(read(network), { ok: false, error });
}

Deno.test("readIpamConfig() fills every gap", () => {
  assert.deepEqual(readIpamConfig({ cniVersion: "0.3.1", ipam: { type: "spiderpool" } }), {
    ok: true,
    value: {
      defaultIpv4Pools: [],
      defaultIpv6Pools: [],
      cleanGateway: false,
      matchMasterSubnet: false,
      socketPath: "/var/run/spidernet/spiderpool.sock",
      timing: { count: 3, totalMs: 400 },
      probeLater: false,
      log: {
        level: "info",
        path: "/var/log/spidernet/spiderpool.log",
        megabytesMax: 100,
        daysMax: 30,
        filesMax: 7,
      },
    },
  });
});

Deno.test("readIpamConfig() reads the documentation's example, names in any case", () => {
  const ipam = {
    log_file_path: "/l",
    log_file_max_size: "200",
    LOG_FILE_MAX_AGE: "0",
    log_file_max_count: 0,
    log_level: "WARN",
    Default_IPv4_IPPool: ["a", "b-*"],
    default_ipv6_ippool: null,
    Clean_Gateway: true,
    match_master_subnet: true,
    ipam_unix_socket_path: "/s",
  };
  assert.deepEqual(expectOk(readIpamConfig({ ipam }), "it is valid"), {
    defaultIpv4Pools: ["a", "b-*"],
    defaultIpv6Pools: [],
    cleanGateway: true,
    matchMasterSubnet: true,
    socketPath: "/s",
    timing: { count: 3, totalMs: 400 },
    probeLater: false,
    log: { level: "warn", path: "/l", megabytesMax: 200, daysMax: 0, filesMax: 0 },
  });
});

Deno.test("readIpamConfig() reads how addresses are probed, within bounds", () => {
  const read = (more: Readonly<Record<string, unknown>>) => readIpamConfig({ ipam: more });
  const given = read({ probe_count: 5, probe_timeout_ms: 1_000 });
  assert.deepEqual(given.ok && given.value.timing, { count: 5, totalMs: 1_000 });
  for (const more of [{ probe_count: 0 }, { probe_timeout_ms: 10 }, { probe_count: "many" }]) {
    const refused = read(more);
    assert.ok(!refused.ok);
    assert.match(refused.error, /ipam\.probe_(?:count|timeout_ms).*write/);
  }
});

Deno.test("readIpamConfig() reads a fixed name, and takes an empty one for none", () => {
  assert.equal(expectOk(readIpamConfig({ ipam: { fixed: "web" } }), "it is valid").fixed, "web");
  assert.ok(!("fixed" in expectOk(readIpamConfig({ ipam: { fixed: "" } }), "it is valid")));
});

Deno.test("readIpamConfig() refuses in one sentence", () => {
  refusals(readIpamConfig, [
    [{}, `Cannot use ipam ${OF}: it is missing; write an object`],
    [
      { ipam: { log_level: "loud" } },
      `Cannot use ipam.log_level ${OF} "loud": write "debug", "info", "warn", "error", "fatal" ` +
      'or "panic"',
    ],
    [
      { ipam: { log_file_max_size: "1GB" } },
      `Cannot use ipam.log_file_max_size ${OF} "1GB": write a whole number`,
    ],
    [
      { ipam: { default_ipv4_ippool: "a" } },
      `Cannot use ipam.default_ipv4_ippool ${OF} "a": write a list`,
    ],
  ]);
});

Deno.test("readCoordinatorPluginConfig() leaves open what the agent decides", () => {
  const network = { type: "coordinator", mode: "", podMACPrefix: "", podDefaultRouteNic: "" };
  assert.deepEqual(expectOk(readCoordinatorPluginConfig(network), "it is valid"), {
    mode: undefined,
    podMACPrefix: undefined,
    podDefaultRouteNic: undefined,
    overlayPodCIDR: [],
    serviceCIDR: [],
    hijackCIDR: [],
    policyRoutes: [],
    multusNicPrefix: "",
    podDefaultCniNic: "eth0",
    socketPath: "/var/run/spidernet/spiderpool.sock",
    log: {
      level: "info",
      path: "/var/log/spidernet/coordinator.log",
      megabytesMax: 100,
      daysMax: 30,
      filesMax: 7,
    },
  });
});

Deno.test("readCoordinatorPluginConfig() reads what a SpiderMultusConfig is rendered to", () => {
  const network = {
    txQueueLen: 1000,
    vethLinkAddress: "169.254.20.1",
    vethMTU: 1450,
    tunePodRoutes: false,
    podMACPrefix: "0a:1b",
    mode: "disable",
    podDefaultRouteNIC: "net1", // As the CRD spells it: names match in any case.
    podDefaultCniNic: "eth9",
    ipam_unix_socket_path: "/run/a.sock",
    hostRuleTable: 600,
    podRPFilter: -5,
    hijackCIDR: ["10.9.0.0/16"],
    policyRoutes: [{ dst: "10.8.0.0/16", gw: "10.9.0.1" }],
    logOptions: { logFile: "/l", logMaxSize: 5, logMaxAge: -1, logMaxCount: 2 },
    detectGateway: true,
  };
  assert.deepEqual(expectOk(readCoordinatorPluginConfig(network), "it is valid"), {
    mode: "disabled",
    podMACPrefix: "0a:1b",
    vethLinkAddress: "169.254.20.1",
    vethMTU: 1450,
    overlayPodCIDR: [],
    serviceCIDR: [],
    hijackCIDR: ["10.9.0.0/16"],
    policyRoutes: [{ dst: "10.8.0.0/16", gw: "10.9.0.1" }],
    tunePodRoutes: false,
    hostRuleTable: 600,
    podRPFilter: -5,
    txQueueLen: 1000,
    podDefaultRouteNic: "net1",
    multusNicPrefix: "",
    podDefaultCniNic: "eth9",
    socketPath: "/run/a.sock",
    log: { level: "info", path: "/l", megabytesMax: 5, daysMax: 30, filesMax: 2 },
  });
});

Deno.test("readCoordinatorPluginConfig() refuses in one sentence", () => {
  refusals(readCoordinatorPluginConfig, [
    [
      { mode: "on" },
      `Cannot use mode ${OF} "on": write "auto", "underlay", "overlay", "disabled" or "disable"`,
    ],
    [{ vethMTU: 0 }, `Cannot use vethMTU ${OF} 0: write a whole number of at least 1`],
    [
      { podRPFilter: 3 },
      `Cannot use podRPFilter ${OF} 3: write 0, 1 or 2, or a negative number to leave it alone`,
    ],
    [
      { policyRoutes: [{ dst: 1 }] },
      `Cannot use policyRoutes[0].dst ${OF} 1: write a string`,
    ],
  ]);
});

Deno.test("readIfacerConfig() names a bond that has no name", () => {
  assert.deepEqual(readIfacerConfig({ interfaces: ["eth1"], vlanID: 30 }), {
    ok: true,
    value: { interfaces: ["eth1"], vlanId: 30 },
  });
  const bond = { name: "", mode: 4, options: "miimon=100" };
  assert.deepEqual(expectOk(readIfacerConfig({ interfaces: ["a", "b"], bond }), "ok"), {
    interfaces: ["a", "b"],
    vlanId: 0,
    bond: { name: "sp_bond0", mode: 4, options: "miimon=100" },
  });
  refusals(readIfacerConfig, [
    [{}, `Cannot use interfaces ${OF}: it is missing; write a list`],
    [{ interfaces: [] }, `Cannot use interfaces ${OF} []: write at least one interface`],
    [
      { interfaces: ["a"], vlanID: 4095 },
      `Cannot use vlanID ${OF} 4095: write a whole number from 0 to 4094`,
    ],
    [
      { interfaces: ["a"], bond: { mode: 9 } },
      `Cannot use bond.mode ${OF} 9: write a whole number from 0 to 6`,
    ],
  ]);
});

Deno.test("readVlanConfig() is manual with a VLAN and automatic without", () => {
  const ipam = { type: "spiderpool" };
  assert.deepEqual(readVlanConfig({ master: "eth1", vlanMode: "manual", vlanId: 0, ipam }), {
    ok: true,
    value: { master: "eth1", mtu: 0, ipam: "spiderpool", mode: "manual", vlanId: 0 },
  });
  for (const socketPath of [AGENT_SOCKET_PATH, "/run/a.sock"]) {
    const path = socketPath === AGENT_SOCKET_PATH ? "" : socketPath;
    const auto = { master: "eth1", vlanMode: "auto", mtu: 9000 };
    assert.deepEqual(readVlanConfig({ ...auto, ipam: { ...ipam, ipam_unix_socket_path: path } }), {
      ok: true,
      value: { master: "eth1", mtu: 9000, mode: "auto", ipam: "spiderpool", socketPath },
    });
  }
  for (const none of [undefined, null, {}]) {
    assert.deepEqual(readVlanConfig({ master: "eth1", vlanId: 7, ipam: none }), {
      ok: true,
      value: { master: "eth1", mtu: 0, mode: "manual", vlanId: 7 },
    });
  }
});

Deno.test("readVlanConfig() says what is wrong", () => {
  refusals(readVlanConfig, [
    [{}, `Cannot use master ${OF}: it is missing; write a string`],
    [{ master: "" }, `Cannot use master ${OF} "": write the name of an interface`],
    [
      { master: "a", vlanId: -1 },
      `Cannot use vlanId ${OF} -1: write a whole number from 0 to 4094`,
    ],
    [
      { master: "a", vlanId: "100" },
      `Cannot use vlanId ${OF} "100": write a whole number from 0 to 4094`,
    ],
    [
      { master: "a", vlanId: 1, mtu: -1 },
      `Cannot use mtu ${OF} -1: write a whole number of at least 0`,
    ],
    [
      { master: "a", vlanId: 1, ipam: { default_ipv4_ippool: ["p"] } },
      `Cannot use ipam.type ${OF}: it is missing; write a string`,
    ],
    [
      { master: "a", vlanId: 1, ipam: { type: "../sh" } },
      `Cannot use ipam.type ${OF} "../sh": write the name of a plugin, such as "spiderpool"`,
    ],
    [
      { master: "a" },
      `Cannot use ipam ${OF}: it is missing, and without vlanId the agent says the VLAN that ` +
      `belongs to the addresses; write ipam or vlanId`,
    ],
  ]);
});
