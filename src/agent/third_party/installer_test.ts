import assert from "node:assert/strict";
import { seededRandom } from "../../base/random.ts";
import { ManualClock } from "../../../tests/support/manual_clock.ts";
import type { FilePair } from "../install.ts";
import type { NodeProgramEnd } from "../install_trial.ts";
import { installThirdParty, type ThirdPartyFiles } from "./installer.ts";
import { runInstallThirdParty } from "./program.ts";
import { isLeftover, readRecord, RECORD_FILE } from "./record.ts";
import { thirdPartyTraces } from "./removal.ts";

const FROM = "/usr/lib/spiderpool-plugins";
const TO = "/host/opt/cni/bin";
const RECORD = `${TO}/${RECORD_FILE}`;
/** What a plugin says that can be started. */
const VERSION_END = { code: 0, stdout: '{"supportedVersions":["1.0.0"]}', stderr: "" };
/** One source for all runs: an installation draws names that no earlier one drew. */
const random = seededRandom(1);

/** Thrown in place of the operation that a kill comes before. */
class Killed extends Error {}

/** A file system in memory: path to text; a folder is a path that ends with "/". */
class Disk implements ThirdPartyFiles {
  readonly texts: Map<string, string>;
  /** Changes that still happen before the kill. */
  changesLeft = Infinity;
  changes = 0;
  /** Called after each change. */
  watch = (): void => {};

  constructor(files: Readonly<Record<string, string>>) {
    this.texts = new Map([[`${TO}/`, ""], ...Object.entries(files)]);
  }

  /** Names and texts of a folder, without the record. */
  in(folder: string): Record<string, string> {
    const inside = [...this.texts].filter(([path]) => {
      return path.startsWith(`${folder}/`) && !path.endsWith("/") && path !== RECORD;
    });
    return Object.fromEntries(inside.map(([path, text]) => [path.slice(folder.length + 1), text]));
  }

  list(folder: string): Promise<readonly string[] | undefined> {
    const inside = [...this.texts.keys()].filter((path) => path.startsWith(`${folder}/`));
    if (inside.length === 0) return Promise.resolve(undefined);
    const names = inside.map((path) => path.slice(folder.length + 1).split("/")[0] ?? "");
    return Promise.resolve([...new Set(names)].filter((name) => name !== ""));
  }

  digestOf(path: string): Promise<string | undefined> {
    const text = this.texts.get(path);
    return Promise.resolve(text === undefined ? undefined : `digest of ${text}`);
  }

  readText(path: string): Promise<string> {
    return Promise.resolve(this.#read(path));
  }

  copy({ from, to }: FilePair): Promise<void> {
    return this.#change(() => this.texts.set(to, this.#read(from)));
  }

  rename({ from, to }: FilePair): Promise<void> {
    return this.#change(() => {
      this.texts.set(to, this.#read(from));
      this.texts.delete(from);
    });
  }

  writeWhole(path: string, { text }: { readonly text: string }): Promise<void> {
    return this.#change(() => this.texts.set(path, text));
  }

  makeFolder(folder: string): Promise<void> {
    return this.#change(() => this.texts.set(`${folder}/`, ""));
  }

  remove(path: string): Promise<void> {
    return this.#change(() => {
      for (const name of [...this.texts.keys()]) {
        if (name === path || name.startsWith(`${path}/`)) this.texts.delete(name);
      }
    });
  }

  #read(path: string): string {
    const text = this.texts.get(path);
    assert.ok(text !== undefined, `${path} is there`);
    return text;
  }

  #change(body: () => unknown): Promise<void> {
    if (this.changesLeft-- <= 0) return Promise.reject(new Killed());
    this.changes++;
    body();
    this.watch();
    return Promise.resolve();
  }
}

/** The image with plugins of a version. */
function image(version: string, names: readonly string[] = ["bridge", "ovs"]) {
  return Object.fromEntries(names.map((name) => [`${FROM}/${name}`, `${name} ${version}`]));
}

/** Ports of a node that says the same of every plugin. */
function portsOf(disk: Disk, end: NodeProgramEnd = VERSION_END) {
  const programs = {
    processor: "x86_64",
    run([path = ""]: readonly string[]): Promise<NodeProgramEnd> {
      assert.match(path, /\/\.spiderpool-third-party-[0-9a-f]+\/\w+$/, "it is tried beside");
      assert.ok(disk.texts.has(path), `${path} is there to be tried`);
      return Promise.resolve(end);
    },
  };
  return { files: disk, programs, clock: new ManualClock(), random };
}

function install(
  disk: Disk,
  { names = ["bridge", "ovs"], end }: {
    readonly names?: readonly string[];
    readonly end?: NodeProgramEnd;
  } = {},
) {
  const plugins = names.map((name) => ({ name, variable: `INSTALL_${name.toUpperCase()}` }));
  const ports = portsOf(disk, end);
  const { signal } = new AbortController();
  return installThirdParty({ from: FROM, to: TO, plugins }, { ports, signal });
}

