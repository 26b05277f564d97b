/**
 * Pools that SpiderSubnets give to applications, on a real cluster of both families, looked at by
 * webhooks; the pods of the scenarios start together.
 */
import type { ClusterFamily } from "../../scripts/cluster/plan.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { network } from "./ipam/corner.ts";
import { applyWebhooks, install } from "./ipam/installation.ts";
import { applyAll, nothingLeaks, objectsOf, play, type Scene } from "./ipam/play.ts";
import { nothingWasForbidden } from "./ipam/storm.ts";
import { FLEET } from "./subnets/fleet.ts";
import { everythingIsBack, subnets } from "./subnets/ground.ts";
import { KILLED, TROUBLES } from "./subnets/troubles.ts";
import { WORKLOADS } from "./subnets/workloads.ts";

/** Where both are, an application has the pools of each, or none. */
const FAMILIES: readonly ClusterFamily[] = ["dual"];
const wanted = (Deno.env.get("E2E_FAMILIES") ?? FAMILIES.join(",")).split(",");

const SCENARIOS = [...WORKLOADS, FLEET, ...TROUBLES, KILLED];

for (const family of FAMILIES.filter((name) => wanted.includes(name))) {
  testWith({
    name: `subnets: applications of a real cluster have pools of their own (${family})`,
    needs: [root, program("containerd"), program("nft"), linkKind("macvlan")],
    async fn(test) {
      await using site = await install(family, { name: "subnets" });
      await applyWebhooks(site.kubectl);
      const scenes = SCENARIOS.map((scenario, position): Scene => ({
        scenario,
        corner: { site, name: scenario.name, block: 10 + position },
      }));
      await site.kubectl.apply(...subnets(site));
      await applyAll(site, [
        network("underlay", { type: "macvlan", master: "eth1", mode: "bridge" }),
        ...scenes.filter(({ scenario }) => scenario !== KILLED).flatMap(objectsOf),
      ]);
      for (const scene of scenes) {
        const { promise, name } = scene.scenario;
        await test.step(`${promise} (${name})`, async () => {
          if (scene.scenario === KILLED) await applyAll(site, objectsOf(scene));
          await play(scene);
        });
      }
      await test.step("nothing is left when every pod is gone", async () => {
        await nothingLeaks(scenes);
        // A minute and more after KILLED: what a former leader may be about to make, or a creation
        // without an answer may still make, is lent to nobody else meanwhile (design.md 2.6).
        await everythingIsBack(site);
      });
      await test.step("agents and controllers have the rights that they need", async () => {
        await nothingWasForbidden(site);
      });
    },
  });
}
