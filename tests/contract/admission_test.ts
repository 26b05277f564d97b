/** The webhooks on a real API server, as their configuration registers them. */
import assert from "node:assert/strict";
import { faultSentence } from "../../src/controller/admission/rules/fault.ts";
import { ADMISSION_SETTINGS, faultsFor } from "../support/admission_judge.ts";
import { untilTrue } from "../support/hang_limit.ts";
import { ServedAdmission } from "../support/served_admission.ts";
import { program, testWith } from "../support/require.ts";
import { objectOf, WRONG_OBJECTS } from "../support/wrong_objects.ts";
import { connect } from "./api_server.ts";
import { apiServer, applyKinds, kubectl, kubectlOk, stored, type TestObject } from "./kubectl.ts";

const needs = [apiServer, program("kubectl")];
const apiVersion = "spiderpool.spidernet.io/v2beta1";
const CONFIGURATIONS = "mutatingwebhookconfigurations,validatingwebhookconfigurations";

/** Webhooks that the API server asks. */
class Served implements AsyncDisposable {
  readonly #name: string;
  readonly #stack = new AsyncDisposableStack();

  private constructor() {
    this.#name = `admission-${crypto.randomUUID().slice(0, 8)}`;
  }

  static async open(): Promise<Served> {
    const served = new Served();
    await served.#open();
    return served;
  }

