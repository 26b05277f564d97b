import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import {
  agentErrorText,
  readCoordinatorArgs,
  readCoordinatorConfig,
  readIpamAddArgs,
  readIpamAddResponse,
  readIpamBatchDelArgs,
  readIpamDelArgs,
  readWorkloadEndpointStatus,
} from "./agent.ts";

const pod = { podNamespace: "d", podName: "a", podUID: "" };
const identity = { containerID: "c", ifName: "eth0", netNamespace: "/n", ...pod };

Deno.test("readIpamAddArgs() fills in what old plugins leave out or send as null", () => {
  const body = JSON.stringify({ ...identity, defaultIPv4IPPool: null, later: 1 });
  assert.deepEqual(expectOk(readIpamAddArgs(body), "it is whole"), {
    ...identity,
    defaultIPv4IPPool: [],
    defaultIPv6IPPool: [],
    cleanGateway: false,
    matchMasterSubnet: false,
  });
});

Deno.test("requests match member names without regard to case, as Go does", () => {
  const body = `{"containerid":"c","IFNAME":"eth0","netNamespace":"/n","podNamespace":"d",` +
    `"podname":"a","PodUID":"u","cleangateway":true}`;
  const args = expectOk(readIpamAddArgs(body), "it is whole");
  assert.equal(args.podUID, "u");
  assert.equal(args.ifName, "eth0");
  assert.equal(args.cleanGateway, true);
});

Deno.test("requests are refused in one sentence", () => {
  const cases: readonly [(body: string) => unknown, string, [400 | 422, number, string]][] = [
    [readIpamAddArgs, "{", [400, 400, 'Cannot use the request "{": write valid JSON']],
    [readIpamAddArgs, "", [422, 602, "Cannot use the request: it is missing; write an object"]],
    [readIpamAddArgs, "[]", [422, 601, "Cannot use the request []: write an object"]],
    [readCoordinatorArgs, "null", [422, 601, "Cannot use the request null: write an object"]],
    [
      readIpamAddArgs,
      "{}",
      [422, 602, "Cannot use containerID of the request: it is missing; write a string"],
    ],
    [
      readIpamDelArgs,
      JSON.stringify({ ...identity, podUID: null }),
      [422, 602, "Cannot use podUID of the request: it is missing; write a string"],
    ],
    [
      readIpamBatchDelArgs,
      JSON.stringify({ ...identity, isReleaseConflictIPs: "yes" }),
      [422, 601, 'Cannot use isReleaseConflictIPs of the request "yes": write true or false'],
    ],
    [
      readIpamAddArgs,
      JSON.stringify({ ...identity, defaultIPv4IPPool: ["a", 1] }),
      [422, 601, "Cannot use defaultIPv4IPPool[1] of the request 1: write a string"],
    ],
  ];
  for (const [reader, body, [status, code, message]] of cases) {
    assert.deepEqual(reader(body), { ok: false, error: { status, body: { code, message } } });
  }
});

Deno.test("readIpamDelArgs() and readIpamBatchDelArgs() need no network namespace", () => {
  const { netNamespace: _netNamespace, ...rest } = identity;
  assert.equal(expectOk(readIpamDelArgs(JSON.stringify(rest)), "ok").netNamespace, "");
  const batch = expectOk(readIpamBatchDelArgs(JSON.stringify(rest)), "ok");
  assert.deepEqual(batch, {
    containerID: "c",
    netNamespace: "",
    ...pod,
    isReleaseConflictIPs: false,
    ifName: "eth0",
  });
});

Deno.test("readIpamBatchDelArgs() reads conflicts, each with a hardware address", () => {
  const read = (conflict: Readonly<Record<string, unknown>>) =>
    readIpamBatchDelArgs(JSON.stringify({ ...identity, conflicts: [conflict] }));
  const conflict = { ip: "10.6.0.17", mac: "02:00:00:00:00:0b" };
  assert.deepEqual(expectOk(read(conflict), "it is whole").conflicts, [conflict]);
  for (const wrong of [{ ...conflict, mac: "me" }, { mac: conflict.mac }]) {
    const refused = read(wrong);
    assert.equal(refused.ok ? 0 : refused.error.status, 422);
  }
});

