import assert from "node:assert/strict";
import { deviceSocketName, masterNicResource } from "./device_resources.ts";
import { readProviderAllocateResponse } from "./provider.ts";

Deno.test("readProviderAllocateResponse() reads hardware addresses and VLANs", () => {
  const body = JSON.stringify({
    podName: "a",
    iaasIPsAllocationResponse: [
      { ipAddress: "10.6.0.9", macAddress: "aa:bb:cc:dd:ee:ff", vlanId: 7, later: 1 },
      { ipAddress: "10.6.0.10", vlanId: null },
    ],
  });
  const rest = { subnet: "", parentNicMac: "" };
  assert.deepEqual(readProviderAllocateResponse(body), {
    ok: true,
    value: {
      podName: "a",
      iaasIPsAllocationResponse: [
        { ...rest, ipAddress: "10.6.0.9", macAddress: "aa:bb:cc:dd:ee:ff", vlanId: 7 },
        { ...rest, ipAddress: "10.6.0.10", macAddress: "", vlanId: 0 },
      ],
    },
  });
});

Deno.test("readProviderAllocateResponse() refuses in one sentence", () => {
  const of = "of the network provider's answer";
  const cases: readonly [string, string][] = [
    ["<html>", `Cannot use the network provider's answer "<html>": write valid JSON`],
    [
      '{"iaasIPsAllocationResponse":[{"ipAddress":"a","vlanId":4095}]}',
      `Cannot use iaasIPsAllocationResponse[0].vlanId ${of} 4095: write a whole number from 0 ` +
      "to 4094",
    ],
  ];
  for (const [body, error] of cases) {
    assert.deepEqual(readProviderAllocateResponse(body), { ok: false, error });
  }
});

Deno.test("device plugin resources are named as the reference names them", () => {
  assert.equal(masterNicResource("eth1.100"), "spidernet.io/eth1.100-nic");
  assert.equal(
    deviceSocketName("spidernet.io/eth1.100-nic"),
    "spiderpool-spidernet-io-eth1-100-nic.sock",
  );
});
