import assert from "node:assert/strict";
import { ADMISSION_SETTINGS } from "../../tests/support/admission_judge.ts";
import { forwardingStore } from "../../tests/support/forwarding_store.ts";
import { ManualClock, runToEnd } from "../../tests/support/manual_clock.ts";
import { refuseAsServer } from "../agent/standalone/program.ts";
import { SPIDER_COORDINATORS } from "../api/coordinator.ts";
import { SPIDER_IP_POOLS } from "../api/ip_pool.ts";
import { ENDPOINT_SLICES } from "../api/kubernetes/endpoint_slice.ts";
import { PODS } from "../api/kubernetes/pod.ts";
import { SPIDER_MULTUS_CONFIGS } from "../api/multus_config.ts";
import { SPIDER_SUBNETS } from "../api/subnet.ts";
import type { ObjectStore, Resource, StoredObject, StoreError } from "../base/object_store.ts";
import { seededRandom } from "../base/random.ts";
import { err, expectOk, ok } from "../base/result.ts";
import { coordinatorFaults } from "../controller/admission/rules/coordinator_rules.ts";
import { multusFaults } from "../controller/admission/rules/multus_rules.ts";
import { EVENTS } from "../kube/mod.ts";
import { openMemoryStore } from "../store/memory_store.ts";
import { runInit } from "./program.ts";

const PREFIX = "SPIDERPOOL_INIT_DEFAULT";
const NAMES = {
  SPIDERPOOL_NAMESPACE: "spiderpool",
  SPIDERPOOL_CONTROLLER_NAME: "spiderpool-controller",
  SPIDERPOOL_AGENT_NAME: "spiderpool-agent",
  SPIDERPOOL_POD_NAME: "spiderpool-init-x",
};
const ALL = {
  ...NAMES,
  [`${PREFIX}_COORDINATOR_NAME`]: "default",
  [`${PREFIX}_COORDINATOR_HIJACK_CIDR`]: '["169.254.0.0/16","10.1.2.3"]',
  [`${PREFIX}_IPV4_SUBNET_NAME`]: "subnet-4",
  [`${PREFIX}_IPV4_IPPOOL_NAME`]: "pool-4",
  [`${PREFIX}_IPV4_IPPOOL_SUBNET`]: "10.6.0.0/16",
  [`${PREFIX}_IPV4_IPPOOL_IPRANGES`]: '["10.6.0.10-10.6.0.20"]',
  [`${PREFIX}_IPV4_IPPOOL_GATEWAY`]: "10.6.0.1",
  [`${PREFIX}_IPV6_IPPOOL_NAME`]: "pool-6",
  [`${PREFIX}_IPV6_IPPOOL_SUBNET`]: "fd00:6::/64",
  SPIDERPOOL_INIT_ENABLE_MULTUS_CONFIG: "true",
  [`${PREFIX}_CNI_DIR`]: "/etc/cni/net.d",
};
const never = new AbortController().signal;

type Refusals = (object: StoredObject) => StoreError | undefined;

/** A cluster, a node with CNI configurations, and the Job on it. */
class Site {
  readonly clock = new ManualClock();
  readonly store: ObjectStore = openMemoryStore({
    clock: this.clock,
    random: seededRandom(1),
    admit: refuseAsServer,
  });
  readonly files: Record<string, unknown> = {};
  refusal: Refusals = () => undefined;
  serverVersion = "v1.34.2";
  /** Plurals of kinds that the API server does not serve. */
  readonly missing = new Set<string>();
  creations = 0;

