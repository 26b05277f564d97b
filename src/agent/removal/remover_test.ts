import assert from "node:assert/strict";
import { ManualClock, settle } from "../../../tests/support/manual_clock.ts";
import { runUninstallPlugins } from "./program.ts";

const FOLDERS = ["--bin-dir", "/bin", "--conf-dir", "/conf", "--run-dir", "/run"];
const OURS = JSON.stringify({ type: "multus", multusNamespace: "spiderpool" });
/** Plugins that were installed; "tuning" has been replaced by somebody else since. */
const RECORD = "/bin/.spiderpool-third-party.json";
const INSTALLED = { multus: ["ours"], bridge: ["older", "ours"], tuning: ["older"] };
const THEIRS = JSON.stringify({ type: "multus", multusNamespace: "kube-system" });

/** A node on which Spiderpool was used, beside others. */
class Node {
  readonly clock = new ManualClock();
  readonly stop = new AbortController();
  readonly files: Set<string>;
  /** Paths and traces in the order in which they went. */
  readonly gone: string[] = [];
  readonly told: string[] = [];
  error = "";
  multus = OURS;
  fails: string | undefined;
  traces = ["1000: from all lookup 500", "10.6.0.9 dev veth1 table 500"];

  constructor() {
    this.files = new Set([
      ...["/bin/spiderpool", "/bin/coordinator", "/bin/ifacer", "/bin/vlan", "/bin/multus"],
      ...["/bin/spiderpool.runtime/deno", "/bin/.spiderpool-install-1/vlan", "/bin/macvlan"],
      ...["/bin/bridge", "/bin/tuning", RECORD, "/bin/.spiderpool-third-party-1/ovs"],
      ...["/conf/00-multus.conf", "/conf/multus.d/multus.kubeconfig", "/conf/10-x.conflist"],
      ...["/run/spiderpool.sock", "/run/coordinator/lock"],
    ]);
  }

  run(...more: readonly string[]): Promise<number> {
    return runUninstallPlugins([...FOLDERS, ...more], {
      clock: this.clock,
      stop: this.stop.signal,
      readEnvironment: () => "spiderpool",
      writeOutput: () => {},
      writeError: (text) => this.error += text,
      tellPod: (note) => Promise.resolve(void this.told.push(note)),
      files: {
        list: (folder) => {
          const below = [...this.files].filter((path) => path.startsWith(`${folder}/`));
          const names = below.map((path) => path.slice(folder.length + 1).split("/")[0] ?? "");
          const isThere = below.length > 0 || folder === "/conf/multus.d";
          return Promise.resolve(isThere ? [...new Set(names)] : undefined);
        },
        readText: (path) => {
          const record = JSON.stringify({ plugins: INSTALLED });
          return Promise.resolve(path === RECORD ? record : this.multus);
        },
        digestOf: (path) => Promise.resolve(this.files.has(path) ? "ours" : undefined),
        remove: (path) => {
          if (path === this.fails) return Promise.reject(new Error("Read-only file system"));
          this.gone.push(path);
          for (const one of this.files) {
            if (one === path || one.startsWith(`${path}/`)) this.files.delete(one);
          }
          return Promise.resolve();
        },
      },
      openKernel: () => ({
        traces: () =>
          this.traces.map((text) => ({ text, remove: () => void this.gone.push(text) })),
        [Symbol.dispose]: () => void this.gone.push("closed"),
      }),
    });
  }
}

Deno.test("uninstall-plugins takes all that is ours off a node, and nothing else", async () => {
  const node = new Node();
  assert.equal(await node.run(), 0);
  assert.deepEqual([...node.files], ["/bin/macvlan", "/bin/tuning", "/conf/10-x.conflist"]);
  assert.equal(node.gone[0], "/conf/00-multus.conf", "no pod is led to plugins that are gone");
  assert.deepEqual(node.gone.slice(-3), [...node.traces, "closed"]);
  node.gone.length = 0;
  node.traces = [];
  assert.equal(await node.run(), 0);
  assert.deepEqual(node.gone, ["closed"], "the second time nothing is there");
});

Deno.test("uninstall-plugins leaves somebody else's Multus", async () => {
  const node = new Node();
  node.multus = THEIRS;
  assert.equal(await node.run(), 0);
  assert.deepEqual([...node.files], [
    "/bin/multus",
    "/bin/macvlan",
    "/bin/tuning",
    "/conf/00-multus.conf",
    "/conf/multus.d/multus.kubeconfig",
    "/conf/10-x.conflist",
  ]);
});

Deno.test("what cannot be removed is a sentence, and the rest goes on", async () => {
  const node = new Node();
  node.fails = "/bin/ifacer";
  assert.equal(await node.run("--then-wait"), 1);
  const sentence = 'Cannot remove "/bin/ifacer": Read-only file system';
  assert.deepEqual([node.error, node.told], [`${sentence}\n`, [sentence]]);
  assert.deepEqual([...node.files], [
    "/bin/ifacer",
    "/bin/macvlan",
    "/bin/tuning",
    "/conf/10-x.conflist",
  ]);
});

Deno.test("a plugin that cannot be removed stays known, and goes the next time", async () => {
  const node = new Node();
  node.fails = "/bin/bridge";
  assert.equal(await node.run(), 1);
  assert.equal(node.error, 'Cannot remove "/bin/bridge": Read-only file system\n');
  assert.deepEqual([node.files.has("/bin/multus"), node.files.has(RECORD)], [false, true]);
  node.fails = undefined;
  assert.equal(await node.run(), 0);
  assert.deepEqual([...node.files], ["/bin/macvlan", "/bin/tuning", "/conf/10-x.conflist"]);
});

Deno.test("a program of Multus that nothing says is ours stays", async () => {
  const node = new Node();
  node.files.delete(RECORD);
  assert.equal(await node.run(), 0);
  assert.deepEqual([...node.files].filter((path) => path.startsWith("/bin/")), [
    "/bin/multus",
    "/bin/macvlan",
    "/bin/bridge",
    "/bin/tuning",
  ]);
});

Deno.test("--then-wait stays until it is told to stop", async () => {
  const node = new Node();
  let hasEnded = false;
  const running = node.run("--then-wait").finally(() => hasEnded = true);
  await settle();
  assert.deepEqual([node.gone.length > 0, hasEnded], [true, false]);
  node.stop.abort();
  assert.equal(await running, 0);
});
