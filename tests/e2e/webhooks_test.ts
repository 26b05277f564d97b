/**
 * Webhooks of a real cluster: what is wrong is refused with what to write instead, and nothing that
 * runs waits for who refuses.
 */
import assert from "node:assert/strict";
import type { ClusterFamily } from "../../scripts/cluster/plan.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { say } from "./controller/said.ts";
import { untilPools } from "./controller/pools.ts";
import { type Corner, network, type Scenario } from "./ipam/corner.ts";
import { applyWebhooks, install, type Installation } from "./ipam/installation.ts";
import { applyAll, nothingLeaks, objectsOf, play, type Scene } from "./ipam/play.ts";
import { nothingWasForbidden } from "./ipam/storm.ts";
import { CERT_MANAGER } from "./webhooks/issued.ts";
import { replaceUnderLoad, Rotation, spoilUnderLoad } from "./webhooks/rotation.ts";
import { SILENCE } from "./webhooks/silence.ts";
import { TOGETHER, twins } from "./webhooks/together.ts";
import { TOLD } from "./webhooks/told.ts";

const FAMILIES: readonly ClusterFamily[] = ["ipv4", "ipv6", "dual"];
const wanted = (Deno.env.get("E2E_FAMILIES") ?? FAMILIES.join(",")).split(",");

function sceneOf(site: Installation, scenario: Scenario, position: number): Scene {
  const corner: Corner = { site, name: scenario.name, block: 10 + position };
  return { scenario, corner };
}

for (const family of FAMILIES.filter((name) => wanted.includes(name))) {
  testWith({
    name: `webhooks: what is wrong is refused, and nothing else waits (${family})`,
    needs: [root, program("containerd"), program("nft"), linkKind("macvlan")],
    async fn(test) {
      await using site = await install(family, { name: "hooks" });
      const [told, together, silence, managed] = [TOLD, TOGETHER, SILENCE, CERT_MANAGER]
        .map((scenario, position) => sceneOf(site, scenario, position));
      assert.ok(told && together && silence && managed);
      const scenes = [told, together, silence, ...family === "dual" ? [managed] : []];
      // Twins are there before anybody could refuse the second one.
      await site.kubectl.apply(...twins(together.corner, "elder"));
      await untilPools(together.corner, "elder", ({ status }) => status?.truth === "SpiderIP");
      await site.kubectl.apply(...twins(together.corner, "younger"));
      await applyWebhooks(site.kubectl);
      await applyAll(site, [
        network("underlay", { type: "macvlan", master: "eth1", mode: "bridge" }),
        ...scenes.flatMap(objectsOf),
      ]);
      await test.step("all that follows is asked while certificates change", async (step) => {
        await using rotation = await Rotation.begin(site);
        for (const scene of [told, together]) {
          const { promise, name } = scene.scenario;
          await step.step(`${promise} (${name})`, () => play(scene));
        }
        const { requests, failures } = await rotation.finished();
        await say(`the certificate changed under ${requests} requests`);
        assert.deepEqual(failures, []);
      });
      // Who answers is of no family: it is enough to see this in one.
      await test.step({
        name: "nothing is refused while a certificate is lost, and both controllers are replaced",
        ignore: family !== "ipv4",
        async fn() {
          assert.deepEqual((await spoilUnderLoad(site)).failures, []);
          const { requests, failures } = await replaceUnderLoad(site);
          await say(`both controllers were replaced under ${requests} requests`);
          assert.deepEqual(failures, []);
        },
      });
      for (const scene of scenes.filter((one) => one === silence || one === managed)) {
        const { promise, name } = scene.scenario;
        await test.step(`${promise} (${name})`, () => play(scene));
      }
      await test.step("nothing is left when every pod is gone", async () => {
        await nothingLeaks(scenes);
      });
      await test.step("agents and controllers have the rights that they need", async () => {
        await nothingWasForbidden(site);
      });
    },
  });
}
