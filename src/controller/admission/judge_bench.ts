/** What a review of a pool costs beside one pool and beside a thousand. */
import { AdmissionWorld } from "../../../tests/support/admission_world.ts";
import { type PoolInit, poolOf } from "../../../tests/support/pool_objects.ts";
import { assert } from "../../base/assert.ts";
import type { RawObject } from "./rules/kind_rules.ts";

const POOLS = 1_000;

/** One of many pools of one network, with 50 addresses in ten ranges. */
function poolInit(index: number): PoolInit {
  const start = index * 64;
  const ips = Array.from({ length: 10 }, (_, range) => {
    const first = start + range * 6;
    return `${addressOf(first)}-${addressOf(first + 4)}`;
  });
  return { name: `p${index}`, subnet: "10.0.0.0/8", ips, adopted: false };
}

function addressOf(offset: number): string {
  return `10.${offset >> 16 & 255}.${offset >> 8 & 255}.${offset & 255}`;
}

async function worldWith(count: number): Promise<AdmissionWorld> {
  const world = new AdmissionWorld();
  for (let index = 0; index < count; index++) {
    await world.stored(poolOf(poolInit(index)));
  }
  await world.follow();
  return world;
}

for (const count of [1, POOLS]) {
  const world = await worldWith(count);
  const object: RawObject = JSON.parse(JSON.stringify(poolOf(poolInit(POOLS + 1))));
  for (const question of ["mutate", "validate"] as const) {
    Deno.bench(`${question} a pool beside ${count}`, { group: question }, async () => {
      const verdict = await world.review(question, object, { dryRun: true });
      assert(verdict.allowed, "the pool is good");
    });
  }
}