/** A node on which a version was installed, and an image with another. */
async function installedDisk(version: string, next: string): Promise<Disk> {
  const disk = new Disk(image(version));
  await install(disk);
  for (const [path, text] of Object.entries(image(next))) disk.texts.set(path, text);
  return disk;
}

Deno.test("installThirdParty() installs what is not there, and changes nothing then", async () => {
  const disk = new Disk({ ...image("1"), [`${TO}/calico`]: "c" });
  assert.deepEqual(await install(disk), {
    ok: true,
    value: { written: ["bridge", "ovs"], current: [], left: [] },
  });
  assert.deepEqual(disk.in(TO), { calico: "c", bridge: "bridge 1", ovs: "ovs 1" });
  disk.changesLeft = 0;
  assert.deepEqual(await install(disk), {
    ok: true,
    value: { written: [], current: ["bridge", "ovs"], left: [] },
  });
});

Deno.test("installThirdParty() replaces what it installed itself", async () => {
  const disk = await installedDisk("1", "2");
  const report = await install(disk);
  assert.deepEqual(report.ok && report.value.written, ["bridge", "ovs"]);
  assert.deepEqual(disk.in(TO), { bridge: "bridge 2", ovs: "ovs 2" });
  const record = readRecord(disk.texts.get(RECORD) ?? "");
  assert.deepEqual(record.ok && [...record.value], [
    ["bridge", ["digest of bridge 2"]],
    ["ovs", ["digest of ovs 2"]],
  ]);
});

Deno.test("installThirdParty() leaves alone what somebody else installed", async () => {
  const disk = new Disk({ ...image("1"), [`${TO}/bridge`]: "theirs" });
  const report = await install(disk);
  assert.deepEqual(report.ok && report.value, { written: ["ovs"], current: [], left: ["bridge"] });
  assert.deepEqual(disk.in(TO), { bridge: "theirs", ovs: "ovs 1" });
});

Deno.test("what somebody else puts in the place of ours is theirs from then on", async () => {
  const disk = await installedDisk("1", "2");
  disk.texts.set(`${TO}/bridge`, "theirs");
  const report = await install(disk);
  assert.deepEqual(report.ok && report.value, { written: ["ovs"], current: [], left: ["bridge"] });
  assert.equal(disk.texts.get(`${TO}/bridge`), "theirs");
  // Not even a file of theirs that we once wrote, too.
  disk.texts.set(`${TO}/bridge`, "bridge 1");
  await install(disk);
  assert.equal(disk.texts.get(`${TO}/bridge`), "bridge 1");
});

Deno.test("what appears while plugins are made is left alone", async () => {
  const disk = new Disk(image("1"));
  disk.watch = () => {
    if (disk.texts.has(RECORD) && !disk.texts.has(`${TO}/bridge`)) {
      disk.texts.set(`${TO}/bridge`, "theirs");
    }
  };
  const report = await install(disk);
  assert.deepEqual(report.ok && report.value, { written: ["ovs"], current: [], left: ["bridge"] });
  assert.deepEqual(disk.in(TO), { bridge: "theirs", ovs: "ovs 1" });
  const traces = await thirdPartyTraces(TO, disk);
  assert.deepEqual(traces.plugins, ["ovs"]);
});

Deno.test("a kill leaves each plugin old or new, and ours, and the next run cleans", async () => {
  for (
    const [before, make] of [["nothing", () => new Disk(image("2"))], [
      "older",
      () => installedDisk("1", "2"),
    ]] as const
  ) {
    for (let changes = 0;; changes++) {
      const disk = await make();
      disk.texts.set(`${TO}/tuning`, "theirs");
      disk.watch = () => {
        for (const name of ["bridge", "ovs"]) {
          const old = before === "older" ? `${name} 1` : undefined;
          assert.ok([old, `${name} 2`].includes(disk.texts.get(`${TO}/${name}`)), name);
        }
      };
      disk.changesLeft = changes;
      const wasKilled = await install(disk).then(() => false, (error) => {
        assert.ok(error instanceof Killed);
        return true;
      });
      disk.changesLeft = Infinity;
      const traces = await thirdPartyTraces(TO, disk);
      const there = Object.keys(disk.in(TO)).filter((name) => ["bridge", "ovs"].includes(name));
      assert.deepEqual([...traces.plugins].toSorted(), there.toSorted(), "all ours are known");
      await install(disk);
      const what = `${before}, after ${changes} changes`;
      assert.deepEqual(disk.in(TO), { tuning: "theirs", bridge: "bridge 2", ovs: "ovs 2" }, what);
      assert.ok(![...await disk.list(TO) ?? []].some(isLeftover), what);
      if (!wasKilled) break;
    }
  }
});

