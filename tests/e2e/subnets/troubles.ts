/** What goes wrong: programs that end, too few addresses, and bad input. */
import assert from "node:assert/strict";
import { type Corner, deployment, namespaceOf, pod, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { assertDescribed, eventually, podsOf, rolledOut } from "../ipam/observed.ts";
import { killProgram } from "../ipam/storm.ts";
import { assertLent, lent, poolsFor, untilSize } from "./ground.ts";

const PODS = 20;

/** Alone: it ends what all others need. */
export const KILLED: Scenario = {
  name: "killed",
  promise: `agents and controllers killed while ${PODS} pods wait for their pools: all run`,
  objects: (corner) => [
    namespaceOf(corner),
    ...["a", "b", "c", "d"].map((name) =>
      deployment(corner, name, { replicas: PODS / 4, ...lent(corner, { number: "+0" }) })
    ),
  ],
  check: async (corner) => {
    const { site } = corner;
    const programs = ["spiderpool-controller", "spiderpool-agent"];
    await eventually("the first pool to be there", async () => {
      const pools = await Promise.all(["a", "b", "c", "d"].map((name) => poolsFor(corner, name)));
      return pools.flat().length > 0;
    });
    for (const program of programs) {
      for (const node of site.nodes) {
        await killProgram(site, { program, node });
      }
    }
    for (const application of ["a", "b", "c", "d"]) {
      await rolledOut(corner, `deployment/${application}`);
      await assertLent(corner, await podsOf(corner, application), { application });
      await untilSize(corner, application, PODS / 4);
    }
  },
};

/** A pod of an application that has no address yet. */
async function waitingPod(corner: Corner, application: string): Promise<string> {
  let name = "";
  await eventually(`a pod of ${application} to be there`, async () => {
    name = (await podsOf(corner, application))[0]?.name ?? "";
    return name !== "";
  });
  return name;
}

const race: Scenario = {
  name: "race",
  promise: "of two applications that want the last addresses one has all, the other is told",
  objects: (corner) => [
    namespaceOf(corner),
    ...["one", "two"].map((name) => {
      // The second has addresses for its other family: they are of no use to it alone.
      const wish = { subnet: "tight", ofIpv6: name === "one" ? "tight" : "annex", number: "2" };
      return deployment(corner, name, { replicas: 2, ...lent(corner, wish) });
    }),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    let winner = "";
    await eventually("one of them to have its pools", async () => {
      for (const name of ["one", "two"]) {
        if ((await poolsFor(corner, name)).length > 0) winner = name;
      }
      return winner !== "";
    });
    const loser = winner === "one" ? "two" : "one";
    await rolledOut(corner, `deployment/${winner}`);
    await untilSize(corner, winner, 2);
    await assertLent(corner, await podsOf(corner, winner), { application: winner });
    const name = await waitingPod(corner, loser);
    const says =
      /no IPPool available for NIC "net1" .*SpiderSubnet "tight-v[46]" says Insufficient/;
    await assertDescribed(corner, { name, says });
    await eventually(`an Event on Deployment ${loser}`, async () => {
      const text = await kubectl.run("describe", "deployment", loser, "-n", corner.name);
      return /tight-v[46]/.test(text.slice(text.indexOf("Events:")));
    });
    assert.equal((await podsOf(corner, loser)).some(({ nics }) => nics.has("net1")), false);
    assert.deepEqual(await poolsFor(corner, loser), [], "it has no part of what it wants");
    const gone = ["--cascade=foreground", `--timeout=${LIMIT}`];
    await kubectl.run("delete", "deployment", winner, "-n", corner.name, ...gone);
    await rolledOut(corner, `deployment/${loser}`);
    await assertLent(corner, await podsOf(corner, loser), { application: loser });
  },
};

const NIC = "net1";

/** Deployments that cannot work, and what the pod and the workload say. */
function wrongOnes(corner: Corner): Readonly<
  Record<string, {
    readonly annotations: Readonly<Record<string, string>>;
    readonly pod: RegExp;
    readonly workload: RegExp;
  }>
> {
  const { annotations = {} } = lent(corner);
  const subnet = "ipam.spidernet.io/subnet";
  const number = "ipam.spidernet.io/ippool-ip-number";
  const unknown = lent(corner, { subnet: "nowhere" }).annotations ?? {};
  return {
    sum: {
      annotations: { ...annotations, [number]: "3+5" },
      pod: /wrong input .*ippool-ip-number\\?" \\?"3\+5\\?": write a count/,
      workload: /Cannot use annotation .*ippool-ip-number" "3\+5"/,
    },
    empty: {
      annotations: { [subnet]: JSON.stringify({ interface: NIC, ipv4: [], ipv6: [] }) },
      pod: /wrong input .*Cannot use ipv4 of annotation .*write the name of a SpiderSubnet/,
      workload: /Cannot use ipv4 of annotation/,
    },
    unknown: {
      annotations: unknown,
      pod: /SpiderSubnet \\?"nowhere-v[46]\\?" does not exist; create it, or name another one/,
      workload: /nowhere-v[46]/,
    },
    huge: {
      annotations: { ...annotations, [number]: "100000" },
      pod: /SpiderSubnet \\?"office-v[46]\\?" says InsufficientAddresses/,
      workload: /office-v[46]/,
    },
  };
}

const wrong: Scenario = {
  name: "wrong",
  promise: "bad input is told on the pod and on its workload, and makes no pool",
  objects: (corner) => [
    namespaceOf(corner),
    ...Object.entries(wrongOnes(corner)).filter(([name]) => name !== "huge").map(
      ([name, { annotations }]) => deployment(corner, name, { replicas: 1, annotations }),
    ),
    pod(corner, "lone", lent(corner)),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    await assertDescribed(corner, { name: "lone", says: /nothing controls the pod; make it by a/ });
    const { huge, ...others } = wrongOnes(corner);
    for (const [name, { pod: says, workload }] of Object.entries(others)) {
      await assertTold(corner, { name, says, workload });
    }
    assert.ok(huge !== undefined);
    const { annotations, pod: says, workload } = huge;
    await kubectl.apply(deployment(corner, "huge", { replicas: 1, annotations }));
    await assertTold(corner, { name: "huge", says, workload });
    await kubectl.run("delete", "deployment", "huge", "-n", corner.name);
    for (const name of [...Object.keys(others), "huge", "lone"]) {
      assert.deepEqual(await poolsFor(corner, name), [], name);
    }
  },
};

async function assertTold(
  corner: Corner,
  { name, says, workload }: {
    readonly name: string;
    readonly says: RegExp;
    readonly workload: RegExp;
  },
): Promise<void> {
  await assertDescribed(corner, { name: await waitingPod(corner, name), says });
  await eventually(`an Event on Deployment ${name}`, async () => {
    const text = await corner.site.kubectl.run("describe", "deployment", name, "-n", corner.name);
    return workload.test(text.slice(text.indexOf("Events:")));
  });
}

/** They can be played side by side; the last one makes a SpiderSubnet say that it has too few. */
export const TROUBLES: readonly Scenario[] = [race, wrong];
