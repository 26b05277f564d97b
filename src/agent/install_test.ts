import assert from "node:assert/strict";
import { seededRandom } from "../base/random.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import type { NodeProgramEnd, NodePrograms } from "./install_trial.ts";
import {
  type FilePair,
  installPlugins,
  PLUGIN_NAMES,
  type PluginFolders,
  readInstallArguments,
  runInstallPlugins,
} from "./install.ts";

const FROM = "/usr/lib/spiderpool";
const TO = "/host/opt/cni/bin";
const RUNTIME = `${TO}/spiderpool.runtime`;

/** Thrown in place of the operation that a crash comes before. */
class Crash extends Error {}

/** A file system in memory: path to text; a folder is a path that ends with "/". */
class Disk implements PluginFolders {
  readonly files: Map<string, { readonly text: string }>;
  canLink = true;
  /** Changes that still happen before the crash. */
  changesLeft = Infinity;
  /** Called after each change. */
  watch = (): void => {};

  constructor(files: Readonly<Record<string, string>>) {
    this.files = new Map([[`${TO}/`, { text: "" }]]);
    for (const [path, text] of Object.entries(files)) this.files.set(path, { text });
  }

  texts(folder: string): Record<string, string> {
    const inside = [...this.files].filter(([path]) => path.startsWith(`${folder}/`));
    return Object.fromEntries(
      inside.filter(([path]) => !path.endsWith("/"))
        .map(([path, { text }]) => [path.slice(folder.length + 1), text]),
    );
  }

  list(folder: string): Promise<readonly string[] | undefined> {
    const inside = [...this.files.keys()].filter((path) => path.startsWith(`${folder}/`));
    if (inside.length === 0) return Promise.resolve(undefined);
    const names = inside.map((path) => path.slice(folder.length + 1).split("/")[0] ?? "");
    return Promise.resolve([...new Set(names)].filter((name) => name !== ""));
  }

  areSame({ from, to }: FilePair): Promise<boolean> {
    const one = this.files.get(from)?.text;
    return Promise.resolve(one !== undefined && one === this.files.get(to)?.text);
  }

  copy({ from, to }: FilePair): Promise<void> {
    return this.#change(() => {
      assert.equal(this.files.has(to), false, `${to} is new`);
      this.files.set(to, { text: this.#read(from).text });
    });
  }

  link({ from, to }: FilePair): Promise<void> {
    if (!this.canLink) return Promise.reject(new Error("Operation not supported"));
    return this.#change(() => this.files.set(to, this.#read(from)));
  }

  rename({ from, to }: FilePair): Promise<void> {
    return this.#change(() => {
      const file = this.#read(from);
      if (this.files.get(to) === file) return; // So does the kernel: both names stay.
      this.files.delete(from);
      this.files.set(to, file);
    });
  }

  makeFolder(folder: string): Promise<void> {
    return this.#change(() => this.files.set(`${folder}/`, { text: "" }));
  }

  remove(path: string): Promise<void> {
    return this.#change(() => {
      for (const name of [...this.files.keys()]) {
        if (name === path || name.startsWith(`${path}/`)) this.files.delete(name);
      }
    });
  }

  #read(path: string): { readonly text: string } {
    const file = this.files.get(path);
    assert.ok(file !== undefined, `${path} is there`);
    return file;
  }

  #change(body: () => unknown): Promise<void> {
    if (this.changesLeft-- <= 0) return Promise.reject(new Crash());
    body();
    this.watch();
    return Promise.resolve();
  }
}

/** A build with launchers; what they start says what it loads. */
function launchers(folder: string, version: string): Record<string, string> {
  const names = [...PLUGIN_NAMES, "spiderpool-agent"];
  return {
    ...Object.fromEntries(names.map((name) => [`${folder}/${name}`, `launcher ${version}`])),
    [`${folder}/spiderpool.runtime/deno`]: `deno ${version}`,
    [`${folder}/spiderpool.runtime/main.js`]: `chunk-${version}X.js`,
    [`${folder}/spiderpool.runtime/vlan.js`]: "vlan.script.js",
    [`${folder}/spiderpool.runtime/vlan.script.js`]: `script ${version}`,
    [`${folder}/spiderpool.runtime/chunk-${version}X.js`]: "chunk",
    [`${folder}/spiderpool.runtime/chunk-SHARED.js`]: "chunk",
  };
}