  /** A controller that is ready, or not yet. */
  async controller({ ready }: { readonly ready: boolean }): Promise<void> {
    const metadata = {
      namespace: "spiderpool",
      name: "s",
      labels: { "kubernetes.io/service-name": "spiderpool-controller" },
    };
    const endpoints = [{ conditions: { ready } }];
    const slice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata,
      endpoints,
    } as const;
    expectOk(await this.store.create(ENDPOINT_SLICES, slice, { signal: never }), "it is new");
  }

  async run(environment: Readonly<Record<string, string>>) {
    let output = "";
    let error = "";
    const store: ObjectStore = {
      ...forwardingStore(this.store),
      create: (resource, object, options) => {
        if (resource.group !== EVENTS.group) this.creations++;
        const refused = this.refusal(object);
        if (refused !== undefined) return Promise.resolve(err(refused));
        return this.store.create(resource, object, options);
      },
    };
    const running = runInit({
      args: [],
      readEnvironment: (name) => environment[name],
      readInput: () => "",
      writeOutput: (text) => output += text,
      writeError: (text) => error += text,
      clock: this.clock,
      random: seededRandom(2),
      stop: never,
      files: {
        listFiles: () => Promise.resolve(Object.keys(this.files)),
        readText: (path) =>
          Promise.resolve(JSON.stringify(this.files[path.split("/").at(-1) ?? ""])),
      },
      openStore: () =>
        Promise.resolve(ok({
          store,
          askVersion: () => Promise.resolve(ok({ gitVersion: this.serverVersion })),
          askMissing: (kinds) =>
            Promise.resolve(ok(kinds.filter(({ plural }) => this.missing.has(plural)))),
          [Symbol.dispose]: () => {},
        })),
    });
    const code = await runToEnd(running, { clock: this.clock, stepMs: 5_000 });
    return { code, output, error };
  }

  async specs(): Promise<Record<string, unknown>> {
    const specs: Record<string, unknown> = {};
    const objects = [
      ...await this.list(SPIDER_COORDINATORS),
      ...await this.list(SPIDER_SUBNETS),
      ...await this.list(SPIDER_IP_POOLS),
    ];
    for (const { metadata, spec } of objects) specs[metadata.name] = spec;
    return specs;
  }

  async networks(): Promise<Record<string, unknown>> {
    const networks = await this.list(SPIDER_MULTUS_CONFIGS);
    return Object.fromEntries(networks.map(({ metadata, spec }) => [
      `${metadata.namespace}/${metadata.name}`,
      [spec.cniType, spec.enableCoordinator, metadata.annotations?.["multus.spidernet.io/cr-name"]],
    ]));
  }

  async events(): Promise<readonly (string | undefined)[]> {
    const events = await this.list(EVENTS);
    return events.map(({ type, regarding, related, note }) => {
      return `${type} ${regarding?.name} ${regarding?.uid === undefined ? "" : "uid"} ` +
        `${related?.kind ?? ""}: ${note}`;
    });
  }

  async list<T extends StoredObject>(resource: Resource<T>): Promise<readonly T[]> {
    return expectOk(await this.store.list(resource, { signal: never }), "memory lists").items;
  }
}

const INVALID: StoreError = { code: "invalid", message: "Cannot create it: ips[0] is wrong" };
const NO_WEBHOOK: StoreError = {
  code: "unavailable",
  message: "Cannot create it: failed calling webhook",
  outcomeUnknown: false,
};

Deno.test("the Job makes all that is asked for, as admission would have it", async () => {
  const site = new Site();
  await site.controller({ ready: true });
  site.files["10-overlay.conflist"] = { name: "overlay", plugins: [{ type: "bridge" }] };
  const { code, error } = await site.run(ALL);
  assert.deepEqual({ code, error }, { code: 0, error: "" });
  const specs = await site.specs();
  assert.deepEqual(specs["default"], {
    mode: "auto",
    podCIDRType: "auto",
    tunePodRoutes: true,
    hijackCIDR: ["169.254.0.0/16", "10.1.2.3/32"],
    policyRoutes: [],
    vethMTU: 1_500,
    hostRuleTable: 500,
    podRPFilter: 0,
    txQueueLen: 0,
  });
  const space = {
    ipVersion: 4,
    subnet: "10.6.0.0/16",
    ips: ["10.6.0.10-10.6.0.20"],
    gateway: "10.6.0.1",
  };
  assert.deepEqual(specs["subnet-4"], space);
  assert.deepEqual(specs["pool-4"], { ...space, default: true, disable: false });
  assert.deepEqual(specs["pool-6"], {
    ipVersion: 6,
    subnet: "fd00:6::/64",
    ips: [],
    default: true,
    disable: false,
  });
  assert.deepEqual(await site.networks(), { "spiderpool/overlay": ["custom", false, undefined] });
  const reviewed = { previous: undefined, settings: ADMISSION_SETTINGS };
  for (const object of await site.list(SPIDER_MULTUS_CONFIGS)) {
    assert.deepEqual(multusFaults({ ...reviewed, object }), []);
  }
  for (const object of await site.list(SPIDER_COORDINATORS)) {
    assert.deepEqual(coordinatorFaults({ ...reviewed, object }), []);
  }
});

