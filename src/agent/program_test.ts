import assert from "node:assert/strict";
import { CONFIG_FILE_PATH } from "../api/environment_agent.ts";
import { VERSION } from "../base/version.ts";
import { AgentWorld } from "../../tests/support/agent_world.ts";
import {
  multusFiles,
  nodePrograms,
  pluginFolders,
  removalPorts,
  standalonePorts,
  thirdPartyFiles,
} from "./main.ts";
import { runAgent } from "./program.ts";
import { RECORD_FILE } from "./third_party/record.ts";
import { thirdPartyTraces } from "./third_party/removal.ts";

interface Ended {
  readonly code: number;
  readonly output: string;
  readonly error: string;
  readonly world: AgentWorld;
}

async function run(args: readonly string[]): Promise<Ended> {
  const world = new AgentWorld();
  world.clusterRefusal = "Cannot find a cluster"; // A daemon that was started ends at once.
  let output = "";
  const { clock, random } = world;
  const code = await runAgent({
    ...world,
    stop: world.stop,
    clock,
    args,
    readInput: () => "",
    writeOutput: (text) => output += text,
    install: { folders: pluginFolders(), programs: nodePrograms(), clock, random },
    multus: { files: multusFiles({ random }) },
    removal: removalPorts(),
    thirdParty: { files: thirdPartyFiles({ random }), programs: nodePrograms(), clock, random },
    standalone: standalonePorts({ clock, random }),
  });
  return { code, output, error: world.errors.join(""), world };
}

Deno.test("--version prints name and version", async () => {
  const { code, output, error } = await run(["--version"]);
  assert.deepEqual({ code, output, error }, {
    code: 0,
    output: `spiderpool-agent ${VERSION}\n`,
    error: "",
  });
});

Deno.test("daemon reads the file it is given, else the documented one", async () => {
  const cases: readonly [readonly string[], string][] = [
    [[], CONFIG_FILE_PATH],
    [["--config-path", "/a"], "/a"],
    [["--config-path=/b=c"], "/b=c"],
  ];
  for (const [args, path] of cases) {
    const { code, world } = await run(["daemon", ...args]);
    assert.equal(code, 1);
    assert.equal(world.steps[0], `read ${path}`);
  }
});

Deno.test("what the program does not understand is one sentence and 2", async () => {
  const cases: readonly (readonly string[])[] = [
    [],
    ["shutdown"],
    ["--version", "x"],
    ["daemon", "--config-path"],
    ["daemon", "--config-path="],
    ["daemon", "--config-path", ""],
    ["daemon", "--config-path", "/a", "x"],
    ["daemon", "--config-path=/a", "x"],
    ["daemon", "--config-dir", "/a"],
    ["install-plugins", "--from"],
    ["install-plugins", "--from", "/a", "--to", "/b", "--root", "/host"],
    ["uninstall-plugins", "--then-wait"],
    ["uninstall-plugins", "--bin-dir", "/a", "--conf-dir", "/b", "--run", "/c"],
    ["install-third-party", "--from", "/a"],
    ["install-third-party", "--from", "/a", "--to", "/b", "--root", "/host"],
    ["keep-multus", "--conf-dir", "/a"],
    ["keep-multus", "--conf-dir", "/a", "--bin", "/b"],
    ["keep-multus", "--conf-dir", "/a", "--bin-dir", "/b"],
    ["keep-multus", "--conf-dir", "/a", "--bin-dir", "/b", "--ready-file"],
    ["--standalone", "--pool", "/a"],
    ["--standalone", "--pools"],
    ["--standalone", "--socket", "run/x"],
    ["--standalone", "--node", "N_1"],
    ["--standalone", "--node=a", "--node=b"],
    ["--standalone", "--log-level", "loud"],
    ["addresses", "--socket=/a"],
    ["release-fixed"],
    ["release-fixed", "Web"],
    ["release-fixed", "web", "db"],
  ];
  for (const args of cases) {
    const { code, output, error, world } = await run(args);
    assert.equal(code, 2, args.join(" "));
    assert.equal(output, "");
    assert.match(error, /^[^\n]+\n$/);
    assert.deepEqual(world.steps, []);
  }
});

Deno.test("install-plugins says what is missing, and ends with 1", async () => {
  const { code, error } = await run(["install-plugins", "--from", "/nowhere", "--to", "/nowhere"]);
  assert.equal(code, 1);
  assert.match(error, /^Cannot install plugins from "\/nowhere": there is no such folder/);
});

Deno.test("install-third-party installs, leaves alone, and knows what it installed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "third-party-" });
  const [from, to] = [`${folder}/from`, `${folder}/to`];
  const script = '#!/bin/sh\necho \'{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}\'\n';
  try {
    for (const one of [from, to, `${folder}/conf`, `${folder}/run`]) await Deno.mkdir(one);
    for (const name of ["multus", "ovs", "rdma"]) {
      await Deno.writeTextFile(`${from}/${name}`, script, { mode: 0o755 });
    }
    await Deno.symlink("/bin/true", `${to}/rdma`);
    const { code, output, error } = await run(["install-third-party", "--from", from, "--to", to]);
    assert.deepEqual([code, error], [0, ""]);
    assert.match(output, /^Installed "multus", "ovs" into .+\nLeft alone in .+: "rdma"; /);
    for (const name of ["multus", "ovs"]) {
      const { mode } = await Deno.stat(`${to}/${name}`);
      assert.equal((mode ?? 0) & 0o7777, 0o755, name);
      assert.equal(await Deno.readTextFile(`${to}/${name}`), script);
    }
    const { files } = removalPorts();
    const traces = await thirdPartyTraces(to, files);
    assert.deepEqual([...traces.plugins].toSorted(), ["multus", "ovs"]);
    assert.deepEqual(traces.rest, [RECORD_FILE]);
    assert.equal(await Deno.readLink(`${to}/rdma`), "/bin/true");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
