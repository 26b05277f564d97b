import assert from "node:assert/strict";
import * as path from "node:path";
import { PROGRAM_NAMES } from "../../main.ts";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import { RUNTIME_FOLDER } from "../../scripts/build/launcher.ts";
import { VERSION } from "../../src/base/version.ts";
import { runAgentCases } from "./agent_cases.ts";
import { runControllerCases } from "./controller_cases.ts";
import { runPluginCases, timedAdd } from "./plugin_cases.ts";
import { bestMs, build, start } from "./programs.ts";
import { runVlanCases } from "./vlan_cases.ts";

const PLUGINS = ["spiderpool", "coordinator", "ifacer", "vlan"];
const STARTS = 20;

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

async function answersVersion(file: string, cwd: string): Promise<void> {
  const name = path.basename(file);
  const expected = { code: 0, stdout: `${name} ${VERSION}\n`, stderr: "" };
  assert.deepEqual(await start(file, { args: ["--version"], cwd }), expected);
  const refused = await start(file, { args: ["--verbose"], cwd });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, new RegExp(`^Cannot run ${name} with "--verbose": .+\n$`));
}

async function answersRuntime(file: string, cwd: string): Promise<void> {
  const input = '{"cniVersion":"0.4.0"}';
  const answer = await start(file, { env: { CNI_COMMAND: "VERSION" }, cwd, input });
  assert.equal(answer.stderr, "");
  assert.equal(answer.code, 0);
  assert.equal(JSON.parse(answer.stdout).cniVersion, "0.4.0");
  assert.equal(JSON.parse(answer.stdout).supportedVersions.at(-1), "1.1.0");
  const refused = await start(file, { env: { CNI_COMMAND: "ADD" }, cwd, input });
  assert.equal(refused.code, 1, "a configuration without a name is none");
  assert.equal(JSON.parse(refused.stdout).code, 7);
}

async function refusesUnknownName(folder: string): Promise<void> {
  const file = path.join(folder, "unknown");
  await Deno.link(path.join(folder, "vlan"), file);
  const { code, stdout, stderr } = await start(file);
  await Deno.remove(file);
  assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
  const names = PROGRAM_NAMES.join(", ");
  assert.equal(stderr, `Cannot start by the name "unknown": use one of ${names}\n`);
}

async function refusesLongInput(folder: string): Promise<void> {
  const input = JSON.stringify({ cniVersion: "1.0.0", padding: "x".repeat(1_100_000) });
  const env = { CNI_COMMAND: "VERSION" };
  const { code, stdout } = await start(path.join(folder, "vlan"), { env, input });
  assert.equal(code, 1);
  assert.equal(JSON.parse(stdout).code, 6);
}

/** Only the layout of launchers has something to miss. */
async function saysWhatIsMissing(folder: string, out: string): Promise<void> {
  if (!(await namesIn(folder)).includes(RUNTIME_FOLDER)) return;
  const alone = path.join(out, "alone");
  await Deno.mkdir(alone);
  await Deno.copyFile(path.join(folder, "vlan"), path.join(alone, "vlan"));
  const { code, stderr } = await start(path.join(alone, "vlan"));
  assert.equal(code, 2);
  assert.match(stderr, /^Cannot start vlan: .+ is missing, copy .+\n$/);
}

/** Start times next to an empty program of the same runtime, as ratios. */
async function printStartTime(folder: string, out: string): Promise<void> {
  const empty = path.join(out, "empty.js");
  await Deno.writeTextFile(empty, "export {};\n");
  const plugin = path.join(folder, "spiderpool");
  await timedAdd(plugin, async (add) => {
    const best = await bestMs({
      empty: () => start(Deno.execPath(), { args: ["run", empty] }),
      version: () => start(plugin, { env: { CNI_COMMAND: "VERSION" } }),
      add,
    }, { count: STARTS });
    const emptyMs = best.get("empty") ?? 0;
    const texts = [...best].map(([name, ms]) => {
      return `${name} ${ms.toFixed(1)} ms (${(ms / emptyMs).toFixed(2)})`;
    });
    const text = `${texts.join(", ")}: best of ${STARTS}, and ratios to an empty program\n`;
    await Deno.stdout.write(new TextEncoder().encode(text));
  });
}

Deno.test("a build starts under every name", async (t) => {
  const out = await Deno.makeTempDir({ prefix: "build test-" }); // A space: scripts must quote.
  const folder = path.join(out, ownArchitecture());
  try {
    await t.step("it says in one line which layout it made", async () => {
      const { code, stdout, stderr } = await build(["--out", out]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, /^[^\n]*: (?:one executable|launchers) [^\n]+\n$/);
    });
    await t.step("a second build replaces the first and leaves nothing beside it", async () => {
      await Deno.writeTextFile(path.join(folder, "old"), "");
      assert.equal((await build(["--out", out])).code, 0);
      assert.deepEqual(await namesIn(out), [ownArchitecture()]);
      assert.equal((await namesIn(folder)).includes("old"), false);
    });
    await t.step("all names are hard links of one file", async () => {
      const files = await Promise.all(
        PROGRAM_NAMES.map((name) => Deno.lstat(path.join(folder, name))),
      );
      assert.deepEqual(files.filter(({ isFile }) => !isFile), []);
      assert.equal(new Set(files.map(({ ino }) => ino)).size, 1);
      assert.equal(files[0]?.nlink, PROGRAM_NAMES.length);
    });
    for (const name of PROGRAM_NAMES) {
      const answers = PLUGINS.includes(name) ? answersRuntime : answersVersion;
      await t.step(`${name} answers with an empty environment, from any folder`, async () => {
        for (const cwd of ["/", folder]) await answers(path.join(folder, name), cwd);
      });
    }
    await t.step("an unknown name is refused, and the names are said", async () => {
      await refusesUnknownName(folder);
    });
    await t.step("input longer than a configuration may be is an error object", async () => {
      await refusesLongInput(folder);
    });
    await t.step("a name that was copied without its runtime says what is missing", async () => {
      await saysWhatIsMissing(folder, out);
    });
    await runPluginCases(t, path.join(folder, "spiderpool"));
    await runVlanCases(t, path.join(folder, "vlan"));
    await runAgentCases(t, path.join(folder, "spiderpool-agent"));
    await runControllerCases(t, path.join(folder, "spiderpool-controller"));
    await t.step("start time next to an empty Deno program", async () => {
      await printStartTime(folder, out);
    });
  } finally {
    await Deno.remove(out, { recursive: true });
  }
});
