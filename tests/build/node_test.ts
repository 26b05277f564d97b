/** Plugins from a real build, installed on nodes with other C libraries: refused, or started. */
import assert from "node:assert/strict";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import { PLUGIN_NAMES } from "../../src/agent/install.ts";
import { GLIBC_NEEDED } from "../../src/agent/install_trial.ts";
import { program, root, testWith } from "../support/require.ts";
import {
  makeMuslNode,
  makeOldestNode,
  makeTooOldNode,
  OLDEST,
  TOO_OLD_GLIBC,
} from "./node_trees.ts";
import { build, type Ended, start } from "./programs.ts";

/** Newest version of glibc that the runtime of the plugins is linked against. */
async function glibcOf(file: string): Promise<string> {
  const text = new TextDecoder("latin1").decode(await Deno.readFile(file));
  const versions = [...text.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
  return `2.${Math.max(...versions)}`;
}

testWith({
  name: "plugins are installed on a node that can start them, and on no other",
  needs: [root, program("apt-get"), program("dpkg"), program("chroot")],
  async fn(test) {
    const work = await Deno.makeTempDir({ prefix: "nodes-" });
    const from = `${work}/${ownArchitecture()}`;
    function install(node: string, to: string): Promise<Ended> {
      const args = ["install-plugins", "--from", from, "--to", to, "--root", node];
      return start(`${from}/spiderpool-agent`, { args });
    }
    async function filesIn(folder: string): Promise<readonly string[]> {
      return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).toSorted();
    }
    try {
      assert.equal((await build(["--out", work])).code, 0);
      await test.step(`a node of ${OLDEST.name} starts them with its own libraries`, async () => {
        const node = `${work}/oldest`;
        const to = await makeOldestNode(node);
        const { code, stdout, stderr } = await install(node, to);
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
        assert.match(stdout, /^Installed spiderpool, /);
        assert.deepEqual(await filesIn(to), [...PLUGIN_NAMES, "spiderpool.runtime"].toSorted());
      });
      await test.step("a node with an older glibc hears which one is needed", async () => {
        const node = `${work}/too-old`;
        const to = await makeTooOldNode(node);
        const { code, stderr } = await install(node, to);
        assert.deepEqual({ code, stderr }, {
          code: 1,
          stderr: `Cannot install plugins into "${to}": they need glibc ${GLIBC_NEEDED} or ` +
            `newer, and this node has ${TOO_OLD_GLIBC}: use a newer distribution on it; nothing ` +
            "was replaced\n",
        });
        assert.deepEqual(await filesIn(to), []);
      });
      await test.step("a node with musl hears that it is the wrong library", async () => {
        const node = `${work}/musl`;
        const to = await makeMuslNode(node);
        await Deno.writeTextFile(`${to}/spiderpool`, "an older one");
        const { code, stderr } = await install(node, to);
        assert.equal(code, 1);
        assert.match(stderr, /glibc 2\.27 or newer, and this node has musl 1\.[^\n]+\n$/);
        assert.deepEqual(await filesIn(to), ["spiderpool"]);
        assert.equal(await Deno.readTextFile(`${to}/spiderpool`), "an older one");
      });
      await test.step("the version that is said to be needed is the one that is", async () => {
        const runtime = `${from}/spiderpool.runtime/deno`;
        const isLaunched = await Deno.stat(runtime).then(() => true, () => false);
        const file = isLaunched ? runtime : `${from}/spiderpool`;
        assert.equal(await glibcOf(file), GLIBC_NEEDED);
      });
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  },
});
