/**
 * Measures `src/kube` against a real API server: `deno run -A tests/bench/kube_bench.ts`, with
 * `CONTRACT_KUBECONFIG` naming a server whose objects are made and deleted freely. Prints figures,
 * asserts nothing. Memory is taken in a process of its own each, after a garbage collection.
 */
import { systemClock } from "../../src/base/clock.ts";
import {
  type MetadataObject,
  metadataOf,
  type Resource,
  type StoredObject,
} from "../../src/base/object_store.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk, ok } from "../../src/base/result.ts";
import { Informer, KubeStore, readKubeConfig, Transport } from "../../src/kube/mod.ts";

interface Pod extends StoredObject {
  readonly spec?: unknown;
  readonly status?: unknown;
}

const clock = systemClock();
const random = systemRandom();
const signal = AbortSignal.timeout(600_000);
const NAMESPACE = "kube-bench";
const POD_COUNT = Number(Deno.env.get("BENCH_PODS") ?? 10_000);
const IN_FLIGHT = 32;

const PODS: Resource<Pod> = resourceOf({ kind: "Pod", plural: "pods" });
const CONFIG_MAPS = resourceOf({ kind: "ConfigMap", plural: "configmaps" });
const NAMESPACES = resourceOf({ kind: "Namespace", plural: "namespaces", namespaced: false });
const POD_METADATA: Resource<MetadataObject> = metadataOf(
  PODS,
  (value) => ok(value as MetadataObject),
);

function resourceOf(
  { kind, plural, namespaced = true }: {
    readonly kind: string;
    readonly plural: string;
    readonly namespaced?: boolean;
  },
): Resource<StoredObject> {
  return {
    group: "",
    version: "v1",
    kind,
    plural,
    namespaced,
    hasStatus: false,
    columns: [],
    view: "full",
    parse: (value) => ok(value as StoredObject),
  };
}

async function accessOf(): Promise<ConstructorParameters<typeof Transport>[0]> {
  const read = await readKubeConfig([Deno.env.get("CONTRACT_KUBECONFIG") ?? ""], {
    readText: (path) => Deno.readTextFile(path),
  });
  return expectOk(read, "CONTRACT_KUBECONFIG is good");
}

const access = await accessOf();
using transport = new Transport(access, { clock, random, userAgent: "kube-bench" });
const store = new KubeStore(transport, { random });

/** A pod as a Deployment's controller writes it, with one container: about 6 kB when it runs. */
function podOf(index: number): Pod {
  const environment = Array.from({ length: 12 }, (_, item) => ({
    name: `SETTING_${item}`,
    value: `value of setting ${item} of pod ${index}`,
  }));
  const container = {
    name: "web",
    image: "registry.test/team/web:1.2.3",
    env: environment,
    ports: [{ containerPort: 8080, name: "http", protocol: "TCP" }],
    resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
    livenessProbe: { httpGet: { path: "/live", port: "http" } },
    readinessProbe: { httpGet: { path: "/ready", port: "http" } },
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `web-7d4b9c6f5d-${index.toString(36).padStart(5, "0")}`,
      namespace: NAMESPACE,
      labels: { app: "web", "pod-template-hash": "7d4b9c6f5d" },
      annotations: { "team.test/owner": "web", "team.test/checksum": "0123456789abcdef" },
    },
    spec: { automountServiceAccountToken: false, containers: [container] },
  };
}

async function inParallel(
  count: number,
  act: (index: number) => Promise<unknown>,
): Promise<number> {
  let next = 0;
  const startedMs = clock.monotonicMs();
  await Promise.all(Array.from({ length: IN_FLIGHT }, async () => {
    for (let index = next++; index < count; index = next++) await act(index);
  }));
  return count / (clock.monotonicMs() - startedMs) * 1_000;
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

async function makePods(): Promise<void> {
  const made = { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } };
  await store.create(NAMESPACES, made, { signal });
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "default" } };
  await store.create(resourceOf({ kind: "ServiceAccount", plural: "serviceaccounts" }), {
    ...account,
    metadata: { name: "default", namespace: NAMESPACE },
  }, { signal });
  await inParallel(POD_COUNT, async (index) => {
    const result = await store.create(PODS, podOf(index), { signal });
    if (!result.ok && result.error.code !== "already_exists") throw new Error(result.error.message);
  });
}

