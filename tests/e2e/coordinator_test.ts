/**
 * Underlay pods of a real cluster as its first-class citizens: probed, served and serving, in every
 * family. One cluster for a family; the scenarios' pods start together.
 */
import type { ClusterFamily } from "../../scripts/cluster/plan.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { becomeSynced, BROKEN, MISSING, NOT_SYNCED } from "./coordinator/broken.ts";
import { FIRST_NIC } from "./coordinator/first_nic.ts";
import { coordinatedNetwork, COORDINATOR } from "./coordinator/networks.ts";
import { assertNothingLeft, coordinatorStateOf } from "./coordinator/node_state.ts";
import { REBOOT } from "./coordinator/reboot.ts";
import { SEVERAL_NICS } from "./coordinator/several_nics.ts";
import type { Corner, Scenario } from "./ipam/corner.ts";
import { install, type Installation } from "./ipam/installation.ts";
import { applyAll, nothingLeaks, objectsOf, play, type Scene } from "./ipam/play.ts";
import { nothingWasForbidden } from "./ipam/storm.ts";

const FAMILIES: readonly ClusterFamily[] = ["ipv4", "ipv6", "dual"];
const wanted = (Deno.env.get("E2E_FAMILIES") ?? FAMILIES.join(",")).split(",");

/** Played side by side: what they check last takes longest, so it has the most time. */
const TOGETHER = [...SEVERAL_NICS, BROKEN, ...FIRST_NIC];

function sceneOf(site: Installation, scenario: Scenario, position: number): Scene {
  const corner: Corner = { site, name: scenario.name, block: 10 + position };
  return { scenario, corner };
}

for (const family of FAMILIES.filter((name) => wanted.includes(name))) {
  testWith({
    name: `coordinator: underlay pods are first-class citizens of a cluster (${family})`,
    needs: [root, ...["containerd", "curl", "nft"].map(program), linkKind("macvlan")],
    async fn(test) {
      await using site = await install(family, { name: "coord" });
      const before = await Promise.all(site.state.nodes.map(coordinatorStateOf));
      const early = sceneOf(site, NOT_SYNCED, 0);
      const together = TOGETHER.map((scenario, index) => sceneOf(site, scenario, index + 1));
      const late = sceneOf(site, REBOOT, 1 + together.length);
      await applyAll(site, [COORDINATOR, coordinatedNetwork("coordinated")]);
      await applyAll(site, objectsOf(early));
      const step = async (scene: Scene): Promise<void> => {
        const { promise, name } = scene.scenario;
        await test.step(`${promise} (${name})`, () => play(scene));
      };
      await test.step("a pod says that it waits for its SpiderCoordinator", async () => {
        await becomeSynced(early.corner);
      });
      await applyAll(site, together.flatMap(objectsOf));
      // What waited is tried again by its kubelet some time: the others are looked at meanwhile.
      for (const scene of [...together, early]) await step(scene);
      await test.step("nothing is left when every pod is gone", async () => {
        await nothingLeaks([early, ...together]);
        for (const [index, node] of site.state.nodes.entries()) {
          await assertNothingLeft(node, before[index] ?? "");
        }
      });
      await applyAll(site, objectsOf(late));
      await step(late);
      await site.kubectl.run("delete", "spidercoordinator", "default");
      const last = sceneOf(site, MISSING, 2 + together.length);
      await applyAll(site, objectsOf(last));
      await step(last);
      await test.step("agents have the rights that they need", async () => {
        await nothingWasForbidden(site);
      });
    },
  });
}
