import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import { completedResult } from "./completed_result.ts";

const POD = "/var/run/netns/n1";
const NIC = { name: "eth0", mac: "aa:bb:cc:dd:ee:ff", sandbox: POD };
const MADE = [
  { name: "vethc0ffee", mac: "02:00:00:00:00:01", mtu: 1500 },
  { name: "veth0", mac: "02:00:00:00:00:02", sandbox: POD, mtu: 1500 },
];

Deno.test("completedResult() keeps whatever the result before it held", () => {
  const prevResult = {
    cniVersion: "1.0.0",
    interfaces: [{ name: "cni0" }, NIC],
    ips: [{ address: "10.6.0.5/24", gateway: "10.6.0.1", interface: 1 }],
    routes: [{ dst: "0.0.0.0/0", mtu: 1400 }],
    dns: { domain: "d" },
    later: [1],
  };
  const result = completedResult({ prevResult }, { version: "1.0.0" });
  assert.deepEqual(result, { ok: true, value: prevResult });
});

Deno.test("completedResult() lists links that were made after all others", () => {
  const prevResult = { interfaces: [NIC] };
  const { interfaces } = expectOk(
    completedResult({ prevResult }, { version: "1.1.0", made: MADE }),
    "it is whole",
  );
  assert.deepEqual(interfaces, [NIC, ...MADE]);
});

Deno.test("completedResult() says no MTU before version 1.1.0", () => {
  const { interfaces } = expectOk(
    completedResult({ prevResult: {} }, { version: "1.0.0", made: MADE.slice(0, 1) }),
    "it is whole",
  );
  assert.deepEqual(interfaces, [{ name: "vethc0ffee", mac: "02:00:00:00:00:01" }]);
});

Deno.test("completedResult() replaces a link that is listed already", () => {
  const prevResult = {
    interfaces: [{ name: "veth0" }, { name: "veth0", mac: "old", sandbox: POD }, NIC],
  };
  const { interfaces } = expectOk(
    completedResult({ prevResult }, { version: "1.1.0", made: MADE.slice(1) }),
    "it is whole",
  );
  assert.deepEqual(interfaces, [{ name: "veth0" }, MADE[1], NIC]);
});

Deno.test("completedResult() gives the container's NIC its new hardware address", () => {
  const host = { name: "eth0", mac: "11:11:11:11:11:11" };
  const changed = { name: "eth0", mac: "0a:1b:0a:06:00:05" };
  const { interfaces } = expectOk(
    completedResult({ prevResult: { interfaces: [host, NIC] } }, { version: "1.0.0", changed }),
    "it is whole",
  );
  assert.deepEqual(interfaces, [host, { ...NIC, mac: "0a:1b:0a:06:00:05" }]);
});

Deno.test("completedResult() says families as the configuration's version wants it", () => {
  const ips = [{ address: "10.6.0.5/24" }, { version: "4", address: "fd00::5/64" }];
  const printed = (version: "0.4.0" | "1.0.0") =>
    expectOk(completedResult({ prevResult: { ips } }, { version }), "it is whole");
  assert.deepEqual(printed("0.4.0"), {
    cniVersion: "0.4.0",
    ips: [{ version: "4", address: "10.6.0.5/24" }, { version: "6", address: "fd00::5/64" }],
  });
  assert.deepEqual(printed("1.0.0").ips, [{ address: "10.6.0.5/24" }, { address: "fd00::5/64" }]);
});

for (
  const [prevResult, problem] of [
    [undefined, /it is missing; list this plugin in a chain, after one that makes the NIC/],
    [null, /it is missing/],
    ["x", /it is no object/],
    [{ ips: {} }, /ips is no list/],
    [{ interfaces: "eth0" }, /interfaces is no list/],
  ] as const
) {
  Deno.test(`completedResult() refuses ${JSON.stringify(prevResult)}`, () => {
    const refused = completedResult({ prevResult }, { version: "1.0.0" });
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, 7);
    assert.match(refused.error.msg, problem);
  });
}
