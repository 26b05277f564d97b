/** Plugins from a real build in a node's folder, put there by the built agent. */
import assert from "node:assert/strict";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import { PLUGIN_NAMES } from "../../src/agent/install.ts";
import { build, type Ended, start } from "./programs.ts";

/** What every file below a folder is: its number, size and permissions. */
async function filesBelow(folder: string): Promise<Readonly<Record<string, string>>> {
  const files: Record<string, string> = {};
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) {
      for (const [inner, facts] of Object.entries(await filesBelow(`${folder}/${name}`))) {
        files[`${name}/${inner}`] = facts;
      }
      continue;
    }
    const { ino, size, mode } = await Deno.stat(`${folder}/${name}`);
    files[name] = `${ino} ${size} ${((mode ?? 0) & 0o777).toString(8)}`;
  }
  return files;
}

Deno.test("the built agent installs plugins that start", async (t) => {
  const work = await Deno.makeTempDir({ prefix: "install test-" }); // A space: scripts must quote.
  const from = `${work}/${ownArchitecture()}`;
  const to = `${work}/cni bin`;
  function install(): Promise<Ended> {
    const args = ["install-plugins", "--from", from, "--to", to];
    return start(`${from}/spiderpool-agent`, { args });
  }
  try {
    assert.equal((await build(["--out", work])).code, 0);
    await Deno.mkdir(to);
    await t.step("each plugin starts from the folder, and no other program is there", async () => {
      const { code, stdout, stderr } = await install();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
      assert.match(stdout, /^Installed spiderpool, coordinator, ifacer, vlan into [^\n]+\n$/);
      for (const name of PLUGIN_NAMES) {
        const env = { CNI_COMMAND: "VERSION" };
        const answer = await start(`${to}/${name}`, { env, input: '{"cniVersion":"1.0.0"}' });
        assert.equal(answer.code, 0, `${name}: ${answer.stderr}`);
      }
      const tops = Object.keys(await filesBelow(to)).filter((path) => !path.includes("/"));
      assert.deepEqual(tops.toSorted(), [...PLUGIN_NAMES].toSorted());
    });
    const installed = await filesBelow(to);
    await t.step("all plugins are one file", () => {
      assert.equal(new Set(PLUGIN_NAMES.map((name) => installed[name])).size, 1);
    });
    await t.step("a second run says that all is there, and changes nothing", async () => {
      const { code, stdout } = await install();
      assert.equal(code, 0);
      assert.match(stdout, /are up to date\n$/);
      assert.deepEqual(await filesBelow(to), installed);
    });
    await t.step("what differs is brought again, what is left over goes", async () => {
      await Deno.remove(`${to}/vlan`);
      await Deno.writeTextFile(`${to}/vlan`, "#!/bin/false\n", { mode: 0o755 });
      await Deno.writeTextFile(`${to}/.spiderpool-install-1f`, "half");
      await Deno.writeTextFile(`${to}/macvlan`, "somebody else's");
      assert.equal((await install()).code, 0);
      const { macvlan, ...ours } = await filesBelow(to);
      assert.notEqual(macvlan, undefined);
      assert.deepEqual(ours, installed);
    });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
});
