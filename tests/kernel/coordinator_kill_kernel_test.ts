/** An ADD or a DEL that is killed anywhere: the DEL after it leaves nothing. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { type Asking, Fixture, type Pod, script } from "./coordinator/fixture.ts";
import { NEEDS as needs } from "./coordinator/needs.ts";
import { killedAt } from "./coordinator/node.ts";
import { statesOf } from "./coordinator/state.ts";

/** What a process that was killed ends with. */
const KILLED = 137;
const PLACES_MAX = 200;
/** Fixtures that a sweep is shared by, one for each processor. */
const FIXTURES = 2;

/** A pod on which a command is killed. */
interface Victim {
  readonly pod: Pod;
  readonly ifName: string;
  readonly asking: Asking;
  readonly command: "ADD" | "DEL";
  /** What comes before each try. */
  readonly prepare?: () => Promise<unknown>;
}

/** Kills a command at every place, has a DEL after it, and compares. */
async function sweep(make: (fixture: Fixture) => Promise<Victim>): Promise<void> {
  const counts = await Promise.all(
    Array.from({ length: FIXTURES }, (_, first) => sweepFrom(1 + first, make)),
  );
  assert.ok(Math.max(...counts) > 10, `${counts} places are more than a few`);
}

/** Kills at every place from one on, by steps. @returns How many places there are. */
async function sweepFrom(
  first: number,
  make: (fixture: Fixture) => Promise<Victim>,
): Promise<number> {
  await using fixture = await Fixture.open();
  const { pod, ifName, asking, command, prepare } = await make(fixture);
  const before = await statesOf(fixture.node, pod.namespace);
  const records = await fixture.records();
  for (let place = first; place < PLACES_MAX; place += FIXTURES) {
    await prepare?.();
    const program = killedAt(place);
    const { code, stdout, stderr } = await fixture.run(command, pod, {
      ...{ ...asking, ifName, program },
    });
    if (code !== 0) assert.deepEqual({ code, stdout }, { code: KILLED, stdout: "" }, stderr);
    await fixture.del(pod, ifName);
    const where = `${command} of ${ifName} killed at place ${place}`;
    assert.deepEqual(await statesOf(fixture.node, pod.namespace), before, where);
    assert.deepEqual(await fixture.records(), records, where);
    if (code === 0) return place;
  }
  throw new Error(`${command} has more than ${PLACES_MAX} places`);
}

const EVERYTHING = {
  podMACPrefix: "0a:1b",
  vethLinkAddress: "169.254.100.1",
  txQueueLen: 2_000,
  podRPFilter: 1,
  policyRoutes: [{ dst: "10.10.0.0/16", gw: "10.6.0.1" }],
};

testWith({
  name: "coordinator: an ADD of the first NIC killed anywhere is undone by its DEL",
  needs,
  fn: () =>
    sweep(async (fixture) => ({
      pod: await fixture.podWith({ eth0: { last: 5 } }),
      ...{ ifName: "eth0", command: "ADD", asking: { config: EVERYTHING } },
    })),
});

testWith({
  name: "coordinator: an ADD that brings its NIC up, killed anywhere, is undone by its DEL",
  needs,
  fn: () =>
    sweep(async (fixture) => {
      // A NIC that goes down loses its IPv6 addresses, whoever took it down.
      const pod = await fixture.podWith({ eth0: { last: 5, families: [4], defaults: [] } });
      await script(pod.namespace, ["ip link set eth0 down"]);
      return { pod, ifName: "eth0", command: "ADD", asking: {} };
    }),
});

testWith({
  name: "coordinator: an ADD of the NIC that takes the default route, killed anywhere, is undone",
  needs,
  fn: () =>
    sweep(async (fixture) => {
      const pod = await fixture.podWith({ eth0: { last: 5 }, net1: { last: 6, metric: 50 } });
      await fixture.add(pod, "eth0");
      const config = { podDefaultRouteNic: "net1", podMACPrefix: "0a:1b" };
      return { pod, ifName: "net1", command: "ADD", asking: { config } };
    }),
});

testWith({
  name: "coordinator: an ADD of a NIC in overlay mode killed anywhere is undone by its DEL",
  needs,
  fn: () =>
    sweep(async (fixture) => {
      const pod = await fixture.pod();
      await fixture.addOverlayNic(pod, { last: 5 });
      await fixture.addNic(pod, "net1", { last: 6, metric: 2_000 });
      const config = { podDefaultRouteNic: "net1" };
      return { pod, ifName: "net1", command: "ADD", asking: { config } };
    }),
});

testWith({
  name:
    "coordinator: a second ADD that does more than the first, killed anywhere, is undone as well",
  needs,
  fn: () =>
    sweep(async (fixture) => {
      const pod = await fixture.podWith({ eth0: { last: 5 } });
      const { vethLinkAddress: _, ...config } = EVERYTHING;
      const prepare = () => fixture.add(pod, "eth0");
      return { pod, ifName: "eth0", command: "ADD", asking: { config }, prepare };
    }),
});

testWith({
  name: "coordinator: a DEL killed anywhere is ended by the next one",
  needs,
  fn: () =>
    sweep(async (fixture) => {
      const pod = await fixture.podWith({ eth0: { last: 5 }, net1: { last: 6, metric: 50 } });
      await fixture.add(pod, "eth0");
      const config = { ...EVERYTHING, podDefaultRouteNic: "net1" };
      const prepare = () => fixture.add(pod, "net1", { config });
      return { pod, ifName: "net1", command: "DEL", asking: {}, prepare };
    }),
});
