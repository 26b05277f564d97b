import assert from "node:assert/strict";
import { ManualClock } from "../../../tests/support/manual_clock.ts";
import { jsonLog } from "../../base/log.ts";
import { keepMultus, type MultusFiles, type MultusWish } from "./keeper.ts";
import { runKeepMultus } from "./program.ts";

const CONF = "/host/etc/cni/net.d";
const OWN = `${CONF}/00-multus.conf`;
const KUBECONFIG = `${CONF}/multus.d/multus.kubeconfig`;
const READY = "/run/spiderpool/multus-ready";
const CREDENTIALS = "/var/run/secrets/kubernetes.io/serviceaccount";
const OVERLAY = JSON.stringify({ name: "overlay", plugins: [{ type: "bridge" }] });
const WISH: MultusWish = {
  confFolder: CONF,
  binFolder: "/host/opt/cni/bin",
  readyFile: READY,
  namespace: "spiderpool",
  clusterNetwork: "",
  host: "fd00::1",
  port: "443",
};

/** A node, and the keeper on it. */
class Node {
  readonly clock = new ManualClock();
  readonly texts = new Map<string, string>();
  readonly modes = new Map<string, number>();
  /** Paths in the order of their writes. */
  readonly written: string[] = [];
  readonly told: string[] = [];
  log = "";
  /** Whether the file for the kubelet cannot be written. */
  isReadOnly = false;

  constructor(texts: Readonly<Record<string, string>> = {}) {
    this.set({
      [`${CREDENTIALS}/ca.crt`]: "CA",
      [`${CREDENTIALS}/token`]: "token-1\n",
      "/host/opt/cni/bin/multus": "",
      ...texts,
    });
  }

  set(texts: Readonly<Record<string, string>>): void {
    for (const [path, text] of Object.entries(texts)) this.texts.set(path, text);
  }

  configuration(): Record<string, unknown> {
    return JSON.parse(this.texts.get(OWN) ?? "{}");
  }