/** A build with one executable. */
function executable(folder: string, version: string): Record<string, string> {
  return Object.fromEntries(PLUGIN_NAMES.map((name) => [`${folder}/${name}`, `exe ${version}`]));
}

/** What an installation leaves: plugins and the runtime, no other program. */
function installed(build: Record<string, string>): Record<string, string> {
  const { "spiderpool-agent": _, ...plugins } = new Disk(build).texts(FROM);
  return plugins;
}

/** One source for all runs: an installation draws names that no earlier one drew. */
const random = seededRandom(1);

const WISH = { from: FROM, to: TO, root: "/host" };
/** What a plugin says that can be started. */
const VERSION_END = { code: 0, stdout: '{"supportedVersions":["1.0.0"]}', stderr: "" };

/** A node that can start a plugin if all that it starts is there. */
function nodeWith(disk: Disk, end: NodeProgramEnd = VERSION_END): NodePrograms {
  return {
    processor: "x86_64",
    run([path = ""], { root }) {
      if (!path.endsWith("/spiderpool")) return Promise.resolve({ ...end, code: 127, stderr: "" });
      const folder = `${root}${path}`.slice(0, -"/spiderpool".length);
      assertStartable(disk, { folder, names: ["spiderpool"] });
      assert.ok(disk.files.has(`${root}${path}`), `${path} is there to be tried`);
      return Promise.resolve(end);
    },
  };
}

async function install(disk: Disk, plugin?: NodeProgramEnd) {
  const clock = new ManualClock();
  const { signal } = new AbortController();
  const ports = { folders: disk, programs: nodeWith(disk, plugin), clock, random };
  const running = installPlugins(WISH, { ports, signal });
  let ended = false;
  const end = (): void => void (ended = true);
  running.then(end, end);
  while (!ended) await clock.advance(1_000);
  return await running;
}

/** Fails unless every plugin that is there can be started. */
function assertStartable(
  disk: Disk,
  { folder = TO, names = PLUGIN_NAMES }: {
    readonly folder?: string;
    readonly names?: readonly string[];
  } = {},
): void {
  const runtime = `${folder}/spiderpool.runtime`;
  for (const name of names) {
    const text = disk.files.get(`${folder}/${name}`)?.text;
    if (text === undefined || text.startsWith("exe ")) continue;
    assert.ok(disk.files.has(`${runtime}/deno`), `${name} has its deno`);
    assert.ok(disk.files.has(`${runtime}/chunk-SHARED.js`), `${name} has what all load`);
    for (const started of ["main.js", "vlan.js"]) {
      const loaded = disk.files.get(`${runtime}/${started}`)?.text;
      assert.ok(loaded !== undefined, `${name} has ${started}`);
      assert.ok(disk.files.has(`${runtime}/${loaded}`), `${name} has ${loaded}`);
    }
  }
}

const BUILDS = { "launchers": launchers, "executable": executable };

for (const [oldLayout, before] of Object.entries({ nothing: () => ({}), ...BUILDS })) {
  for (const [newLayout, after] of Object.entries(BUILDS)) {
    Deno.test(`installPlugins() puts ${newLayout} in the place of ${oldLayout}`, async () => {
      const disk = new Disk({ ...after(FROM, "2"), ...before(TO, "1"), [`${TO}/macvlan`]: "m" });
      disk.files.delete(`${TO}/spiderpool-agent`);
      disk.watch = () => assertStartable(disk);
      assert.equal((await install(disk)).ok, true);
      assert.deepEqual(disk.texts(TO), { ...installed(after(FROM, "2")), macvlan: "m" });
    });

    Deno.test(`a crash anywhere leaves ${oldLayout} or ${newLayout} startable`, async () => {
      for (let changes = 0;; changes++) {
        const disk = new Disk({ ...after(FROM, "2"), ...before(TO, "1") });
        disk.files.delete(`${TO}/spiderpool-agent`);
        disk.watch = () => assertStartable(disk);
        disk.changesLeft = changes;
        const cut = await install(disk).then(() => false, (error) => error instanceof Crash);
        disk.changesLeft = Infinity;
        await install(disk);
        assert.deepEqual(disk.texts(TO), installed(after(FROM, "2")), `after ${changes} changes`);
        if (!cut) break;
      }
    });
  }
}

