/**
 * One version after another while pods start and stop. Family: dual alone, as an upgrade knows no
 * families, and pods of both have the most to lose.
 */
import assert from "node:assert/strict";
import { loadImage } from "../../scripts/cluster/node.ts";
import { say } from "./controller/said.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import {
  ask,
  type Corner,
  deployment,
  namespaceOf,
  network,
  pools,
  type Scenario,
  statefulSet,
} from "./ipam/corner.ts";
import {
  agentsAreReady,
  applyWebhooks,
  controllersAreReady,
  install,
  type Installation,
} from "./ipam/installation.ts";
import {
  addressesInUse,
  assertAddresses,
  eventually,
  podsOf,
  rolledOut,
  shell,
} from "./ipam/observed.ts";
import { applyAll, nothingLeaks, objectsOf, play, type Scene } from "./ipam/play.ts";
import { nothingWasForbidden } from "./ipam/storm.ts";
import { makeNextVersion, type NextVersion } from "./next_version.ts";

/** Pods of the Deployment that is replaced again and again. */
const BUSY = 4;

const wanted = Deno.env.get("E2E_FAMILIES")?.split(",").includes("dual") ?? true;

testWith({
  name: "upgrade: pods start and stop while the next version is installed (dual)",
  ignore: !wanted,
  needs: [root, program("containerd"), program("nft"), linkKind("macvlan")],
  async fn(test) {
    await using site = await install("dual", { name: "upgrade" });
    await applyWebhooks(site.kubectl);
    const folder = await Deno.makeTempDir({ prefix: "next-" });
    await using undo = new AsyncDisposableStack();
    undo.defer(() => Deno.remove(folder, { recursive: true }));
    const next = await makeNextVersion(folder);
    await Promise.all(site.state.nodes.map((node) => loadImage(node, next.image)));
    const scenario = upgradeTo(next);
    const scene: Scene = { scenario, corner: { site, name: scenario.name, block: 10 } };
    await applyAll(site, [
      network("underlay", { type: "macvlan", master: "eth1", mode: "bridge" }),
      ...objectsOf(scene),
    ]);
    await test.step(scenario.promise, () => play(scene));
    await test.step("nothing is left when every pod is gone", () => nothingLeaks([scene]));
    await test.step("agents and controllers have the rights that they need", async () => {
      await nothingWasForbidden(site);
    });
  },
});

function upgradeTo(next: NextVersion): Scenario {
  return {
    name: "upgrade",
    promise: "no sandbox fails, no address is lost, and pods that run notice nothing",
    objects: (corner) => [
      namespaceOf(corner),
      ...pools(corner, "p", { count: 40 }),
      deployment(corner, "calm", { replicas: 2, ippool: ask(corner, "p") }),
      statefulSet(corner, "db", { replicas: 2, ippool: ask(corner, "p") }),
      deployment(corner, "busy", { replicas: BUSY, ippool: ask(corner, "p") }),
    ],
    check: async (corner) => {
      const { site } = corner;
      const workloads = ["deployment/calm", "statefulset/db", "deployment/busy"];
      await Promise.all(workloads.map((workload) => rolledOut(corner, workload)));
      const calm = await podsOf(corner, "calm");
      const db = await podsOf(corner, "db");
      const ping = await startPing(corner);

      const replaced = { isOver: false };
      const rounds = replaceUntil(corner, () => replaced.isOver);
      try {
        await installVersion(site, next);
        await site.kubectl.run("delete", "pod", "-n", corner.name, "db-0");
        await rolledOut(corner, "statefulset/db");
      } finally {
        replaced.isOver = true;
      }
      const count = await rounds;
      await say(`${BUSY} pods were replaced ${count} times while the next version was installed`);

      assert.match(await ping.end(), /, 0% packet loss/);
      assert.deepEqual(await podsOf(corner, "calm"), calm, "pods that run noticed nothing");
      const pods = await podsOf(corner);
      await assertAddresses(corner, pods, { nic: "net1", from: ["p"] });
      const addressesOf = (all: typeof db) => all.map(({ name, nics }) => [name, nics.get("net1")]);
      assert.deepEqual(addressesOf(await podsOf(corner, "db")), addressesOf(db));
      await assertNothingFailed(corner);
      await eventually("what replaced pods had to be free", async () => {
        return (await addressesInUse(site)).size === pods.length * site.versions.length;
      });
    },
  };
}

/** Replaces every pod of the busy Deployment again and again. @returns How often. */
async function replaceUntil(corner: Corner, isOver: () => boolean): Promise<number> {
  const busy = ["-n", corner.name, "deployment/busy"];
  for (let round = 1;; round++) {
    await corner.site.kubectl.run("rollout", "restart", ...busy);
    await rolledOut(corner, "deployment/busy");
    if (isOver()) return round;
  }
}

/** Applies the manifests of a version, as their README says, until every node has its agent. */
async function installVersion(
  { kubectl, nodes }: Installation,
  { version, manifests }: NextVersion,
): Promise<void> {
  await kubectl.run("apply", "-f", `${manifests}/install.yaml`);
  await agentsAreReady(kubectl);
  await controllersAreReady(kubectl);
  const agents = ["-n", "spiderpool", "daemonset/spiderpool-agent", "--all-pods"];
  const said = await kubectl.run("logs", ...agents, "-c", "spiderpool-agent");
  for (const node of nodes) {
    assert.match(said, new RegExp(`"agent starts","version":"${version}","node":"${node}"`));
  }
}

/** Has one calm pod ping the other. @returns What ping says in the end. */
async function startPing(corner: Corner): Promise<{ readonly end: () => Promise<string> }> {
  const [from, to] = await podsOf(corner, "calm");
  const target = to?.nics.get("net1")?.[0] ?? "";
  const name = from?.name ?? "";
  const begin = `ping -i 0.3 ${target} >/tmp/ping 2>&1 & echo $! >/tmp/pid`;
  assert.equal((await shell(corner, { name, line: begin })).code, 0);
  const line = "pid=$(cat /tmp/pid); kill -INT $pid; " +
    "while kill -0 $pid 2>/dev/null; do sleep 0.1; done; cat /tmp/ping";
  return { end: async () => (await shell(corner, { name, line })).stdout };
}

/** No kubelet had to make a sandbox twice. */
async function assertNothingFailed({ site: { kubectl }, name }: Corner): Promise<void> {
  const reason = ["--field-selector", "reason=FailedCreatePodSandBox"];
  const failed = await kubectl.run("get", "events", "-n", name, ...reason, "-o", "wide");
  assert.equal(failed, "", "no sandbox failed");
}
