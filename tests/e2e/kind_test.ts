/**
 * The quick start of README.md for kind, word for word, in Docker containers. IPv4 alone: that is
 * what `manifests/examples` have.
 */
import assert from "node:assert/strict";
import * as path from "node:path";
import {
  cacheFolder,
  ensureComponents,
  ensureKindPrograms,
} from "../../scripts/cluster/components.ts";
import { NODE_IMAGE_VARIABLE } from "../../scripts/cluster/kind.ts";
import { ensureNodeImage } from "../../scripts/cluster/kind_node/image.ts";
import { clusterFolder } from "../../scripts/cluster/state.ts";
import { DockerEngine } from "../support/docker_engine.ts";
import { blocksBelow } from "../support/readme_commands.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";

const NAME = "dev";

interface Address {
  readonly spec: { readonly ip: string; readonly pool: string; readonly podName: string };
}

testWith({
  name: "the quick start of README.md for kind leads to pods on the underlay",
  needs: [
    ...[root, linkKind("macvlan"), linkKind("bridge")],
    ...["dockerd", "docker", "debootstrap", "containerd"].map(program),
  ],
  async fn(test) {
    const sources = { cache: cacheFolder(Deno.env), report: () => {}, fetch };
    const components = await ensureComponents(sources);
    const programs = await ensureKindPrograms(sources);
    await using engine = await DockerEngine.start();
    const image = await ensureNodeImage({
      ...sources,
      ...{ components, programs },
      run: (command, options) => engine.run(command, options),
    });
    await using undo = new AsyncDisposableStack();
    const clusters = await Deno.makeTempDir({ prefix: "clusters-" });
    undo.defer(() => Deno.remove(clusters, { recursive: true }));
    undo.defer(() => Deno.remove("agent.tar").catch(() => {}));
    const env = {
      SPIDERPOOL_CLUSTERS: clusters,
      [NODE_IMAGE_VARIABLE]: image,
      // What `deno task cluster up` says to export.
      KUBECONFIG: path.join(clusterFolder({ clusters, name: NAME }), "kubeconfig"),
      PATH: `${programs.folder}:${components.folder}:${Deno.env.get("PATH") ?? ""}`,
    };
    const output = async (command: string): Promise<string> => {
      const { code, stdout, stderr } = await engine.run(["sh", "-c", command], { env });
      assert.equal(code, 0, `${stderr}\n${stdout}`);
      return stdout;
    };
    const text = await Deno.readTextFile("README.md");
    const commands = blocksBelow("A pod with an address", text).find(([first]) =>
      first?.includes("--provider kind")
    );
    assert.ok(commands);
    let printed = "";
    for (const command of commands) {
      const isDone = await test.step(command, async () => void (printed = await output(command)));
      if (!isDone) return; // Each stands on the one before.
    }
    await test.step("each pod has an address of the pool, and a way to the others", async () => {
      const { items }: { readonly items: readonly Address[] } = JSON.parse(
        await output("kubectl get spiderips -o json"),
      );
      assert.equal(items.length, 2);
      for (const { spec } of items) {
        assert.equal(spec.pool, "web-v4");
        assert.ok(printed.includes(spec.ip), printed);
        const others = items.filter((item) => item.spec.ip !== spec.ip);
        for (const { spec: { ip } } of others) {
          const line = `ip -4 -o address show dev net1 && ping -c 1 -W 5 -I net1 ${ip}`;
          const shown = await output(`kubectl exec ${spec.podName} -- sh -c '${line}'`);
          assert.ok(shown.includes(` ${spec.ip}/16 `), shown);
        }
      }
    });
    await test.step("nothing of it is left in Docker", async () => {
      assert.match(await output("deno task cluster down"), /Cluster "dev" is gone/);
      const left = await output("docker ps --all --quiet; docker network ls --format {{.Name}}");
      assert.deepEqual(left.trim().split("\n").toSorted(), ["bridge", "host", "kind", "none"]);
    });
  },
});