Deno.test("installPlugins() changes nothing the second time", async () => {
  const disk = new Disk(launchers(FROM, "1"));
  const first = await install(disk);
  assert.ok(first.ok);
  const runtime = first.value.written.slice(0, -PLUGIN_NAMES.length)
    .map((path) => path.replace("spiderpool.runtime/", ""));
  assert.deepEqual(runtime.slice(0, 3).toSorted(), [
    "chunk-1X.js",
    "chunk-SHARED.js",
    "vlan.script.js",
  ]);
  assert.deepEqual(runtime.slice(3), ["deno", "main.js", "vlan.js"]);
  assert.deepEqual(first.value.written.slice(-PLUGIN_NAMES.length), PLUGIN_NAMES);
  disk.changesLeft = 0;
  assert.deepEqual(await install(disk), { ok: true, value: { written: [], removed: [] } });
});

Deno.test("installPlugins() gives all plugins one file, or copies where it cannot", async () => {
  for (const canLink of [true, false]) {
    const disk = new Disk(executable(FROM, "1"));
    disk.canLink = canLink;
    await install(disk);
    const files = PLUGIN_NAMES.map((name) => disk.files.get(`${TO}/${name}`));
    assert.equal(new Set(files).size, canLink ? 1 : PLUGIN_NAMES.length);
    assert.deepEqual(files.map((file) => file?.text), PLUGIN_NAMES.map(() => "exe 1"));
  }
});

Deno.test("installPlugins() replaces nothing on a node that cannot start a plugin", async () => {
  for (const [layout, build] of Object.entries(BUILDS)) {
    for (const before of [{}, build(TO, "1")]) {
      const disk = new Disk({ ...build(FROM, "2"), ...before });
      const old = disk.texts(TO);
      const report = await install(disk, {
        code: 1,
        stdout: "",
        stderr: "no\nIllegal instruction",
      });
      assert.deepEqual(report, {
        ok: false,
        error: `Cannot install plugins into "${TO}": they need glibc 2.27 or newer, and this ` +
          "node has no /lib64/ld-linux-x86-64.so.2: use a distribution with glibc on it; " +
          "nothing was replaced",
      }, layout);
      assert.deepEqual(disk.texts(TO), old, layout);
    }
  }
});

Deno.test("installPlugins() tries what is installed already, too", async () => {
  const disk = new Disk(executable(FROM, "1"));
  await install(disk);
  disk.changesLeft = 0;
  const report = await install(disk, { code: 1, stdout: "", stderr: "" });
  assert.equal(report.ok, false);
});

Deno.test("installPlugins() keeps what older plugins load until they have loaded it", async () => {
  const disk = new Disk({ ...launchers(FROM, "2"), ...launchers(TO, "1") });
  const clock = new ManualClock();
  const { signal } = new AbortController();
  const ports = { folders: disk, programs: nodeWith(disk), clock, random };
  const running = installPlugins(WISH, { ports, signal });
  await clock.advance(2_000);
  assert.equal(disk.files.get(`${TO}/vlan`)?.text, "launcher 2");
  assert.ok(disk.files.has(`${RUNTIME}/chunk-1X.js`));
  await clock.advance(2_000);
  await running;
  assert.equal(disk.files.has(`${RUNTIME}/chunk-1X.js`), false);
});

Deno.test("installPlugins() refuses a folder that is not whole, and changes nothing", async () => {
  const missing = [`${FROM}/vlan`, `${FROM}/spiderpool.runtime/deno`];
  for (const path of missing) {
    const disk = new Disk(launchers(FROM, "1"));
    disk.files.delete(path);
    disk.changesLeft = 0;
    const report = await install(disk);
    assert.ok(!report.ok);
    assert.match(report.error, new RegExp(`^Cannot install plugins: "${path}" is missing; `));
  }
});

