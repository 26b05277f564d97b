/** What the built plugin `vlan` does with the rights that it has: it starts an IPAM plugin. */
import assert from "node:assert/strict";
import { type Ended, start } from "./programs.ts";

/** Notes what it is asked, says no to STATUS, and succeeds otherwise. */
function ipamText(folder: string): string {
  return [
    "#!/bin/sh",
    `echo "$CNI_COMMAND $CNI_IFNAME $CNI_ARGS" >> '${folder}/asked'`,
    `cat > '${folder}/input'`,
    '[ "$CNI_COMMAND" != STATUS ] && exit',
    `echo '{"cniVersion":"1.1.0","code":50,"msg":"Not now"}'`,
    "exit 1",
    "",
  ].join("\n");
}

/** Runs each step. @param program The built plugin. */
export async function runVlanCases(t: Deno.TestContext, program: string): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "vlan test-" });
  const network = { cniVersion: "1.1.0", name: "n", type: "vlan", master: "m", vlanId: 1 };
  const input = JSON.stringify({ ...network, ipam: { type: "ipam" } });
  const run = (command: string, more: Readonly<Record<string, string>> = {}): Promise<Ended> =>
    start(program, {
      input,
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: "c0ffee",
        CNI_NETNS: `${folder}/gone`,
        CNI_IFNAME: "eth0",
        CNI_ARGS: "a=b",
        CNI_PATH: `/none:${folder}`,
        ...more,
      },
    });
  try {
    await Deno.writeTextFile(`${folder}/ipam`, ipamText(folder), { mode: 0o755 });
    await t.step("vlan hands DEL and GC on, with what it was told itself", async () => {
      for (const command of ["DEL", "GC"]) {
        assert.deepEqual(await run(command), { code: 0, stdout: "", stderr: "" });
      }
      assert.equal(await Deno.readTextFile(`${folder}/input`), input);
      const asked = await Deno.readTextFile(`${folder}/asked`);
      assert.deepEqual(asked.trim().split("\n"), ["DEL eth0 a=b", "GC eth0 a=b"]);
    });
    await t.step("vlan passes an IPAM plugin's refusal on", async () => {
      const { code, stdout } = await run("STATUS");
      assert.deepEqual([code, JSON.parse(stdout)], [
        1,
        { cniVersion: "1.1.0", code: 50, msg: "Not now" },
      ]);
    });
    await t.step("vlan says what it lacks", async () => {
      const gone = await run("ADD");
      assert.match(JSON.parse(gone.stdout).msg, /^Cannot open network namespace "/, gone.stderr);
      const nowhere = await run("ADD", { CNI_PATH: "/none" });
      assert.match(JSON.parse(nowhere.stdout).msg, /plugin "ipam": it is not in \/none; install/);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
