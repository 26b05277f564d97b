import assert from "node:assert/strict";
import fc from "fast-check";
import { expectOk } from "../base/result.ts";
import { formatAllocatedIps, readAllocatedIps } from "./ip_pool_records.ts";
import {
  formatApplication,
  formatControlledIpPools,
  parseApplication,
  readControlledIpPools,
} from "./subnet_records.ts";

Deno.test("readAllocatedIps() reads the reference's text and ignores older members", () => {
  const text = '{"172.18.40.10":{"pod":"d/a","podUid":"u1"},' +
    '"172.18.40.9":{"interface":"eth0","pod":"d/b","podUid":"u2","node":"n"},"fd00::1":{}}';
  assert.deepEqual({ ...expectOk(readAllocatedIps(text), "it is valid") }, {
    "172.18.40.10": { pod: "d/a", podUid: "u1" },
    "172.18.40.9": { pod: "d/b", podUid: "u2" },
    "fd00::1": { pod: "", podUid: "" },
  });
  assert.deepEqual({ ...expectOk(readAllocatedIps(undefined), "none") }, {});
  assert.deepEqual(readAllocatedIps('{"a":7}'), {
    ok: false,
    error: "Cannot use a of status.allocatedIPs 7: write an object",
  });
});

Deno.test("formatAllocatedIps() sorts by text and leaves nothing out of an empty pool", () => {
  const record = { podUid: "u", pod: "d/a" };
  assert.equal(
    formatAllocatedIps([["10.0.0.9", record], ["10.0.0.10", record]]),
    '{"10.0.0.10":{"pod":"d/a","podUid":"u"},"10.0.0.9":{"pod":"d/a","podUid":"u"}}',
  );
  assert.equal(formatAllocatedIps([]), undefined);
});

Deno.test("property: allocation records survive printing and reading", () => {
  const record = fc.record(
    { pod: fc.string(), podUid: fc.string() },
    { noNullPrototype: true },
  );
  const name = fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor"));
  const records = fc.dictionary(name, record, { noNullPrototype: true });
  fc.assert(fc.property(records, (entries) => {
    const text = formatAllocatedIps(Object.entries(entries));
    assert.deepEqual({ ...expectOk(readAllocatedIps(text), "it was printed") }, entries);
  }));
});

Deno.test("controlledIPPools survive printing and reading", () => {
  const text = '{"auto4-demo-eth0-40371":{"ips":["172.18.40.10-172.18.40.12"],' +
    '"application":"apps_v1_Deployment_default_demo"},"manual":{"ips":["172.18.40.20"]}}';
  const loans = expectOk(readControlledIpPools(text), "it is valid");
  assert.equal(formatControlledIpPools(Object.entries(loans).reverse()), text);
  assert.equal(formatControlledIpPools([]), undefined);
  assert.deepEqual({ ...expectOk(readControlledIpPools('{"p":{"ips":null}}'), "valid") }, {
    p: { ips: [] },
  });
  assert.deepEqual(readControlledIpPools('{"p":{"ips":[1]}}'), {
    ok: false,
    error: "Cannot use p.ips[0] of status.controlledIPPools 1: write a string",
  });
});

Deno.test("parseApplication() reads four and five parts", () => {
  const core = { group: "", version: "v1", kind: "Pod", namespace: "d", name: "a" };
  const apps = { ...core, group: "apps", kind: "Deployment" };
  assert.equal(formatApplication(core), "v1_Pod_d_a");
  assert.equal(formatApplication(apps), "apps_v1_Deployment_d_a");
  for (const key of [core, apps]) {
    assert.deepEqual(parseApplication(formatApplication(key)), { ok: true, value: key });
  }
  for (const text of ["", "a_b_c", "a_b_c_d_e_f"]) assert.equal(parseApplication(text).ok, false);
});
