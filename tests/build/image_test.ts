/** The agent's image: built without Docker, and everything that its programs need is inside. */
import assert from "node:assert/strict";
import { PROGRAM_NAMES } from "../../main.ts";
import { AGENT_IMAGE } from "../../scripts/build/agent_image.ts";
import { run, runOrThrow } from "../../scripts/cluster/process.ts";
import { writeAgentImage } from "../../scripts/image.ts";
import { VERSION } from "../../src/base/version.ts";
import { root, testWith } from "../support/require.ts";

const FOLDER = "/usr/lib/spiderpool";

/** Starts a program in a tree of files as a container would: nothing of the machine is there. */
function start(tree: string, command: readonly string[]) {
  const contain = ["unshare", "--mount", "--pid", "--fork", `--root=${tree}`, "--mount-proc"];
  return run(["env", "-i", `PATH=${FOLDER}:/bin`, ...contain, "--", ...command]);
}

testWith({
  name: "the agent's image holds every program and what it needs",
  needs: [root],
  async fn(test) {
    const work = await Deno.makeTempDir({ prefix: "image-" });
    const archive = `${work}/image.tar`;
    const tree = `${work}/tree`;
    try {
      await writeAgentImage(archive, { say: () => {} });
      await runOrThrow(["tar", "-xf", archive, "-C", work]);
      const [manifest] = JSON.parse(await Deno.readTextFile(`${work}/manifest.json`));
      await Deno.mkdir(`${tree}/proc`, { recursive: true });
      await runOrThrow(["tar", "-xf", `${work}/${manifest.Layers[0]}`, "-C", tree]);

      await test.step("it has the name that manifests/deploy gives every container", async () => {
        assert.deepEqual(manifest.RepoTags, [AGENT_IMAGE]);
        const text = await Deno.readTextFile("manifests/deploy/agent.yaml");
        const images = [...text.matchAll(/ image: (\S+)/g)].map(([, name]) => name);
        assert.deepEqual(images, [AGENT_IMAGE, AGENT_IMAGE]);
      });
      await test.step("all names are one file, so that it is not larger than one", async () => {
        const facts = PROGRAM_NAMES.map((name) => Deno.stat(`${tree}${FOLDER}/${name}`));
        const files = new Set((await Promise.all(facts)).map(({ ino }) => ino));
        assert.equal(files.size, 1);
      });
      await test.step("a program is found by its name and starts", async () => {
        const { code, stdout, stderr } = await start(tree, ["spiderpool-agent", "--version"]);
        assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
        assert.equal(stdout, `spiderpool-agent ${VERSION}\n`);
      });
    } finally {
      await Deno.remove(work, { recursive: true });
    }
  },
});