Deno.test("a second run changes nothing, and what people changed stays", async () => {
  const site = new Site();
  await site.controller({ ready: true });
  await site.run(ALL);
  const [pool] = (await site.list(SPIDER_IP_POOLS)).filter(({ metadata }) => {
    return metadata.name === "pool-4";
  });
  assert.ok(pool !== undefined);
  const changed = { ...pool, spec: { ...pool.spec, ips: ["10.6.0.99"] } };
  expectOk(await site.store.replace(SPIDER_IP_POOLS, changed, { signal: never }), "it is written");
  const before = [await site.specs(), await site.networks()];
  const { code, error } = await site.run(ALL);
  assert.deepEqual({ code, error }, { code: 0, error: "" });
  assert.deepEqual([await site.specs(), await site.networks()], before);
});

Deno.test("nothing is made that is not asked for", async () => {
  const site = new Site();
  await site.controller({ ready: true });
  assert.equal((await site.run(NAMES)).code, 0);
  assert.equal(site.creations, 0);
});

Deno.test("the cluster's own network becomes one of type custom, whatever makes it", async () => {
  const cases: readonly (readonly [files: Record<string, unknown>, name: string, nad?: string])[] =
    [
      [{}, "default"],
      [{ "00-multus.conf": { name: "m", type: "multus" } }, "default"],
      [{ "1.conf": { name: "net", type: "macvlan" } }, "net"],
      [{ "1.conflist": { name: "net", plugins: [{ type: "sriov" }] } }, "net"],
      [
        { "1.conflist": { name: "k8s-pod-network", plugins: [{ type: "calico" }] } },
        "calico",
        "k8s-pod-network",
      ],
    ];
  for (const [files, name, nad] of cases) {
    const site = new Site();
    await site.controller({ ready: true });
    Object.assign(site.files, files);
    assert.equal((await site.run(ALL)).code, 0, name);
    assert.deepEqual(await site.networks(), { [`spiderpool/${name}`]: ["custom", false, nad] });
  }
  const site = new Site();
  await site.controller({ ready: true });
  await site.run({ ...ALL, [`${PREFIX}_CNI_NAME`]: "own", [`${PREFIX}_CNI_NAMESPACE`]: "there" });
  assert.deepEqual(await site.networks(), { "there/own": ["custom", false, undefined] });
});

Deno.test("the Job waits until a controller is ready, and until its webhook answers", async () => {
  const site = new Site();
  const running = site.run(ALL);
  await site.clock.advance(60_000);
  assert.equal(site.creations, 0);
  site.refusal = () => site.creations < 4 ? NO_WEBHOOK : undefined;
  await site.controller({ ready: true });
  const { code, output } = await running;
  assert.equal(code, 0);
  assert.match(output, /"text":"waiting for a controller".*no controller is ready behind Service/);
  assert.match(
    output,
    /"waiting to make an object","kind":"SpiderCoordinator",.*failed calling webhook/,
  );
});

Deno.test("the Job gives up, with a sentence in the log and as an Event on its pod", async () => {
  const site = new Site();
  const metadata = { namespace: "spiderpool", name: "spiderpool-init-x" };
  const pod = { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [] } } as const;
  expectOk(await site.store.create(PODS, pod, { signal: never }), "it is new");
  await site.controller({ ready: false });
  const { code, error } = await site.run(ALL);
  assert.equal(code, 1);
  const sentence = "Cannot make the first objects: no controller is ready behind Service " +
    '"spiderpool/spiderpool-controller"; see the log of its pods (gave up 600 s after the start)';
  assert.equal(error, `${sentence}\n`);
  assert.ok(site.clock.monotonicMs() < 700_000, "soon");
  assert.deepEqual(await site.events(), [`Warning spiderpool-init-x uid : ${sentence}`]);
});