Deno.test("installThirdParty() replaces nothing if one plugin cannot be started", async () => {
  const disk = await installedDisk("1", "2");
  const before = new Map([...disk.texts].filter(([path]) => path.startsWith(TO)));
  const end = { code: 126, stdout: "", stderr: "exec format error\n" };
  assert.deepEqual(await install(disk, { end }), {
    ok: false,
    error: `Cannot install plugins into "${TO}": this node cannot start "bridge": exec format ` +
      "error; nothing was replaced",
  });
  assert.deepEqual(new Map([...disk.texts].filter(([path]) => path.startsWith(TO))), before);
});

Deno.test("installThirdParty() refuses what the image does not have", async () => {
  const disk = new Disk(image("1"));
  const report = await install(disk, { names: ["ovs", "sriov"] });
  assert.deepEqual(report, {
    ok: false,
    error: `Cannot install plugins into "${TO}": the image does not have "sriov", which ` +
      'INSTALL_SRIOV asks for; write "false" there, and install it as its own project says',
  });
  assert.equal(disk.changes, 0);
});

Deno.test("installThirdParty() refuses a record that it cannot read, or no folder", async () => {
  for (const text of ["", "[]", '{"plugins":{"../sh":["d"]}}', '{"plugins":{"ovs":[1]}}']) {
    const disk = new Disk({ ...image("1"), [RECORD]: text });
    const report = await install(disk);
    assert.match(report.ok ? "" : report.error, /^Cannot use ".+": it is no.+; remove it, /, text);
    assert.equal(disk.changes, 0);
  }
  const disk = new Disk(image("1"));
  disk.texts.delete(`${TO}/`);
  const report = await install(disk);
  assert.match(report.ok ? "" : report.error, /there is no such folder; mount or make it$/);
});

const ARGUMENTS = ["--from", FROM, "--to", TO];

async function runWith(
  disk: Disk,
  environment: Readonly<Record<string, string>>,
  args: readonly string[] = ARGUMENTS,
) {
  let output = "";
  let complaint = "";
  const told: string[] = [];
  const code = await runInstallThirdParty(args, {
    install: portsOf(disk),
    stop: new AbortController().signal,
    readEnvironment: (name) => environment[name],
    writeOutput: (text) => output += text,
    writeError: (text) => complaint += text,
    tellPod: (note, { reason }) => Promise.resolve(void told.push(`${reason}: ${note}`)),
  });
  return { code, output, complaint, told };
}

Deno.test("install-third-party has the reference's defaults, and says what it did", async () => {
  const names = ["bridge", "multus", "ovs", "rdma"];
  const disk = new Disk({ ...image("1", names), [`${TO}/rdma`]: "theirs" });
  const environment = { INSTALL_VLAN_PLUGIN: "false" };
  assert.deepEqual(await runWith(disk, environment), {
    code: 0,
    output: `Installed "multus", "ovs" into ${TO}\n` +
      `Left alone in ${TO}, where somebody else installed them: "rdma"; ` +
      "remove a file there to have ours\n" +
      '"vlan" is Spiderpool\'s own, and the agent installs it also where INSTALL_VLAN_PLUGIN is ' +
      '"false"\n',
    complaint: "",
    told: [],
  });
  const none = { INSTALL_MULTUS: "false", INSTALL_OVS_PLUGIN: "0", INSTALL_RDMA_PLUGIN: "f" };
  const { output } = await runWith(disk, none);
  assert.equal(output, `No plugin is asked for: nothing was installed into ${TO}\n`);
  assert.deepEqual(Object.keys(disk.in(TO)).toSorted(), ["multus", "ovs", "rdma"]);
});

Deno.test("install-third-party names a switch that it cannot follow", async () => {
  const all = ["multus", "ovs", "rdma"];
  for (
    const [variable, value, sentence] of [
      ["INSTALL_CNI_PLUGINS", "yes", /^Cannot use INSTALL_CNI_PLUGINS "yes": write /],
      ["INSTALL_SRIOV_PLUGIN", "true", /the image does not have "sriov", which INSTALL_SRIOV_PLU/],
      ["INSTALL_IB_SRIOV_PLUGIN", "true", /the image does not have "ib-sriov", which INSTALL_IB/],
      ["INSTALL_IPOIB_PLUGIN", "true", /the image does not have "ipoib", which INSTALL_IPOIB_PL/],
    ] as const
  ) {
    const disk = new Disk(image("1", all));
    const { code, output, complaint, told } = await runWith(disk, { [variable]: value });
    assert.deepEqual([code, output, disk.changes], [1, "", 0]);
    assert.match(complaint, sentence);
    assert.deepEqual(told, [`PluginsNotInstalled: ${complaint.trim()}`]);
  }
  for (const args of [[], ["--from", "/a"], ["--from", "/a", "--to", ""], [...ARGUMENTS, "x"]]) {
    const { code, complaint } = await runWith(new Disk({}), {}, args);
    assert.equal(code, 2);
    assert.match(complaint, /: use install-third-party --from DIR --to DIR\n$/);
  }
});
