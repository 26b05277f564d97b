import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import { type AnyCidr, parseAnyCidr } from "../ip/mod.ts";
import { canonicalRoute, distinctRoutes, placeRoutes } from "./routes.ts";

function cidrs(...texts: readonly string[]): readonly AnyCidr[] {
  return texts.map((text) => expectOk(parseAnyCidr(text), "it is a CIDR"));
}

Deno.test("canonicalRoute() drops host bits and writes addresses in one spelling", () => {
  assert.deepEqual(canonicalRoute({ dst: "10.1.2.3/16", gw: "10.6.0.1" }), {
    dst: "10.1.0.0/16",
    gw: "10.6.0.1",
  });
  assert.deepEqual(canonicalRoute({ dst: "FD00:0::1/64", gw: "FD00:6:0::1" }), {
    dst: "fd00::/64",
    gw: "fd00:6::1",
  });
  assert.deepEqual(canonicalRoute({ dst: "10.1.2.3", gw: "10.6.0.1" })?.dst, "10.1.2.3/32");
});

Deno.test("canonicalRoute() refuses what is no route of one family", () => {
  for (
    const [dst, gw] of [
      ["10.1.0.0/33", "10.6.0.1"],
      ["10.1.0.0/16", "10.6.0"],
      ["10.1.0.0/16", "fd00::1"],
      ["fd00::/64", "10.6.0.1"],
      ["", ""],
    ] as const
  ) assert.equal(canonicalRoute({ dst, gw }), undefined);
});

Deno.test("placeRoutes() gives a route to the first NIC whose subnet has its gateway, once", () => {
  const inFirst = { dst: "10.1.0.0/16", gw: "10.6.0.1" };
  const inBoth = { dst: "10.2.0.0/16", gw: "10.6.1.1" };
  const ipv6 = { dst: "fd01::/64", gw: "fd00:6::1" };
  const nowhere = { dst: "10.3.0.0/16", gw: "10.9.0.1" };
  const broken = { dst: "10.3.0.0/16", gw: "fd00:6::1" };
  const { placed, unplaced } = placeRoutes([inBoth, nowhere, ipv6, broken, inFirst], [
    cidrs("10.6.0.0/16"),
    cidrs("10.6.1.0/24", "fd00:6::/64"),
  ]);
  assert.deepEqual(placed, [[inBoth, inFirst], [ipv6]]);
  assert.deepEqual(unplaced, [nowhere, broken]);
});

Deno.test("placeRoutes() leaves everything unplaced without NICs", () => {
  const route = { dst: "10.1.0.0/16", gw: "10.6.0.1" };
  assert.deepEqual(placeRoutes([route], []), { placed: [], unplaced: [route] });
});

Deno.test("distinctRoutes() keeps the first of equal routes, in order", () => {
  const one = { dst: "10.1.0.0/16", gw: "10.6.0.1" };
  const other = { dst: "10.1.0.0/16", gw: "10.6.0.2" };
  assert.deepEqual(distinctRoutes([one, other, { ...one }]), [one, other]);
});
