import assert from "node:assert/strict";
import { poolOf } from "../../tests/support/pool_objects.ts";
import { annotatedPool } from "./usability.ts";

const SAID = "ipam.spidernet.io/not-usable";
const BY = "ipam.spidernet.io/not-usable-by";

Deno.test("annotatedPool() writes its reason, follows it and takes it away", () => {
  const pool = poolOf({ metadata: { annotations: { other: "stays" } } });
  assert.equal(annotatedPool(pool, undefined), pool);
  const one = annotatedPool(pool, "r1");
  assert.deepEqual(one.metadata.annotations, {
    other: "stays",
    [SAID]: "r1",
    [BY]: "spiderpool-controller",
  });
  assert.equal(annotatedPool(one, "r1"), one);
  assert.equal(annotatedPool(one, "r2").metadata.annotations?.[SAID], "r2");
  assert.deepEqual(annotatedPool(one, undefined).metadata.annotations, { other: "stays" });
});

Deno.test("annotatedPool() leaves alone what a person wrote, empty or not", () => {
  for (const said of ["", "we test it"]) {
    const pool = poolOf({ metadata: { annotations: { [SAID]: said } } });
    for (const reason of [undefined, "r1"]) assert.equal(annotatedPool(pool, reason), pool);
  }
});

Deno.test("annotatedPool() mends its annotation where a person took half of it away", () => {
  const pool = poolOf({ metadata: { annotations: { [BY]: "spiderpool-controller" } } });
  assert.deepEqual(annotatedPool(pool, undefined).metadata.annotations, {});
  assert.equal(annotatedPool(pool, "r1").metadata.annotations?.[SAID], "r1");
});
