/**
 * The quick start of README.md, word for word, on a cluster where nothing is installed. IPv4 alone:
 * that is what `manifests/examples` have, and families are what `ipam_test.ts` is about.
 */
import assert from "node:assert/strict";
import { cacheFolder } from "../../scripts/cluster/components.ts";
import { nativeDown, nativeUp } from "../../scripts/cluster/native.ts";
import { loadImage } from "../../scripts/cluster/node.ts";
import { run } from "../../scripts/cluster/process.ts";
import { clusterFolder } from "../../scripts/cluster/state.ts";
import { imageOfRun } from "./ipam/installation.ts";
import { identityOf, type InstalledObject } from "../support/manifest_objects.ts";
import { blocksBelow } from "../support/readme_commands.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { type Kubectl, kubectlOf } from "./kubectl.ts";

const NAME = "quick";
const INSTALL = "manifests/install.yaml";

interface Address {
  readonly spec: { readonly ip: string; readonly pool: string; readonly podName: string };
}

testWith({
  name: "the quick start of README.md leads to pods on the underlay",
  needs: [root, program("containerd"), program("nft"), linkKind("macvlan")],
  async fn(test) {
    const clusters = await Deno.makeTempDir({ prefix: "clusters-" });
    const options = { clusters, cache: cacheFolder(Deno.env), report: () => {} };
    await using undo = new AsyncDisposableStack();
    undo.defer(() => Deno.remove(clusters, { recursive: true }));
    undo.defer(() => nativeDown(NAME, options).then(() => {}));
    const [state, image] = await Promise.all([
      nativeUp({ name: NAME, nodeCount: 2, family: "ipv4" }, options),
      imageOfRun(clusters),
    ]);
    await Promise.all(state.nodes.map((node) => loadImage(node, image)));
    const folder = clusterFolder({ clusters, name: NAME });
    // What `deno task cluster up` says to export.
    const env = {
      KUBECONFIG: `${folder}/kubeconfig`,
      PATH: `${folder}/bin:${Deno.env.get("PATH") ?? ""}`,
    };
    const [_image, commands = []] = blocksBelow(
      "A pod with an address",
      await Deno.readTextFile("README.md"),
    );
    let printed = "";
    for (const command of commands) {
      await test.step(command, async () => {
        const { code, stdout, stderr } = await run(["sh", "-c", command], { env });
        assert.equal(code, 0, `${stderr}\n${stdout}`);
        printed = stdout;
      });
    }
    const kubectl = kubectlOf(folder);
    await test.step("each pod has an address of the pool, and a way to the router", async () => {
      const { items }: { readonly items: readonly Address[] } = JSON.parse(
        await kubectl.run("get", "spiderips", "-o", "json"),
      );
      assert.equal(items.length, 2);
      for (const { spec } of items) {
        assert.equal(spec.pool, "web-v4");
        assert.ok(printed.includes(spec.ip), printed);
        const line = "ip -4 -o address show dev net1 && ping -c 1 -W 5 -I net1 10.6.0.1";
        const { code, stdout, stderr } = await kubectl.shell(spec.podName, line);
        assert.equal(code, 0, `${stdout}\n${stderr}`);
        assert.ok(stdout.includes(` ${spec.ip}/16 `), stdout);
      }
    });
    await test.step("applying the installation again changes no object", async () => {
      const before = await generationsOf(kubectl);
      await kubectl.run("apply", "-f", INSTALL);
      assert.deepEqual(await generationsOf(kubectl), before);
    });
  },
});

/**
 * What changes whenever somebody changes an object, but not with its status. kubectl calls objects
 * "configured" also where it sends what is there already.
 */
async function generationsOf(kubectl: Kubectl): Promise<Readonly<Record<string, string>>> {
  const { items }: { readonly items: readonly InstalledObject[] } = JSON.parse(
    await kubectl.run("get", "-f", INSTALL, "-o", "json"),
  );
  assert.ok(items.length > 20);
  return Object.fromEntries(items.map((item) => {
    const { generation, resourceVersion } = item.metadata;
    return [identityOf(item), String(generation ?? resourceVersion)];
  }));
}
