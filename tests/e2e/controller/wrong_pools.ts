/** Pools that must not be used: everybody is told, and work goes on with the rest. */
import assert from "node:assert/strict";
import {
  ask,
  namespaceOf,
  networkOf,
  pod,
  poolName,
  pools,
  type Scenario,
} from "../ipam/corner.ts";
import { assertDescribed } from "../ipam/observed.ts";
import { holding, untilPools } from "./pools.ts";

const ANNOTATION = "ipam.spidernet.io/not-usable";

/** One that shares addresses with an older pool, and one that contradicts itself. */
export const WRONG_POOLS: Scenario = {
  name: "wrong-pools",
  promise: "pools that share addresses or contradict themselves are not used, and say why",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "old", { count: 4 }),
  ],
  check: async (corner) => {
    const { kubectl, versions } = corner.site;
    await untilPools(corner, "old", (one) => holding(one).includes("Ready"));
    await kubectl.run("wait", "namespace", corner.name, "--for=jsonpath={.status.phase}=Active");
    await kubectl.apply(
      ...pools(corner, "young", { from: 3, count: 4 }),
      ...versions.map((version) => ({
        apiVersion: "spiderpool.spidernet.io/v2beta1",
        kind: "SpiderIPPool",
        metadata: { name: poolName(corner, { name: "far", version }) },
        spec: {
          subnet: networkOf(version, 6),
          ips: [version === 4 ? "10.99.0.5" : "fd00:99::5"],
        },
      })),
    );
    const young = await untilPools(corner, "young", (one) => holding(one).includes("NotUsable"));
    for (const one of young) {
      assert.match(
        one.metadata.annotations?.[ANNOTATION] ?? "",
        /with the older pool "wrong-pools/,
      );
    }
    await untilPools(corner, "far", (one) => holding(one).includes("Invalid"));
    await kubectl.apply(pod(corner, "wants", { ippool: ask(corner, "young") }));
    const says = /must not be used: spec\.ips shares .*ipam\.spidernet\.io\/not-usable/;
    await assertDescribed(corner, { name: "wants", says });
    for (const version of versions) {
      await kubectl.run("delete", "spiderippool", poolName(corner, { name: "old", version }));
    }
    await untilPools(corner, "young", (one) => holding(one).join() === "Ready");
    await kubectl.run(
      ...["wait", "-n", corner.name, "pod/wants"],
      "--for=condition=Ready",
      "--timeout=240s",
    );
  },
};
