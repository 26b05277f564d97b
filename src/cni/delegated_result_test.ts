import assert from "node:assert/strict";
import { nicResult, readDelegatedResult } from "./delegated_result.ts";

const OF = { path: "/b/x" };
const WHOLE = {
  ips: [{ address: "10.6.0.17/16", gateway: "10.6.0.1" }, { address: "fd00::17/64" }],
  routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0", gw: "fd00::1", priority: 5, table: 7 }],
  dns: { nameservers: ["10.0.0.1"] },
};

Deno.test("readDelegatedResult() reads every version's result", () => {
  assert.deepEqual(readDelegatedResult(JSON.stringify({ cniVersion: "1.1.0", ...WHOLE }), OF), {
    ok: true,
    value: WHOLE,
  });
  const old = { cniVersion: "0.3.1", ips: [{ version: "4", address: "10.6.0.17/16" }] };
  assert.deepEqual(readDelegatedResult(JSON.stringify(old), OF), {
    ok: true,
    value: { ips: [{ address: "10.6.0.17/16" }], routes: [], dns: {} },
  });
});

Deno.test("readDelegatedResult() refuses what is none", () => {
  const start = 'Cannot use the result of the plugin "/b/x": ';
  const none = "an address or a route is none; see that it is an IPAM plugin";
  const ips = [{ address: "10.6.0.17/16" }];
  const cases: readonly (readonly [string, string])[] = [
    ["", "it is no JSON; see that it is an IPAM plugin"],
    ["[]", "it is no object; see that it is an IPAM plugin"],
    ['{"ips":{}}', "ips or routes is no list; see that it is an IPAM plugin"],
    ["{}", "it has no address; see the plugin's pools, or leave ipam out"],
    ['{"ips":[{}]}', none],
    [JSON.stringify({ ips: [{ ...ips[0], gateway: 1 }] }), none],
    [JSON.stringify({ ips, routes: [{ gw: "10.6.0.1" }] }), none],
    [JSON.stringify({ ips, routes: [{ dst: "0.0.0.0/0", gw: 1 }] }), none],
    [JSON.stringify({ ips, routes: [{ dst: "0.0.0.0/0", mtu: "9" }] }), none],
    [JSON.stringify({ ips, routes: [{ dst: "0.0.0.0/0", table: -1 }] }), none],
  ];
  for (const [printed, why] of cases) {
    assert.deepEqual(readDelegatedResult(printed, OF), {
      ok: false,
      error: { code: 999, msg: start + why },
    }, printed);
  }
});

Deno.test("nicResult() is the NIC with its addresses, as each version wants it", () => {
  const nic = { name: "eth0", mac: "02:00:00:00:00:01", sandbox: "/n", mtu: 1_500 };
  const { mtu: _, ...bare } = nic;
  const [first, second] = WHOLE.ips;
  assert.deepEqual(nicResult(nic, { given: WHOLE, version: "1.1.0" }), {
    cniVersion: "1.1.0",
    interfaces: [nic],
    ips: [{ interface: 0, ...first }, { interface: 0, ...second }],
    routes: WHOLE.routes,
    dns: WHOLE.dns,
  });
  assert.deepEqual(nicResult(nic, { given: WHOLE, version: "0.3.1" }), {
    cniVersion: "0.3.1",
    interfaces: [bare],
    ips: [{ version: "4", interface: 0, ...first }, { version: "6", interface: 0, ...second }],
    routes: WHOLE.routes,
    dns: WHOLE.dns,
  });
  assert.deepEqual(nicResult(nic, { given: undefined, version: "1.0.0" }), {
    cniVersion: "1.0.0",
    interfaces: [bare],
    dns: {},
  });
});
