import assert from "node:assert/strict";
import { previousAddresses } from "./previous_result.ts";

const INTERFACES = [
  { name: "cni0" },
  { name: "eth0", sandbox: "" },
  { name: "eth0", sandbox: "/var/run/netns/n1" },
  { name: "net1", sandbox: "/var/run/netns/n1" },
];

function read(prevResult: unknown) {
  return previousAddresses({ prevResult }, { ifName: "eth0" });
}

Deno.test("previousAddresses() takes the addresses of the container's NIC only", () => {
  const ips = [
    { address: "10.6.0.1/16", interface: 2 },
    { address: "10.7.0.1/16", interface: 3 },
    { address: "10.8.0.1/16", interface: 0 },
    { address: "10.9.0.1/16", interface: 1 },
    { version: "6", address: "fd00::1/64", interface: 2 },
  ];
  const taken = read({ cniVersion: "0.4.0", ips, interfaces: INTERFACES });
  assert.deepEqual(taken, { ok: true, value: ["10.6.0.1/16", "fd00::1/64"] });
});

Deno.test("previousAddresses() takes addresses that name no interface", () => {
  const ips = [{ address: "10.6.0.1/16" }, { address: "10.6.0.2/16", interface: null }];
  assert.deepEqual(read({ ips }), { ok: true, value: ["10.6.0.1/16", "10.6.0.2/16"] });
});

Deno.test("previousAddresses() of a result without addresses is empty", () => {
  assert.deepEqual(read({}), { ok: true, value: [] });
  assert.deepEqual(read({ ips: [], interfaces: INTERFACES }), { ok: true, value: [] });
});

const REFUSED: readonly (readonly [unknown, RegExp])[] = [
  [undefined, /^Cannot use prevResult of the network configuration: it is missing; the runtime/],
  [null, /it is missing/],
  ["x", /it is no object/],
  [[], /it is no object/],
  [{ ips: {} }, /ips is no list/],
  [{ ips: [], interfaces: "eth0" }, /interfaces is no list/],
  [{ ips: [null] }, /ips\[0\]\.address is no text/],
  [{ ips: [{ address: "a" }, { address: 5 }] }, /ips\[1\]\.address is no text/],
  [{ ips: [{ address: "a", interface: 0 }] }, /ips\[0\]\.interface 0 is not in interfaces/],
  [{ ips: [{ address: "a", interface: -1 }], interfaces: INTERFACES }, /interface -1 is not in/],
  [{ ips: [{ address: "a", interface: "0" }], interfaces: INTERFACES }, /interface "0" is not in/],
  [{ ips: [{ address: "a", interface: 0.5 }], interfaces: INTERFACES }, /interface 0\.5 is not/],
];

for (const [prevResult, msg] of REFUSED) {
  Deno.test(`previousAddresses() refuses ${JSON.stringify(prevResult)}`, () => {
    const refused = read(prevResult);
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, 7);
    assert.match(refused.error.msg, msg);
  });
}
