/** Controllers of a real cluster: what pools tell, and who tells it. */
import type { ClusterFamily } from "../../scripts/cluster/plan.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { AGAIN } from "./controller/again.ts";
import { BETWEEN } from "./controller/between.ts";
import { DISCOVERY } from "./controller/discovery.ts";
import { ENDPOINTS } from "./controller/endpoints.ts";
import { LEADERSHIP } from "./controller/leadership.ts";
import { LOST_DELS } from "./controller/lost_dels.ts";
import { LOST_NODE } from "./controller/lost_node.ts";
import { MACHINE, MOVE } from "./controller/machine.ts";
import { MEANWHILE } from "./controller/meanwhile.ts";
import { RETURNS } from "./controller/returns.ts";
import { FENCE, STATUS } from "./controller/status.ts";
import { VANISHED } from "./controller/vanished.ts";
import { WRONG_POOLS } from "./controller/wrong_pools.ts";
import { network } from "./ipam/corner.ts";
import { install } from "./ipam/installation.ts";
import { applyAll, nothingLeaks, objectsOf, play, type Scene } from "./ipam/play.ts";
import { nothingWasForbidden } from "./ipam/storm.ts";

const FAMILIES: readonly ClusterFamily[] = ["ipv4", "ipv6", "dual"];
const wanted = (Deno.env.get("E2E_FAMILIES") ?? FAMILIES.join(",")).split(",");

/** One after the other: the last ones take something away that the others need. */
const SCENARIOS = [
  ...[STATUS, FENCE, WRONG_POOLS, VANISHED, AGAIN, LOST_DELS],
  ...[BETWEEN, LEADERSHIP, MEANWHILE, RETURNS, MACHINE, ENDPOINTS, DISCOVERY],
];

for (const family of FAMILIES.filter((name) => wanted.includes(name))) {
  testWith({
    name: `controller: pools of a real cluster tell the truth (${family})`,
    needs: [root, program("containerd"), program("nft"), linkKind("macvlan")],
    async fn(test) {
      await using site = await install(family, { name: "control" });
      // Moves are of no family; agents start again for this one, twice.
      const scenarios = [...SCENARIOS, ...family === "ipv4" ? [MOVE] : []];
      const scenes = scenarios.map((scenario, position): Scene => ({
        scenario,
        corner: { site, name: scenario.name, block: 10 + position },
      }));
      await applyAll(site, [
        network("underlay", { type: "macvlan", master: "eth1", mode: "bridge" }),
        ...scenes.flatMap(objectsOf),
      ]);
      for (const scene of scenes) {
        const { promise, name } = scene.scenario;
        await test.step(`${promise} (${name})`, () => play(scene));
      }
      await test.step("nothing is left when every pod is gone", async () => {
        await nothingLeaks(scenes);
      });
      await test.step("agents and controllers have the rights that they need", async () => {
        await nothingWasForbidden(site);
      });
      const last: Scene = {
        scenario: LOST_NODE,
        corner: { site, name: LOST_NODE.name, block: 10 + scenarios.length },
      };
      await applyAll(site, objectsOf(last));
      await test.step(`${LOST_NODE.promise} (${LOST_NODE.name})`, () => play(last));
    },
  });
}