  readonly files: MultusFiles = {
    listFiles: (folder) => {
      const names = [...this.texts.keys()].filter((path) => path.startsWith(`${folder}/`));
      return Promise.resolve(
        names.map((path) => path.slice(folder.length + 1)).filter((name) => !name.includes("/")),
      );
    },
    readText: (path) => {
      const text = this.texts.get(path);
      return text === undefined ? Promise.reject(new Error(`no ${path}`)) : Promise.resolve(text);
    },
    isThere: (path) => {
      const paths = [...this.texts.keys()];
      return Promise.resolve(paths.some((one) => one === path || one.startsWith(`${path}/`)));
    },
    modeOf: (path) => Promise.resolve(this.modes.get(path)),
    makeFolder: (path) => Promise.resolve(this.set({ [`${path}/`]: "" })),
    writeWhole: (path, { text, mode }) => {
      assert.ok(path !== KUBECONFIG || this.texts.has(`${CONF}/multus.d/`), "its folder is there");
      const texts = [...this.texts.values()].join();
      assert.ok(path !== READY || /"type": ?"multus/.test(texts), "Multus is configured");
      if (path === READY && this.isReadOnly) return Promise.reject(new Error("it is read-only"));
      this.set({ [path]: text });
      this.modes.set(path, mode);
      if (path !== READY) this.written.push(path);
      return Promise.resolve();
    },
    remove: (path) => Promise.resolve(void this.texts.delete(path)),
  };

  /** Whether a kubelet would say that the pod is ready. */
  get isReady(): boolean {
    return this.texts.has(READY);
  }

  /** Keeps Multus configured while the test goes on. */
  start(wish: Partial<MultusWish> = {}): AsyncDisposable {
    const end = new AbortController();
    const { files, clock } = this;
    const log = jsonLog((line) => this.log += line, { clock, level: "info" });
    const tell = (sentence: string): Promise<void> =>
      Promise.resolve(void this.told.push(sentence));
    const ports = { files, clock, log, tell };
    const running = keepMultus({ ...WISH, ...wish }, { ports, signal: end.signal });
    const ended = assert.rejects(running, /the test is over/);
    return {
      [Symbol.asyncDispose]: async () => {
        end.abort(new Error("the test is over"));
        await ended;
      },
    };
  }
}

Deno.test("Multus is told the default network, and whom it may ask", async () => {
  const node = new Node({ [`${CONF}/10-overlay.conflist`]: OVERLAY });
  await using _keeper = node.start();
  await node.clock.advance(1);
  assert.deepEqual(node.written, [KUBECONFIG, OWN]);
  assert.deepEqual([node.modes.get(KUBECONFIG), node.modes.get(OWN)], [0o600, 0o644]);
  const { clusterNetwork, multusNamespace, kubeconfig, type } = node.configuration();
  assert.deepEqual([clusterNetwork, multusNamespace, kubeconfig, type], [
    "overlay",
    "spiderpool",
    "/etc/cni/net.d/multus.d/multus.kubeconfig",
    "multus",
  ]);
  const text = node.texts.get(KUBECONFIG) ?? "";
  assert.match(text, /server: "https:\/\/\[fd00::1\]:443"\n/);
  assert.match(text, /certificate-authority-data: Q0E=\n[^]*token: "token-1"\n/);
});

Deno.test("nothing is written again until something differs, and then only that", async () => {
  const node = new Node({ [`${CONF}/10-overlay.conflist`]: OVERLAY });
  await using _keeper = node.start();
  await node.clock.advance(60_000);
  assert.equal(node.written.length, 2);
  node.set({ [`${CREDENTIALS}/token`]: "token-2" });
  await node.clock.advance(10_000);
  assert.deepEqual(node.written.slice(2), [KUBECONFIG]);
  assert.match(node.texts.get(KUBECONFIG) ?? "", /token-2/);
  node.modes.set(KUBECONFIG, 0o644);
  await node.clock.advance(10_000);
  assert.deepEqual(node.written.slice(3), [KUBECONFIG]);
  node.set({ [`${CONF}/05-calico.conflist`]: OVERLAY.replace("overlay", "calico") });
  await node.clock.advance(10_000);
  assert.deepEqual(node.written.slice(4), [OWN]);
  assert.equal(node.configuration().clusterNetwork, "calico");
});

Deno.test("Multus is not asked before there is a default network: a sentence", async () => {
  const node = new Node();
  await using _keeper = node.start();
  await node.clock.advance(60_000);
  assert.equal(node.texts.has(OWN), false);
  const sentence = "Cannot configure Multus on this node: no default network is in " +
    `"${CONF}" yet; install one, or write clusterNetwork into the ConfigMap`;
  assert.deepEqual(node.told, [sentence]);
  assert.equal(node.log.trim().split("\n").length, 1);
  node.set({ [`${CONF}/10-overlay.conflist`]: OVERLAY });
  await node.clock.advance(10_000);
  assert.equal(node.configuration().clusterNetwork, "overlay");
});

Deno.test("a network that is named needs no file", async () => {
  const node = new Node();
  await using _keeper = node.start({ clusterNetwork: "spiderpool/office" });
  await node.clock.advance(1);
  assert.equal(node.configuration().clusterNetwork, "office");
});

Deno.test("a default network that is away for a moment changes nothing", async () => {
  const node = new Node({ [`${CONF}/10-overlay.conflist`]: OVERLAY });
  await using _keeper = node.start();
  await node.clock.advance(1);
  const before = node.texts.get(OWN);
  node.texts.delete(`${CONF}/10-overlay.conflist`);
  await node.clock.advance(10_000);
  assert.equal(node.texts.get(OWN), before);
  assert.match(node.told.join(), /no default network .*; ".*00-multus.conf" stays as it is$/);
});

Deno.test("a Multus that somebody else installed is left alone", async () => {
  const others = [
    { type: "multus", multusNamespace: "kube-system" },
    { type: "multus" },
    { plugins: [{ type: "multus-shim" }] },
  ];
  for (const other of others) {
    for (const path of [OWN, `${CONF}/01-multus.conflist`]) {
      const node = new Node({
        [`${CONF}/10-overlay.conflist`]: OVERLAY,
        [path]: JSON.stringify(other),
      });
      await using _keeper = node.start();
      await node.clock.advance(30_000);
      assert.deepEqual(node.written, []);
      assert.deepEqual(node.told, []);
      assert.match(node.log, new RegExp(`somebody else's here, as ${path} says`));
    }
  }
});

Deno.test("what the reference wrote in this namespace is taken over", async () => {
  const former = JSON.stringify({ type: "multus", multusNamespace: "spiderpool" });
  const node = new Node({ [`${CONF}/10-overlay.conflist`]: OVERLAY, [OWN]: former });
  await using _keeper = node.start();
  await node.clock.advance(1);
  assert.deepEqual(node.written, [KUBECONFIG, OWN]);
});

Deno.test("without the program nothing is written: every pod would fail", async () => {
  const node = new Node({ [`${CONF}/10-overlay.conflist`]: OVERLAY });
  node.texts.delete("/host/opt/cni/bin/multus");
  await using _keeper = node.start();
  await node.clock.advance(10_000);
  assert.deepEqual(node.written, []);
  assert.match(node.told.join(), /program "\/host\/opt\/cni\/bin\/multus" is not there; install/);
});

Deno.test("credentials that cannot be read are a sentence, and are looked for again", async () => {
  const node = new Node({ [`${CONF}/10-overlay.conflist`]: OVERLAY });
  node.texts.delete(`${CREDENTIALS}/token`);
  await using _keeper = node.start();
  await node.clock.advance(10_000);
  assert.equal(node.texts.has(OWN), false);
  assert.match(node.told.join(), /^Cannot configure Multus on this node: no .*token$/);
  node.set({ [`${CREDENTIALS}/token`]: "token" });
  await node.clock.advance(10_000);
  assert.equal(node.texts.has(OWN), true);
});

Deno.test("a missing setting is a sentence and an Event, and the end", async () => {
  const settings = {
    MULTUS_NAMESPACE: "spiderpool",
    KUBERNETES_SERVICE_HOST: "10.0.0.1",
    KUBERNETES_SERVICE_PORT: "443",
  };
  for (const name of Object.keys(settings)) {
    const { files, clock, told } = new Node();
    const environment: Readonly<Record<string, string>> = { ...settings, [name]: "" };
    let error = "";
    const places = ["--conf-dir", CONF, "--bin-dir", "/b", "--ready-file", READY];
    const code = await runKeepMultus(places, {
      ...{ files, clock },
      readEnvironment: (one) => environment[one],
      writeOutput: () => {},
      writeError: (text) => error += text,
      stop: new AbortController().signal,
      tellPod: (note, { reason }) => Promise.resolve(void told.push(`${reason}: ${note}`)),
    });
    assert.equal(code, 1);
    assert.match(error, new RegExp(`^Cannot .*${name}[^\\n]*\\n$`));
    assert.deepEqual(told, [`MultusNotConfigured: ${error.trim()}`]);
  }
});

Deno.test("the pod is ready while Multus is configured, whoever configured it", async () => {
  const node = new Node({ [READY]: "of the process before" });
  await using _keeper = node.start();
  await node.clock.advance(1);
  assert.equal(node.isReady, false, "there is no default network");
  node.set({ [`${CONF}/10-overlay.conflist`]: OVERLAY });
  await node.clock.advance(2_000);
  assert.deepEqual([node.isReady, node.texts.has(OWN)], [true, true]);
  node.texts.delete("/host/opt/cni/bin/multus");
  await node.clock.advance(10_000);
  assert.equal(node.isReady, false, "no pod gets past a program that is gone");
  node.set({ "/host/opt/cni/bin/multus": "" });
  await node.clock.advance(2_000);
  assert.equal(node.isReady, true);

  const theirs = new Node({ [OWN]: JSON.stringify({ type: "multus" }) });
  await using _other = theirs.start();
  await theirs.clock.advance(1);
  assert.equal(theirs.isReady, true);
});

Deno.test("a file for the kubelet that cannot be written is a sentence", async () => {
  const node = new Node({ [`${CONF}/10-overlay.conflist`]: OVERLAY });
  node.isReadOnly = true;
  await using _keeper = node.start();
  await node.clock.advance(1);
  assert.deepEqual(node.told, ["Cannot say whether Multus is configured: it is read-only"]);
  node.isReadOnly = false;
  await node.clock.advance(2_000);
  assert.equal(node.isReady, true);
});