  /** Ends the webhooks, as if every controller were down; their configuration stays. */
  async stop(): Promise<void> {
    await this.#stack.disposeAsync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await kubectlOk(["delete", CONFIGURATIONS, this.#name, "--ignore-not-found"]);
    await this.stop();
    await kubectlOk(["delete", "namespace", this.#name, "--wait=false"]);
  }

  async #open(): Promise<void> {
    await applyKinds();
    const name = this.#name;
    await kubectlOk(["create", "namespace", name]);
    const { store } = this.#stack.use(await connect());
    const served = this.#stack.use(await ServedAdmission.open({ store, namespace: name, name }));
    await served.register();
    // The API server knows a configuration a moment after it is stored.
    const probe = { apiVersion, kind: "SpiderReservedIP", metadata: { name: "probe" }, spec: {} };
    const dryRun = ["create", "--dry-run=server", "-f", "-"];
    await untilTrue(async () => (await kubectl(dryRun, probe)).stderr.includes("spec.ips"));
  }
}

function list(items: readonly unknown[]): unknown {
  return { apiVersion: "v1", kind: "List", items };
}

testWith({
  name: "kubectl prints everything that is wrong with an object",
  needs,
  async fn() {
    await using _served = await Served.open();
    const created = WRONG_OBJECTS.filter(({ stored }) => stored === undefined);
    const objects = created.map((wrong, index) => {
      return objectOf(wrong, { name: `wrong-${index}-x`, body: wrong.body });
    });
    // kubectl's own validation comes before the server's: it is what is tested elsewhere.
    const { stderr } = await kubectl(["create", "--validate=false", "-f", "-"], list(objects));
    assert.ok(objects.length >= 55);
    const answers = stderr.trim().split("\n");
    assert.equal(answers.length, objects.length, stderr);
    for (const [index, object] of objects.entries()) {
      const kind = String(object["kind"]);
      const { namespace, name } = object.metadata;
      const called = namespace === undefined ? name : `${namespace}/${name}`;
      const faults = faultsFor({ object, settings: ADMISSION_SETTINGS });
      assert.equal(
        answers[index],
        'Error from server (Invalid): error when creating "STDIN": admission webhook ' +
          `"${kind.toLowerCase()}.spiderpool.spidernet.io" denied the request: ` +
          `${kind} "${called}": ` + faults.map(faultSentence).join(". "),
      );
    }
  },
});

testWith({
  name: "a good object is filled in and stored, and a changed one is judged again",
  needs,
  async fn() {
    await using _served = await Served.open();
    const name = `pool-${crypto.randomUUID().slice(0, 8)}`;
    const spec = {
      subnet: "10.206.0.0/16",
      ips: ["10.206.0.9-10.206.0.20", "10.206.0.5-10.206.0.8"],
      gateway: "10.206.0.1",
    };
    const pool: TestObject = { apiVersion, kind: "SpiderIPPool", metadata: { name }, spec };
    await kubectlOk(["create", "--validate=strict", "-f", "-"], pool);
    const read = await stored(pool);
    assert.deepEqual(read.spec, {
      ...spec,
      ips: ["10.206.0.5-10.206.0.20"],
      ipVersion: 4,
      default: false,
      disable: false,
    });
    assert.deepEqual(read.metadata["finalizers"], ["spiderpool.spidernet.io"]);
    assert.deepEqual(read.metadata["labels"], { "ipam.spidernet.io/ippool-cidr": "10-206-0-0-16" });

    const twin = { ...pool, metadata: { name: `${name}-twin` } };
    const refused = await kubectl(["create", "-f", "-"], twin);
    assert.match(
      refused.stderr,
      new RegExp(
        `spec\\.ips: Forbidden: "10\\.206\\.0\\.5-10\\.206\\.0\\.20": SpiderIPPool "${name}"`,
      ),
    );
    const patch = (change: unknown) => {
      return kubectl(["patch", "sp", name, "--type=merge", "-p", JSON.stringify(change)]);
    };
    assert.match((await patch({ spec: { subnet: "10.207.0.0/16" } })).stderr, /it never changes/);
    assert.equal(
      (await patch({ spec: { gateway: "10.207.0.1", excludeIPs: ["10.206.0.9-10.206.0.8"] } }))
        .stderr,
      `The SpiderIPPool "${name}" is invalid: \n` +
        '* spec.excludeIPs[0]: Invalid value: "10.206.0.9-10.206.0.8": it is reversed; write ' +
        '"10.206.0.8-10.206.0.9"\n' +
        '* spec.gateway: Invalid value: "10.207.0.1": it is outside the subnet "10.206.0.0/16"; ' +
        'write an address of "10.206.0.0-10.206.255.255"\n',
    );
    assert.ok((await patch({ spec: { disable: true } })).success);

    const holder = {
      apiVersion,
      kind: "SpiderIP",
      metadata: { name: "10.206.0.7", labels: { "ipam.spidernet.io/ippool": name } },
      spec: { ip: "10.206.0.7", pool: name, podNamespace: "default", podName: "web", podUID: "u" },
    };
    await kubectlOk(["create", "-f", "-"], holder);
    const less = await patch({ spec: { ips: ["10.206.0.8-10.206.0.20"] } });
    assert.match(less.stderr, /it leaves out "10\.206\.0\.7", which pod "default\/web" uses/);
    const removal = await kubectl(["delete", "sp", name, "--wait=false"]);
    assert.match(removal.stderr, /Warning: .* stays until .*"10\.206\.0\.7" of pod "default\/web"/);
    await kubectlOk(["delete", "sip", "10.206.0.7"]);
    assert.ok((await patch({ metadata: { finalizers: null } })).success, "nothing keeps it");
    assert.equal((await kubectl(["get", "sp", name])).success, false);
  },
});

testWith({
  name: "with the webhooks down only a changed spec waits for them",
  needs,
  async fn() {
    await using served = await Served.open();
    const name = `down-${crypto.randomUUID().slice(0, 8)}`;
    const spec = { subnet: "10.208.0.0/16" };
    const pool: TestObject = { apiVersion, kind: "SpiderIPPool", metadata: { name }, spec };
    await kubectlOk(["create", "-f", "-"], pool);
    await served.stop();
    const patch = (change: unknown, ...args: readonly string[]) => {
      const text = JSON.stringify(change);
      return kubectl(["patch", "sp", name, "--type=merge", "-p", text, ...args]);
    };
    assert.match((await patch({ spec: { disable: true } })).stderr, /failed calling webhook/);
    assert.ok((await patch({ metadata: { labels: { a: "b" } } })).success);
    assert.ok((await patch({ status: { allocatedIPCount: 1 } }, "--subresource=status")).success);
    const endpoint = {
      apiVersion,
      kind: "SpiderEndpoint",
      metadata: { name, namespace: "default" },
      status: {
        current: { uid: "u", node: "n", ips: [] },
        ownerControllerType: "Pod",
        ownerControllerName: "p",
      },
    };
    await kubectlOk(["create", "-f", "-"], endpoint);
    await kubectlOk(["delete", "se", name]);
    await kubectlOk(["delete", "sp", name, "--wait=false"]);
    assert.ok((await patch({ metadata: { finalizers: null } })).success);
  },
});

testWith({
  name: "a pool of 65,536 ranges is judged, and its status written, as any other",
  needs,
  async fn() {
    await using _served = await Served.open();
    const name = `large-${crypto.randomUUID().slice(0, 8)}`;
    const ips = Array.from({ length: 65_536 }, (_, index) => {
      return `10.${index >> 12 & 255}.${index >> 4 & 255}.${(index & 15) * 2}`;
    });
    const metadata = { name };
    const pool = {
      apiVersion,
      kind: "SpiderIPPool",
      metadata,
      spec: { subnet: "10.0.0.0/8", ips },
    };
    await kubectlOk(["create", "-f", "-"], pool);
    const patch = ["patch", "sp", name, "--type=merge", "-p"];
    await kubectlOk([...patch, '{"spec":{"disable":true}}']);
    await kubectlOk([...patch, '{"metadata":{"labels":{"a":"b"}}}']);
    await kubectlOk(["delete", "sp", name, "--wait=false"]);
    await kubectlOk([...patch, '{"metadata":{"finalizers":null}}']);
  },
});

testWith({
  name: "a new Linux node gets the taint, none that is there, and no node waits for a webhook",
  needs,
  async fn() {
    await using served = await Served.open();
    await using undo = new AsyncDisposableStack();
    const both = ["ipam.spidernet.io/not-ready", "example.com/theirs"];
    const name = `node-${crypto.randomUUID().slice(0, 8)}`;
    const create = async (suffix: string, os: string): Promise<string> => {
      const node = `${name}-${suffix}`;
      const metadata = { name: node, labels: { "kubernetes.io/os": os } };
      const taints = [{ key: "example.com/theirs", effect: "NoSchedule" }];
      await kubectlOk(["create", "-f", "-"], {
        ...{ apiVersion: "v1", kind: "Node", metadata, spec: { taints } },
      });
      undo.defer(() => kubectlOk(["delete", "node", node]).then(() => {}));
      return node;
    };
    const taints = async (node: string): Promise<readonly string[]> => {
      const { stdout } = await kubectl(["get", "node", node, "-o", "jsonpath={.spec.taints}"]);
      const all: readonly { readonly key: string }[] = JSON.parse(stdout);
      const keys = all.map(({ key }) => key);
      return both.filter((key) => keys.includes(key));
    };
    const linux = await create("linux", "linux");
    assert.deepEqual(await taints(linux), both);
    assert.deepEqual(await taints(await create("windows", "windows")), both.slice(1));
    await kubectlOk(["taint", "node", linux, "ipam.spidernet.io/not-ready-"]);
    await kubectlOk(["label", "node", linux, "a=b"]);
    assert.deepEqual(await taints(linux), both.slice(1));
    await served.stop();
    assert.deepEqual(await taints(await create("alone", "linux")), both.slice(1));
  },
});