Deno.test("installPlugins() refuses a folder that is not there", async () => {
  const disk = new Disk({});
  disk.changesLeft = 0;
  const noSource = await install(disk);
  assert.ok(!noSource.ok);
  assert.match(
    noSource.error,
    /^Cannot install plugins from "\/usr\/lib\/spiderpool": there is no /,
  );
  const without = new Disk(launchers(FROM, "1"));
  without.files.delete(`${TO}/`);
  without.changesLeft = 0;
  const noTarget = await install(without);
  assert.ok(!noTarget.ok);
  assert.match(
    noTarget.error,
    /^Cannot install plugins into "\/host\/opt\/cni\/bin": there is no /,
  );
});

Deno.test("readInstallArguments() takes both folders in any order", () => {
  const wish = { ok: true, value: { from: "a", to: "b", root: "/" } };
  assert.deepEqual(readInstallArguments(["--from", "a", "--to", "b"]), wish);
  assert.deepEqual(readInstallArguments(["--to", "b", "--from", "a"]), wish);
  const rooted = readInstallArguments(["--to", "/c/b", "--from", "a", "--root", "/c"]);
  assert.deepEqual(rooted, { ok: true, value: { from: "a", to: "/c/b", root: "/c" } });
});

Deno.test("readInstallArguments() names what is wrong", () => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [[], /"--from" of install-plugins is missing/],
    [["--from", "a"], /"--to" of install-plugins is missing/],
    [["--from"], /"--from" of install-plugins has no folder/],
    [["--form", "a"], /Unknown argument "--form"/],
    [["--from", "a", "--to", "/b", "--root", "/c"], /"\/b": it is not below "\/c"/],
  ];
  for (const [args, sentence] of cases) {
    const wish = readInstallArguments(args);
    assert.ok(!wish.ok);
    assert.match(wish.error, sentence);
  }
});

async function runWith(disk: Disk, args: readonly string[]) {
  const told: string[] = [];
  let output = "";
  let complaint = "";
  const code = await runInstallPlugins(args, {
    ports: { folders: disk, programs: nodeWith(disk), clock: new ManualClock(), random },
    signal: new AbortController().signal,
    tellPod: (note, { reason }) => Promise.resolve(void told.push(`${reason}: ${note}`)),
    writeOutput: (text) => output += text,
    writeError: (text) => complaint += text,
  });
  return { code, output, complaint, told };
}

Deno.test("runInstallPlugins() says what it did in one line", async () => {
  const disk = new Disk(executable(FROM, "1"));
  const args = ["--from", FROM, "--to", TO, "--root", "/host"];
  assert.deepEqual(await runWith(disk, args), {
    code: 0,
    output: `Installed spiderpool, coordinator, ifacer, vlan into ${TO}: ` +
      "wrote spiderpool, coordinator, ifacer, vlan\n",
    complaint: "",
    told: [],
  });
  assert.deepEqual(await runWith(disk, args), {
    code: 0,
    output: `spiderpool, coordinator, ifacer, vlan in ${TO} are up to date\n`,
    complaint: "",
    told: [],
  });
});

Deno.test("runInstallPlugins() ends with 2 for its arguments, with 1 for folders", async () => {
  assert.equal((await runWith(new Disk({}), [])).code, 2);
  assert.equal((await runWith(new Disk({}), ["--from", FROM, "--to", TO])).code, 1);
  const full = new Disk(executable(FROM, "1"));
  full.copy = () => Promise.reject(new Error("No space left on device"));
  const { code, complaint, told } = await runWith(full, [
    "--from",
    FROM,
    "--to",
    TO,
    "--root",
    "/host",
  ]);
  assert.equal(code, 1);
  assert.equal(complaint, `Cannot install plugins into "${TO}": No space left on device\n`);
  assert.deepEqual(told, [`PluginsNotInstalled: ${complaint.trim()}`]);
});
