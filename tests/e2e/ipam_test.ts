/**
 * Addresses for real pods on a real cluster, in every family: agent and plugins from our own image,
 * macvlan on the underlay. One cluster for a family; the scenarios' pods start together.
 */
import type { ClusterFamily } from "../../scripts/cluster/plan.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { BROKEN } from "./ipam/broken.ts";
import { network } from "./ipam/corner.ts";
import { install } from "./ipam/installation.ts";
import { NICS } from "./ipam/nics.ts";
import { applyAll, nothingLeaks, objectsOf, play, type Scene } from "./ipam/play.ts";
import { POOL_CHOICE } from "./ipam/pool_choice.ts";
import { nothingWasForbidden, RESTART, STORM } from "./ipam/storm.ts";
import { WORKLOADS } from "./ipam/workloads.ts";

const FAMILIES: readonly ClusterFamily[] = ["ipv4", "ipv6", "dual"];
const wanted = (Deno.env.get("E2E_FAMILIES") ?? FAMILIES.join(",")).split(",");

/** Played side by side: what they check last takes longest, so it has the most time. */
const TOGETHER = [...POOL_CHOICE, ...NICS, RESTART, ...WORKLOADS, BROKEN];

for (const family of FAMILIES.filter((name) => wanted.includes(name))) {
  testWith({
    name: `ipam: pods of a real cluster have their addresses (${family})`,
    needs: [root, program("containerd"), program("nft"), linkKind("macvlan")],
    async fn(test) {
      await using site = await install(family);
      const scenes = [...TOGETHER, STORM].map((scenario, position): Scene => ({
        scenario,
        corner: { site, name: scenario.name, block: 10 + position },
      }));
      await applyAll(site, [
        network("underlay", { type: "macvlan", master: "eth1", mode: "bridge" }),
        ...scenes.filter(({ scenario }) => scenario !== STORM).flatMap(objectsOf),
      ]);
      await test.step("the API server takes the examples", async () => {
        const args = ["--dry-run=server", "--validate=strict", "-f", "manifests/examples"];
        await site.kubectl.run("apply", ...args);
      });
      for (const scene of scenes) {
        const { promise, name } = scene.scenario;
        await test.step(`${promise} (${name})`, async () => {
          if (scene.scenario === STORM) await applyAll(site, objectsOf(scene));
          await play(scene);
        });
      }
      await test.step("nothing is left when every pod is gone", async () => {
        await nothingLeaks(scenes);
      });
      await test.step("agents have the rights that they need", async () => {
        await nothingWasForbidden(site);
      });
    },
  });
}
