/** Pools that share addresses although webhooks are asked. */
import assert from "node:assert/strict";
import { hangLimit } from "../../support/hang_limit.ts";
import { say } from "../controller/said.ts";
import { holding, poolOf, untilPools } from "../controller/pools.ts";
import { ask, type Corner, namespaceOf, pod, pools, type Scenario } from "../ipam/corner.ts";
import { assertDescribed, eventually } from "../ipam/observed.ts";
import { Caller } from "./caller.ts";

const ANNOTATION = "ipam.spidernet.io/not-usable";
/** Pairs of pools that are created at the same instant. */
const PAIRS = 12;

/** Twins that were stored before there was a webhook. */
export function twins(corner: Corner, name: "elder" | "younger"): readonly unknown[] {
  return pools(corner, name, { count: 4 });
}

/** Creates both pools of each pair at once; gives the pairs of which both were taken. */
async function createPairs(corner: Corner): Promise<readonly (readonly [string, 4 | 6])[]> {
  const { site: { kubectl, versions } } = corner;
  using caller = await Caller.open(kubectl);
  using limit = hangLimit();
  const { signal } = limit;
  const pairs = Array.from({ length: PAIRS }, (_, index) => {
    const from = 20 + 4 * index;
    return ["one", "two"].map((twin) => pools(corner, `pair-${index}-${twin}`, { from, count: 4 }));
  });
  const answers = await Promise.all(pairs.map((pair) => {
    return Promise.all(versions.map((_, family) => {
      return Promise.all(pair.map((both) => caller.create(both[family], { signal })));
    }));
  }));
  return answers.flatMap((families, index) => {
    return families.flatMap((said, family) => {
      const refusals = said.filter((text) => text !== undefined);
      assert.ok(refusals.length < 2, `one of two is taken: ${refusals.join(" ")}`);
      const [refusal] = refusals;
      if (refusal !== undefined) assert.match(refusal, /has these addresses too; leave them out/);
      return refusal === undefined ? [[`pair-${index}`, versions[family] ?? 4] as const] : [];
    });
  });
}

/** Fails unless one of the two becomes not usable, for the sake of the other. */
async function assertOneLeft(
  corner: Corner,
  [pair, version]: readonly [string, 4 | 6],
): Promise<void> {
  await eventually(`one pool of ${pair} to be marked`, async () => {
    const both = await Promise.all(["one", "two"].map((twin) => {
      return poolOf(corner, { name: `${pair}-${twin}`, version });
    }));
    const marked = both.filter(({ metadata }) => metadata.annotations?.[ANNOTATION] !== undefined);
    assert.ok(marked.length < 2, "one of the two is usable");
    const [young] = marked;
    return young !== undefined && holding(young).includes("NotUsable") &&
      /with the older pool "together-pair/.test(young.metadata.annotations?.[ANNOTATION] ?? "");
  });
}

/** Webhooks judge what may never be stored; the leader sees what was. */
export const TOGETHER: Scenario = {
  name: "together",
  promise: "of two pools with the same addresses one is refused, or marked and not used",
  objects: (corner) => [namespaceOf(corner)],
  check: async (corner) => {
    const young = await untilPools(corner, "younger", (one) => holding(one).includes("NotUsable"));
    for (const { metadata: { annotations } } of young) {
      assert.match(annotations?.[ANNOTATION] ?? "", /with the older pool "together-elder/);
    }
    await corner.site.kubectl.apply(pod(corner, "wants", { ippool: ask(corner, "younger") }));
    const taken = await createPairs(corner);
    await say(
      `of ${PAIRS * corner.site.versions.length} pairs of pools both were taken of ` +
        `${taken.length}, since neither was stored when the other was judged`,
    );
    for (const pair of taken) await assertOneLeft(corner, pair);
    const says = /must not be used: spec\.ips shares .*ipam\.spidernet\.io\/not-usable/;
    await assertDescribed(corner, { name: "wants", says });
  },
};
