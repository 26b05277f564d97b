import assert from "node:assert/strict";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import { expectOk } from "../../base/result.ts";
import { poolOf } from "../../../tests/support/pool_objects.ts";
import { withInherited } from "./inherit.ts";

const ROUTES = [{ dst: "10.9.0.0/16", gw: "10.6.0.2" }];
const AUTOMATIC = { labels: { "ipam.spidernet.io/owner-application-name": "web" } };

function subnetOf(spec: object): SpiderSubnet {
  const parsed = SPIDER_SUBNETS.parse({
    metadata: { name: "s" },
    spec: { subnet: "10.6.0.0/16", ...spec },
  });
  return expectOk(parsed, "a subnet");
}

Deno.test("withInherited() fills in what a pool of a person says nothing of", () => {
  const subnet = subnetOf({ gateway: "10.6.0.1", routes: ROUTES });
  const { spec } = withInherited(poolOf({}), subnet);
  assert.deepEqual([spec.gateway, spec.routes], ["10.6.0.1", ROUTES]);
  const own = poolOf({ gateway: "10.6.0.9", routes: [] });
  assert.equal(withInherited(own, subnet), own);
});

Deno.test("withInherited() keeps an automatic pool as its subnet is", () => {
  const pool = poolOf({ gateway: "10.6.0.9", routes: [], metadata: AUTOMATIC });
  const { spec } = withInherited(pool, subnetOf({ gateway: "10.6.0.1", routes: ROUTES }));
  assert.deepEqual([spec.gateway, spec.routes], ["10.6.0.1", ROUTES]);
  const bare = withInherited(pool, subnetOf({})).spec;
  assert.deepEqual(["gateway" in bare, "routes" in bare], [false, false]);
});
