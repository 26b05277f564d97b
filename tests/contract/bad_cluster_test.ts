/** The real programs on an API server that lacks something: a line in the log, and an Event. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { isRecord } from "../../src/api/decode.ts";
import { EVENTS, type KubeEvent } from "../../src/kube/mod.ts";
import { hangLimit } from "../support/hang_limit.ts";
import { closedPort } from "../support/loopback_server.ts";
import { program, testWith } from "../support/require.ts";
import { openApiServer } from "./api_server.ts";
import type { Harness } from "./harness.ts";
import { apiServer, applyKinds, kubectlOk, TestObjects } from "./kubectl.ts";

const needs = [apiServer, program("kubectl")];
const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A program as a container of a pod starts it. */
class Pod implements AsyncDisposable {
  readonly name: string;
  readonly namespace: string;
  readonly #harness: Harness;
  readonly #folder: string;
  readonly #process: Deno.ChildProcess;
  readonly #errors: Promise<string>;
  readonly #texts: Promise<void>;
  readonly #waiting = new Map<string, () => void>();
  readonly #said = new Set<string>();

  private constructor(
    harness: Harness,
    { name, folder, environment }: {
      readonly name: "spiderpool-agent" | "spiderpool-controller";
      readonly folder: string;
      readonly environment: Readonly<Record<string, string>>;
    },
  ) {
    this.#harness = harness;
    this.#folder = folder;
    this.namespace = harness.namespaces[0];
    this.name = `${name}-x`;
    const config = `--config-path=${path.join(folder, "conf.yml")}`;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", path.join(ROOT, "main.ts"), name, "daemon", config],
      env: {
        KUBECONFIG: Deno.env.get("CONTRACT_KUBECONFIG") ?? "",
        SPIDERPOOL_POD_NAMESPACE: this.namespace,
        SPIDERPOOL_POD_NAME: this.name,
        SPIDERPOOL_NODE_NAME: "n1",
        SPIDERPOOL_HEALTH_PORT: String(closedPort()),
        SPIDERPOOL_WEBHOOK_PORT: String(closedPort()),
        ...environment,
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#errors = new Response(this.#process.stderr).text();
    this.#texts = this.#follow();
  }

  /** Starts one. @param options.config Of its configuration file, beside its socket. */
  static async start(
    harness: Harness,
    { config = "", environment = {}, ...options }: {
      readonly name: "spiderpool-agent" | "spiderpool-controller";
      readonly config?: string;
      readonly environment?: Readonly<Record<string, string>>;
    },
  ): Promise<Pod> {
    const folder = await Deno.makeTempDir({ prefix: "bad-cluster-" });
    const text = `enableIPv4: true\nipamUnixSocketPath: ${folder}/agent.sock\n${config}`;
    await Deno.writeTextFile(path.join(folder, "conf.yml"), text);
    return new Pod(harness, { ...options, folder, environment });
  }

  /** Resolves when its log has a line of this text. */
  logged(text: string): Promise<void> {
    if (this.#said.has(text)) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(text, resolve);
    return promise;
  }

  /** The sentence of its next Event, or of the last one. */
  async told(
    isOne: (event: KubeEvent) => boolean,
    { signal, namespace = this.namespace }: {
      readonly signal: AbortSignal;
      readonly namespace?: string;
    },
  ): Promise<string> {
    for await (const event of this.#harness.store.watch(EVENTS, { namespace, signal })) {
      const isObject = event.type === "added" || event.type === "modified";
      if (isObject && isOne(event.object)) return event.object.note ?? "";
    }
    throw new Error("The watch ended");
  }

  /** An Event on its own pod, of some reason. */
  toldOnPod(reason: string, options: { readonly signal: AbortSignal }): Promise<string> {
    return this.told((event) => {
      return event.reason === reason && event.regarding?.name === this.name;
    }, options);
  }

  /** Resolves when it has ended by itself. */
  async ended(): Promise<{ readonly code: number; readonly errors: string }> {
    const { code } = await this.#process.status;
    return { code, errors: await this.#errors };
  }

  async #follow(): Promise<void> {
    let rest = "";
    for await (const part of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines.filter((one) => one.startsWith("{"))) {
        const read: unknown = JSON.parse(line);
        const text = isRecord(read) ? String(read.text) : "";
        this.#said.add(text);
        this.#waiting.get(text)?.();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#process.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await Promise.all([this.#process.status, this.#errors, this.#texts]);
    await Deno.remove(this.#folder, { recursive: true });
  }
}

testWith({
  name: "a missing definition is a line and an Event of agent and controller until it is there",
  needs,
  async fn() {
    using limit = hangLimit();
    await applyKinds();
    await using harness = await openApiServer();
    await kubectlOk(["delete", "crd", "spiderips.spiderpool.spidernet.io"]);
    try {
      await using agent = await Pod.start(harness, { name: "spiderpool-agent" });
      await using controller = await Pod.start(harness, { name: "spiderpool-controller" });
      for (const pod of [agent, controller]) {
        await pod.logged("the engine is hindered");
        assert.equal(
          await pod.toldOnPod("Hindered", limit),
          'CustomResourceDefinition "spiderips.spiderpool.spidernet.io" is missing in this ' +
            "cluster: run kubectl apply -f manifests/install.yaml",
        );
      }
      await applyKinds();
      await agent.logged("agent serves");
      for (const pod of [agent, controller]) await pod.logged("the engine is well again");
    } finally {
      await applyKinds();
    }
  },
});

testWith({
  name: "a bad value of the ConfigMap ends agent and controller with a sentence and an Event",
  needs,
  async fn() {
    using limit = hangLimit();
    await using harness = await openApiServer();
    for (const name of ["spiderpool-agent", "spiderpool-controller"] as const) {
      await using pod = await Pod.start(harness, { name, config: "enableStatefulSet: maybe\n" });
      const { code, errors } = await pod.ended();
      assert.equal(code, 1);
      assert.match(errors, /^Cannot use enableStatefulSet "maybe": write true or false: it is in/);
      assert.equal(await pod.toldOnPod("CannotStart", limit), errors.trim());
    }
  },
});

testWith({
  name: "a key of the ConfigMap that nobody reads is an Event of agent and controller",
  needs,
  async fn() {
    using limit = hangLimit();
    await applyKinds();
    await using harness = await openApiServer();
    for (const name of ["spiderpool-agent", "spiderpool-controller"] as const) {
      await using pod = await Pod.start(harness, { name, config: "enableStatefulset: true\n" });
      const note = await pod.toldOnPod("SettingWithoutEffect", limit);
      assert.match(note, /^A setting has no effect: enableStatefulset of ".*": nobody reads it; /);
      await pod.logged(name === "spiderpool-agent" ? "agent serves" : "controller serves");
    }
  },
});

testWith({
  name: "a controller without Multus says so, goes on, and takes it as soon as it is there",
  needs,
  async fn() {
    using limit = hangLimit();
    await applyKinds();
    await using harness = await openApiServer();
    await kubectlOk(["delete", "crd", "network-attachment-definitions.k8s.cni.cncf.io"]);
    try {
      await using objects = new TestObjects();
      const namespace = harness.namespaces[0];
      await objects.created({
        apiVersion: "spiderpool.spidernet.io/v2beta1",
        kind: "SpiderMultusConfig",
        metadata: { namespace, name: "lan" },
        spec: { cniType: "macvlan", macvlan: { master: ["eth1"] } },
      });
      await using pod = await Pod.start(harness, {
        name: "spiderpool-controller",
        environment: { SPIDERPOOL_MULTUS_CONFIG_ENABLED: "true" },
      });
      await pod.logged("the engine is hindered");
      assert.match(await pod.toldOnPod("Hindered", limit), /: install Multus \(kubectl apply -k /);
      await applyKinds();
      await pod.logged("network kept");
    } finally {
      await applyKinds();
    }
  },
});

testWith({
  name: "another IPAM over the addresses of a pool is an Event on the pool, and a line",
  needs,
  async fn() {
    using limit = hangLimit();
    await applyKinds();
    await using harness = await openApiServer();
    await using objects = new TestObjects();
    const { prefix, namespaces: [namespace] } = harness;
    const pool = `${prefix}-p`;
    await objects.created({
      apiVersion: "spiderpool.spidernet.io/v2beta1",
      kind: "SpiderIPPool",
      metadata: { name: pool },
      spec: { subnet: "10.203.0.0/24", ips: ["10.203.0.10-10.203.0.20"] },
    });
    const ipam = { type: "whereabouts", range: "10.203.0.0/24" };
    await objects.created({
      apiVersion: "k8s.cni.cncf.io/v1",
      kind: "NetworkAttachmentDefinition",
      metadata: { namespace, name: "lan" },
      spec: { config: JSON.stringify({ cniVersion: "0.3.1", type: "macvlan", ipam }) },
    });
    await using pod = await Pod.start(harness, {
      name: "spiderpool-controller",
      environment: { SPIDERPOOL_MULTUS_CONFIG_ENABLED: "true" },
    });
    const isShared = (event: KubeEvent): boolean => {
      return event.reason === "AddressesShared" && event.regarding?.name === pool;
    };
    try {
      const options = { namespace: "default", signal: limit.signal };
      assert.match(
        await pod.told(isShared, options),
        /10\.203\.0\.10-10\.203\.0\.20, and so does whereabouts for .*\/lan"/,
      );
      await pod.logged("another IPAM hands out addresses of a pool");
    } finally {
      // Its finalizer is the controller's to take away.
      await kubectlOk(["delete", "--timeout=60s", "spiderippool", pool]);
    }
  },
});

testWith({
  name: "another Spiderpool is an Event on the controller's pod, and a line, until it is gone",
  needs,
  async fn() {
    using limit = hangLimit();
    await applyKinds();
    await using harness = await openApiServer();
    await using objects = new TestObjects();
    const namespace = harness.namespaces[1];
    await objects.created({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { namespace, name: "default" },
    });
    const labels = { "app.kubernetes.io/component": "spiderpool-agent" };
    await objects.created({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace, name: "spiderpool-agent-x", labels },
      spec: { containers: [{ name: "c", image: "i" }], automountServiceAccountToken: false },
    });
    await using pod = await Pod.start(harness, { name: "spiderpool-controller" });
    await pod.logged("the engine is hindered");
    const note = await pod.toldOnPod("Hindered", limit);
    assert.ok(note.startsWith(`Another Spiderpool runs in namespace "${namespace}": `), note);
    await kubectlOk(["delete", "pod", "-n", namespace, "spiderpool-agent-x"]);
    await pod.logged("the engine is well again");
  },
});