/** One informer, or none, in this process; prints its resident memory. */
async function measureMemory(view: string): Promise<void> {
  const resource: Resource<StoredObject> | undefined = view === "full"
    ? PODS
    : view === "metadata"
    ? POD_METADATA as unknown as Resource<StoredObject>
    : undefined;
  const startedMs = clock.monotonicMs();
  if (resource === undefined) await store.get(NAMESPACES, { name: NAMESPACE }, { signal });
  else {
    const stop = new AbortController();
    const options = { clock, random, selection: { namespace: NAMESPACE } };
    const informer = new Informer(store, resource, options);
    informer.run({ signal: stop.signal }).catch(() => {});
    await informer.waitForSync({ signal });
    Object.assign(globalThis, { informer });
  }
  const listMs = clock.monotonicMs() - startedMs;
  const collect: unknown = Reflect.get(globalThis, "gc");
  for (let round = 0; round < 4; round++) {
    if (typeof collect === "function") collect();
    await clock.sleep(50, { signal });
  }
  const { rss, heapUsed } = Deno.memoryUsage();
  print(JSON.stringify({ view, rssMb: rss / 1e6, heapMb: heapUsed / 1e6, listMs }));
  Deno.exit();
}

async function memoryOf(view: string): Promise<void> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "-A", "--v8-flags=--expose-gc", import.meta.url, view],
    stderr: "inherit",
  }).output();
  print(new TextDecoder().decode(stdout).trim());
}

/** Bare `fetch` and the store take turns, so that both see the same machine. */
async function measureCreates(): Promise<void> {
  const { certificateAuthority, identity } = access;
  const text = async (material = certificateAuthority): Promise<string> =>
    material === undefined
      ? ""
      : material.kind === "text"
      ? material.text
      : await Deno.readTextFile(material.path);
  using client = Deno.createHttpClient({
    caCerts: [await text()],
    cert: await text(identity.clientCertificate),
    key: await text(identity.clientKey),
  });
  const url = `${access.server}/api/v1/namespaces/${NAMESPACE}/configmaps`;
  const run = crypto.randomUUID().slice(0, 8);
  const mapOf = (name: string): StoredObject & { readonly data: unknown } => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, namespace: NAMESPACE, labels: { run } },
    data: { text: "x".repeat(300) },
  });
  for (let round = 0; round < 5; round++) {
    const bare = await inParallel(1_000, async (index) => {
      const body = JSON.stringify(mapOf(`bare-${run}-${round}-${index}`));
      const headers = { "content-type": "application/json" };
      const response = await fetch(url, { client, method: "POST", headers, body });
      if (!response.ok) throw new Error(await response.text());
      await response.json();
    });
    const ours = await inParallel(1_000, async (index) => {
      const object = mapOf(`ours-${run}-${round}-${index}`);
      const result = await store.create(CONFIG_MAPS, object, { signal });
      if (!result.ok) throw new Error(result.error.message);
    });
    print(
      `creates per second: bare fetch ${bare.toFixed(0)}, store ${ours.toFixed(0)}, ` +
        `ratio ${(ours / bare).toFixed(2)}`,
    );
  }
}

/** How fast an informer takes in events that the server already holds. */
async function measureWatch(): Promise<void> {
  const before = expectOk(
    await store.list(CONFIG_MAPS, { namespace: NAMESPACE, limit: 1, signal }),
    "the list is given",
  );
  const events = 10_000;
  const run = crypto.randomUUID().slice(0, 8);
  await inParallel(events, async (index) => {
    const metadata = { name: `watch-${run}-${index}`, namespace: NAMESPACE };
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata };
    await store.create(CONFIG_MAPS, object, { signal });
  });
  for (let round = 0; round < 3; round++) {
    const { resourceVersion } = before;
    let count = 0;
    const startedMs = clock.monotonicMs();
    const watched = store.watch(CONFIG_MAPS, { namespace: NAMESPACE, resourceVersion, signal });
    for await (const event of watched) {
      if (event.type === "failed") throw new Error(event.error.message);
      if (event.type === "added" && ++count === events) break;
    }
    const perSecond = count / (clock.monotonicMs() - startedMs) * 1_000;
    print(`watch: ${count} events, ${perSecond.toFixed(0)} per second`);
  }
}

const [view] = Deno.args;
if (view !== undefined) await measureMemory(view);
print(`machine load ${Deno.loadavg().map((load) => load.toFixed(1)).join(" ")}`);
await makePods();
for (const one of ["nothing", "metadata", "full", "nothing", "metadata", "full"]) {
  await memoryOf(one);
}
await measureCreates();
await measureWatch();
