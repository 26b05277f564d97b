/** Pods with one, two and four underlay NICs: every NIC answers what it was asked. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import {
  addressIn,
  AFAR,
  Fixture,
  type NicWish,
  type Pod,
  routerIn,
} from "./coordinator/fixture.ts";
import { NEEDS as needs } from "./coordinator/needs.ts";
import { assertCarrier, connect, ping } from "./coordinator/packets.ts";
import { list, statesOf } from "./coordinator/state.ts";

const NICS = ["eth0", "net1", "net2", "net3"] as const;

/** NICs of a pod, in one network or each in its own. */
function nicsOf({ count, families, isApart }: {
  readonly count: number;
  readonly families: readonly (4 | 6)[];
  readonly isApart: boolean;
}): ReadonlyMap<string, Required<Pick<NicWish, "last" | "network">> & NicWish> {
  return new Map(
    NICS.slice(0, count).map((name, index) => [name, {
      last: 5 + index,
      network: isApart ? index : 0,
      families,
      // The kernel refuses a second default route of the same metric.
      ...(index > 0 && { metric: 2_000 + index }),
    }]),
  );
}

/** Node, router and what is beyond it reach every NIC, and every NIC them. */
async function assertAllFlows(
  { node, router }: Fixture,
  { pod: { namespace: pod }, name, wish, version }: {
    readonly pod: Pod;
    readonly name: string;
    readonly wish: Required<Pick<NicWish, "last" | "network">>;
    readonly version: 4 | 6;
  },
): Promise<void> {
  const { last, network } = wish;
  const address = addressIn(network, { last, version }).replace(/\/.*/, "");
  const nodeAddress = version === 4 ? "10.6.0.2" : "fd00:10:6::2";
  await assertCarrier(pod, "veth0", async () => {
    await ping(node, address);
    await connect({ from: node, address, to: pod });
    await ping(pod, nodeAddress, { from: address });
  });
  const routerAddress = routerIn(network, version);
  for (
    const sending of [
      () => ping(router, address),
      () => connect({ from: router, address, to: pod }),
      () => ping(router, address, { from: AFAR[version] }),
      // From the network of another NIC: the pod has a shorter way back than this one.
      () => ping(router, address, { from: routerIn(0, version) }),
      () => ping(pod, routerAddress, { from: address }),
      () => ping(pod, AFAR[version], { from: address }),
    ]
  ) await assertCarrier(pod, name, sending);
}

/** The coordinator has made nothing of the families that a pod does not have. */
async function assertNothingOf(
  versions: readonly number[],
  { fixture, pod }: { readonly fixture: Fixture; readonly pod: Pod },
): Promise<void> {
  for (const version of versions) {
    for (const where of [fixture.node, pod.namespace]) {
      const rules = await list(where, `-${version} rule`, { members: ["protocol"] });
      assert.deepEqual(rules.filter(({ protocol }) => protocol === "83"), []);
      const rest = `-${version} neigh show nud permanent`;
      assert.deepEqual(await list(where, rest, { members: ["dst"] }), []);
    }
    const own = await fixture.node.run("ip", `-${version}`, "route", "show", "table", "all");
    assert.doesNotMatch(own, /table 500/);
  }
}

for (const count of [1, 2, 4]) {
  for (const isApart of count === 1 ? [false] : [false, true]) {
    for (const families of [[4], [6], [4, 6]] as const) {
      const nics = count === 1 ? "one NIC" : `${count} NICs`;
      const place = isApart ? " in networks of their own" : count === 1 ? "" : " in one network";
      testWith({
        name: `coordinator: a pod of IPv${families.join(" and ")} with ${nics}${place} ` +
          `answers by the NIC that it was asked on, and the node by the pair, until its DEL`,
        needs,
        async fn() {
          await using fixture = await Fixture.open({ networkCount: isApart ? count : 1 });
          const wishes = nicsOf({ count, families, isApart });
          const pod = await fixture.podWith(Object.fromEntries(wishes));
          const before = await statesOf(fixture.node, pod.namespace);
          await fixture.addAll(pod);
          await assertNothingOf([4, 6].filter((one) => !families.some((own) => own === one)), {
            ...{ fixture, pod },
          });
          for (const version of families) {
            for (const [name, wish] of wishes) {
              await assertAllFlows(fixture, { pod, name, wish, version });
            }
          }
          for (const name of [...wishes.keys()].toReversed()) await fixture.del(pod, name);
          assert.deepEqual(await statesOf(fixture.node, pod.namespace), before);
          assert.deepEqual(await fixture.records(), []);
        },
      });
    }
  }
}
