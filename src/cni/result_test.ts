import assert from "node:assert/strict";
import { type IpamResult, ipamResultText } from "./result.ts";
import { CNI_VERSIONS, type CniVersion } from "./version.ts";

const RESULT: IpamResult = {
  ips: [
    { version: 4, address: "10.6.0.17/16", gateway: "10.6.0.1" },
    { version: 6, address: "fd00::17/64" },
  ],
  routes: [{ dst: "0.0.0.0/0", gw: "10.6.0.1" }],
  dns: { nameservers: ["10.6.0.2"], domain: "a.example", search: ["b.example"], options: ["x"] },
};

function printed(result: IpamResult, version: CniVersion) {
  const text = ipamResultText(result, { version });
  assert.ok(text.endsWith("}\n"));
  return JSON.parse(text);
}

Deno.test("before 1.0.0 an address says its family, as text", () => {
  for (const version of ["0.3.0", "0.3.1", "0.4.0"] as const) {
    assert.deepEqual(printed(RESULT, version), {
      cniVersion: version,
      ips: [
        { version: "4", address: "10.6.0.17/16", gateway: "10.6.0.1" },
        { version: "6", address: "fd00::17/64" },
      ],
      routes: [{ dst: "0.0.0.0/0", gw: "10.6.0.1" }],
      dns: {
        nameservers: ["10.6.0.2"],
        domain: "a.example",
        search: ["b.example"],
        options: ["x"],
      },
    });
  }
});

Deno.test("since 1.0.0 an address does not say its family", () => {
  for (const version of ["1.0.0", "1.1.0"] as const) {
    assert.deepEqual(printed(RESULT, version).ips, [
      { address: "10.6.0.17/16", gateway: "10.6.0.1" },
      { address: "fd00::17/64" },
    ]);
  }
});

Deno.test("no version of an IPAM plugin's result has interfaces", () => {
  for (const version of CNI_VERSIONS) {
    const result = printed(RESULT, version);
    assert.deepEqual(Object.keys(result), ["cniVersion", "ips", "routes", "dns"]);
    assert.ok(result.ips.every((ip: object) => !("interface" in ip)));
  }
});

Deno.test("what there is not is empty, and every member of dns is left out", () => {
  for (const version of CNI_VERSIONS) {
    const expected = { cniVersion: version, ips: [], routes: [], dns: {} };
    assert.deepEqual(printed({ ips: [], routes: [] }, version), expected);
    const dns = { nameservers: [], domain: "", search: [], options: [] };
    assert.deepEqual(printed({ ips: [], routes: [], dns }, version), expected);
  }
});