Deno.test("readIpamAddResponse() reads the reference's answer, zero values left out", () => {
  const body =
    `{"ips":[{"address":"10.6.0.17/16","gateway":"10.6.0.1","ipPool":"p4","nic":"eth0",` +
    `"version":4,"enableIPConflictDetection":true,"mac":"0A:1b:00:00:00:01","vlan":7},` +
    `{"address":"fd00::17/64","nic":"net1","version":6}],"routes":null}`;
  assert.deepEqual(expectOk(readIpamAddResponse(body), "it is whole"), {
    ips: [{
      version: 4,
      address: "10.6.0.17/16",
      nic: "eth0",
      ipPool: "p4",
      gateway: "10.6.0.1",
      vlan: 7,
      mac: "0A:1b:00:00:00:01",
      enableGatewayDetection: false,
      enableIPConflictDetection: true,
    }, {
      version: 6,
      address: "fd00::17/64",
      nic: "net1",
      ipPool: "",
      gateway: "",
      vlan: 0,
      enableGatewayDetection: false,
      enableIPConflictDetection: false,
    }],
    routes: [],
  });
});

Deno.test("readIpamAddResponse() refuses a wrong family, hardware address or missing list", () => {
  const cases: readonly [string, string][] = [
    [`{"ips":null}`, "Cannot use ips of the agent's answer: it is missing; write a list"],
    [
      `{"ips":[{"version":5,"address":"a","nic":"b"}]}`,
      "Cannot use ips[0].version of the agent's answer 5: write 4 or 6",
    ],
    [
      `{"ips":[{"version":4,"address":"a","nic":"b","mac":"0a-1b"}]}`,
      `Cannot use ips[0].mac of the agent's answer "0a-1b": write a hardware address such as ` +
      `"aa:bb:cc:dd:ee:ff"`,
    ],
  ];
  for (const [body, error] of cases) {
    assert.deepEqual(readIpamAddResponse(body), { ok: false, error });
  }
});

Deno.test("readCoordinatorConfig() takes null and missing members as not set", () => {
  const body = `{"mode":"auto","overlayPodCIDR":[],"serviceCIDR":null,"tunePodRoutes":true,` +
    `"hijackCIDR":null,"policyRoutes":[{"dst":"10.8.0.0/16","gw":"10.9.0.1"}],"vethMTU":1500}`;
  assert.deepEqual(expectOk(readCoordinatorConfig(body), "it is whole"), {
    mode: "auto",
    overlayPodCIDR: [],
    serviceCIDR: [],
    tunePodRoutes: true,
    hijackCIDR: [],
    policyRoutes: [{ dst: "10.8.0.0/16", gw: "10.9.0.1" }],
    podMACPrefix: "",
    podDefaultRouteNIC: "",
    hostRuleTable: 0,
    podRPFilter: 0,
    txQueueLen: 0,
    vethLinkAddress: "",
    vethMTU: 1500,
  });
  const nobody = { podNamespace: "", podName: "", podUID: "" };
  assert.deepEqual(expectOk(readCoordinatorArgs("{}"), "ok"), nobody);
});

Deno.test("readWorkloadEndpointStatus() takes routes whose ifName is null", () => {
  const body = JSON.stringify({
    ...pod,
    node: "n1",
    interfaces: [{
      interface: "net1",
      ipv4: "10.6.0.9/16",
      routes: [{ ifName: null, dst: "a", gw: "b" }],
    }],
  });
  assert.deepEqual(expectOk(readWorkloadEndpointStatus(body), "it is whole").interfaces, [
    {
      interface: "net1",
      ipv4: "10.6.0.9/16",
      vlan: 0,
      routes: [{ ifName: "", dst: "a", gw: "b" }],
    },
  ]);
});

Deno.test("agentErrorText() gives the words, whichever form the body has", () => {
  assert.equal(agentErrorText('"no free address is left "\n'), "no free address is left");
  assert.equal(agentErrorText('{"code":602,"message":"a is required"}'), "a is required");
  assert.equal(agentErrorText("<html>502</html>\n"), "<html>502</html>");
  assert.equal(agentErrorText(""), "");
});