Deno.test("a refused object is one sentence and one Event, and the others are made", async () => {
  const site = new Site();
  await site.controller({ ready: true });
  site.refusal = ({ kind }) => kind.startsWith("SpiderIPPool") ? INVALID : undefined;
  const { code, error } = await site.run(ALL);
  assert.equal(code, 1);
  const told = ["pool-4", "pool-6"].map((name) => {
    return `Cannot make SpiderIPPool "${name}": ${INVALID.message}`;
  });
  assert.equal(error, `${told.join("\n")}\n`);
  assert.deepEqual(Object.keys(await site.specs()), ["default", "subnet-4"]);
  assert.deepEqual(Object.keys(await site.networks()), ["spiderpool/default"]);
  const events = (await site.events()).toSorted();
  assert.deepEqual(events, told.map((one) => `Warning spiderpool-init-x  SpiderIPPool: ${one}`));
});

Deno.test("a bad setting is one sentence that names it, and an Event", async () => {
  const cases: readonly (readonly [changed: Record<string, string>, sentence: RegExp])[] = [
    [{ [`${PREFIX}_IPV4_IPPOOL_SUBNET`]: "" }, /^Cannot use \S+_IPV4_IPPOOL_SUBNET "": /],
    [{ [`${PREFIX}_IPV4_IPPOOL_SUBNET`]: "fd00::/64" }, /"fd00::\/64": it is of the other family/],
    [{ [`${PREFIX}_IPV6_IPPOOL_NAME`]: "pool-4" }, /_IPV6_IPPOOL_NAME "pool-4": the IPv4 one/],
    [{ [`${PREFIX}_COORDINATOR_MODE`]: "fast" }, /SpiderCoordinator "default": .*"fast"/],
    [{ [`${PREFIX}_COORDINATOR_HIJACK_CIDR`]: "10.0.0.300" }, /_HIJACK_CIDR "10\.0\.0\.300\/32": /],
    [{ SPIDERPOOL_CONTROLLER_NAME: "" }, /SPIDERPOOL_CONTROLLER_NAME/],
  ];
  for (const [changed, sentence] of cases) {
    const site = new Site();
    await site.controller({ ready: true });
    const { code, error } = await site.run({ ...ALL, ...changed });
    assert.equal(code, 1);
    assert.match(error, /^[^\n]+\n$/);
    assert.match(error, sentence);
    assert.equal(site.creations, 0);
    assert.deepEqual(await site.events(), [`Warning spiderpool-init-x  : ${error.trim()}`]);
  }
});

Deno.test("a configuration that cannot be read, or has no name to use, is refused", async () => {
  const site = new Site();
  site.files["1.conf"] = { name: "My_Net", type: "bridge" };
  assert.match(
    (await site.run(ALL)).error,
    /network "My_Net" of "\/etc\/cni\/net.d\/1.conf": no object/,
  );
  site.files["1.conf"] = [];
  assert.match(
    (await site.run(ALL)).error,
    /^Cannot find the cluster's own network: .*_CNI_NAME\n$/,
  );
});

Deno.test("a missing definition is said at once, and is the end if nobody makes it", async () => {
  for (const { plural, kind, group } of [SPIDER_COORDINATORS, SPIDER_SUBNETS, SPIDER_IP_POOLS]) {
    const site = new Site();
    await site.controller({ ready: true });
    site.missing.add(plural);
    const message = "Cannot create it: the server does not serve this kind";
    site.refusal = (object) => {
      if (object.kind !== kind) return undefined;
      return { code: "unavailable", message, outcomeUnknown: false, isUnserved: true };
    };
    const { code, error } = await site.run(ALL);
    assert.equal(code, 1);
    const [first = "", ...others] = error.trim().split("\n");
    assert.equal(
      first,
      `CustomResourceDefinition "${plural}.${group}" is missing in this cluster: run kubectl ` +
        "apply -f manifests/install.yaml",
    );
    for (const other of others) assert.ok(other.startsWith(`Cannot make ${kind} "`), other);
    const events = await site.events();
    assert.ok(events.includes(`Warning spiderpool-init-x  : ${first}`), events.join());
  }
});

Deno.test("an old API server is a sentence and an Event, and worked with", async () => {
  const site = new Site();
  await site.controller({ ready: true });
  site.serverVersion = "v1.24.17";
  const { code, error } = await site.run(ALL);
  assert.equal(code, 0);
  assert.match(error, /^Kubernetes v1\.24\.17 is older than 1\.25: [^\n]+\n$/);
  assert.deepEqual(await site.events(), [`Warning spiderpool-init-x  : ${error.trim()}`]);
});
