import assert from "node:assert/strict";
import * as fc from "fast-check";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { expectOk } from "../base/result.ts";
import { type Address, formatAddress, parseAddress } from "../ip/mod.ts";
import { type Keeper, newClaim } from "./claim.ts";
import { addressesOf } from "./endpoint.ts";
import { type PoolFacts, readPoolFacts } from "./pool_facts.ts";
import { keptEndpoint, nicsOfClaims } from "./rebuild.ts";

const KEY = { namespace: "default", name: "web-0" };
const WEB: Keeper = { kind: "StatefulSet", name: "web" };
const POOLS: ReadonlyMap<string, PoolFacts> = new Map(
  [["p4", "10.6.0.0/16", "10.6.0.1"], ["p6", "fd00:6::/64", "fd00:6::1"]]
    .map(([name = "", subnet, gateway]) => {
      const pool = SPIDER_IP_POOLS.parse({ metadata: { name }, spec: { subnet, gateway } });
      return [name, expectOk(readPoolFacts(expectOk(pool, "a pool")), "facts")];
    }),
);

function claimOf(
  address: Address | string,
  { nic = "eth0", podUID = "u1", pool = "p4", keeper = WEB, podName = "web-0" } = {},
): SpiderIp {
  const value = typeof address === "string"
    ? expectOk(parseAddress(address), "an address")
    : address;
  return newClaim({ pool, address: value }, {
    podNamespace: "default",
    podName,
    podUID,
    containerID: "c",
    nic,
    node: `node-of-${podUID}`,
    keeper,
    endpointName: "web-0",
  });
}

function endpointOf(claims: readonly SpiderIp[], liveUid?: string) {
  return keptEndpoint({ key: KEY, claims, pools: POOLS, liveUid });
}

Deno.test("keptEndpoint() is of the pod that lives, else of whichever the claims name", () => {
  const claims = [claimOf("10.6.0.9"), claimOf("10.6.0.10", { nic: "net1", podUID: "u2" })];
  const living = endpointOf(claims, "u2")?.status?.current;
  assert.deepEqual([living?.uid, living?.node], ["u2", "node-of-u2"]);
  assert.equal(endpointOf(claims)?.status?.current.uid, "u1");
});

Deno.test("keptEndpoint() has no owner that it would go with, and says who keeps it", () => {
  const { metadata, status } = endpointOf([claimOf("10.6.0.9")]) ?? { metadata: undefined };
  assert.deepEqual(metadata, { name: "web-0", namespace: "default" });
  assert.deepEqual([status?.ownerControllerType, status?.ownerControllerName], [
    "StatefulSet",
    "web",
  ]);
});

Deno.test("keptEndpoint() makes nothing of nothing, of two keepers, or without its pool", () => {
  const other: Keeper = { kind: "StatefulSet", name: "api" };
  assert.equal(endpointOf([]), undefined);
  assert.equal(
    endpointOf([claimOf("10.6.0.9"), claimOf("10.6.0.8", { keeper: other })]),
    undefined,
  );
  assert.equal(endpointOf([claimOf("10.6.0.9", { pool: "gone" })]), undefined);
});

Deno.test("nicsOfClaims() puts NICs in the order of their positions, with gaps filled", () => {
  const nics = nicsOfClaims([
    claimOf("10.6.0.12", { nic: "#2" }),
    claimOf("10.6.0.10", { nic: "eth0" }),
  ], POOLS);
  assert.deepEqual(nics.map((nic) => nic.ipv4 ?? ""), ["10.6.0.10/16", "", "10.6.0.12/16"]);
});

Deno.test("property: nicsOfClaims() lists each claim once, whatever their order", () => {
  const nic = fc.constantFrom("eth0", "net1", "net2", "net10");
  const slots = fc.uniqueArray(fc.record({ nic, isIpv6: fc.boolean() }), {
    selector: ({ nic, isIpv6 }) => `${nic} ${isIpv6}`,
  });
  fc.assert(fc.property(slots, (wanted) => {
    const claims = wanted.map(({ nic, isIpv6 }, index) => {
      const pool = isIpv6 ? "p6" : "p4";
      return claimOf(isIpv6 ? `fd00:6::${index + 9}` : `10.6.0.${index + 9}`, { nic, pool });
    });
    const nics = nicsOfClaims(claims, POOLS);
    const listed = nics.flatMap((entry) =>
      addressesOf(entry).map(({ address }) => `${entry.interface} ${formatAddress(address)}`)
    );
    const expected = claims.map(({ spec }) => `${spec.nic} ${spec.ip}`);
    assert.deepEqual(listed.toSorted(), expected.toSorted());
    const order = ["eth0", "net1", "net2", "net10"];
    const names = nics.map((entry) => entry.interface);
    assert.deepEqual(names, order.filter((name) => names.includes(name)));
  }));
});
