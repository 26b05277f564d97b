/** What a real Prometheus makes of the metrics of the real agent program. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import { buildArchitecture } from "../../scripts/build/layout.ts";
import { cacheFolder } from "../../scripts/cluster/components.ts";
import { endProcess, startDetached, waitFor } from "../../scripts/cluster/process.ts";
import type { Pod } from "../../src/api/kubernetes/pod.ts";
import { type AgentProcess, startAgent } from "../bench/agent_process.ts";
import { freePorts } from "../../scripts/cluster/free_ports.ts";
import { Lab } from "../bench/lab.ts";
import { nodeName, podObject, PODS_PATH, type PoolPlan, readPod } from "../bench/objects.ts";
import { addPod, deletePod } from "../bench/plugins.ts";
import { program, testWith } from "../support/require.ts";

const DOCUMENT = new URL("../../docs/metrics.md", import.meta.url);
const POOL: PoolPlan = { name: "p4", version: 4, block: 6, size: 2 };
const SCRAPE_MS_MAX = 30_000;
/** Labels that Prometheus itself gives to every series of a target, and those of a histogram. */
const OWN_LABELS = new Set(["__name__", "instance", "job", "le"]);

/** A cluster with one node, and a build of the programs. */
interface Site extends AsyncDisposable {
  readonly lab: Lab;
  readonly start: (environment: Readonly<Record<string, string>>) => Promise<AgentProcess>;
}

async function openSite(): Promise<Site> {
  await using stack = new AsyncDisposableStack();
  const lab = stack.use(await Lab.open({ nodes: 1, report: () => {} }));
  const programs = path.join(lab.folder, "programs");
  await buildArchitecture(programs, {
    architecture: ownArchitecture(),
    ports: {
      cache: cacheFolder(Deno.env),
      fetch,
      readEnvironment: (name) => Deno.env.get(name),
      say: () => {},
    },
  });
  const end = stack.move();
  return {
    lab,
    start: async (environment) => {
      const [healthPort = 0] = freePorts(1, { hostname: "0.0.0.0" });
      return await startAgent({
        program: path.join(programs, "spiderpool-agent"),
        folder: lab.folder,
        node: nodeName(0),
        kubeconfigPath: lab.kubeconfigPath,
        healthPort,
        environment,
      });
    },
    [Symbol.asyncDispose]: () => end.disposeAsync(),
  };
}

async function makePods(lab: Lab, count: number): Promise<readonly Pod[]> {
  const { owner } = await lab.makeOwner("web", { kind: "ReplicaSet", replicas: count });
  const replies = await lab.sendAll(Array.from({ length: count }, (_, index) => ({
    method: "POST" as const,
    path: PODS_PATH,
    body: podObject(`web-${index}`, { node: nodeName(0), owner, pools: [POOL] }),
  })));
  return replies.map(readPod);
}

/** A Prometheus that scrapes one target each second, asked by path. */
async function startPrometheus(
  folder: string,
  { target }: { readonly target: string },
): Promise<AsyncDisposable & { readonly ask: (path: string) => Promise<unknown> }> {
  const [port = 0] = freePorts(1, { hostname: "0.0.0.0" });
  const configPath = path.join(folder, "prometheus.yml");
  const job = { job_name: "agent", static_configs: [{ targets: [target] }] };
  const global = { scrape_interval: "1s" };
  await Deno.writeTextFile(configPath, JSON.stringify({ global, scrape_configs: [job] }));
  const identity = startDetached([
    "prometheus",
    `--config.file=${configPath}`,
    `--storage.tsdb.path=${path.join(folder, "prometheus")}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ], { logPath: path.join(folder, "prometheus.log") });
  return {
    ask: async (asked) => {
      const reply = await fetch(`http://127.0.0.1:${port}${asked}`);
      const { status, data } = await reply.json();
      assert.equal(status, "success", asked);
      return data;
    },
    [Symbol.asyncDispose]: () => endProcess(identity, { graceMs: 5_000 }),
  };
}

/** Names of docs/metrics.md, each with its type. */
async function documented(): Promise<readonly string[]> {
  const found: string[] = [];
  const [agent = ""] = (await Deno.readTextFile(DOCUMENT)).split("\n## Controller\n");
  for (const line of agent.split("\n")) {
    const [, names = "", type = ""] = /^\| (`.+?`) +\| (\w+) +\|/.exec(line) ?? [];
    for (const [, name = ""] of names.matchAll(/`([^`]+)`/g)) {
      const [, before = "", choice = "", after = ""] = /^([^{]*)\{(.*)\}(.*)$/.exec(name) ?? [];
      const all = choice === "" ? [name] : choice.split(",").map((one) => before + one + after);
      found.push(...all.map((one) => `${one} ${type}`));
    }
  }
  return found;
}

const needs = [program("prometheus"), program("promtool")];

testWith({
  name: "Prometheus reads the documented metrics of the agent, and no others",
  needs,
  async fn() {
    await using site = await openSite();
    const { lab } = site;
    const [port = 0] = freePorts(1, { hostname: "0.0.0.0" });
    await using agent = await site.start({
      SPIDERPOOL_ENABLED_METRIC: "true",
      SPIDERPOOL_ENABLED_DEBUG_METRIC: "true",
      SPIDERPOOL_METRIC_HTTP_PORT: String(port),
    });
    await lab.makePool(POOL);
    const pods = await makePods(lab, 3);
    for (const pod of pods) await addPod(agent.agent, pod);
    await lab.api.text({ method: "DELETE", path: `${PODS_PATH}/web-0?gracePeriodSeconds=0` });
    const [first] = pods;
    assert.ok(first !== undefined);
    assert.equal((await deletePod(agent.agent, first)).failure, undefined);

    const target = `127.0.0.1:${port}`;
    await using prometheus = await startPrometheus(lab.folder, { target });
    const value = async (name: string): Promise<string | undefined> => {
      const data = await prometheus.ask(`/api/v1/query?query=${encodeURIComponent(name)}`);
      const { result } = data as { readonly result: readonly { readonly value: [0, string] }[] };
      return result[0]?.value[1];
    };
    await waitFor(async () => await value("up") === "1" ? true : undefined, {
      what: "a scrape",
      timeoutMs: SCRAPE_MS_MAX,
    });
    assert.equal(await value("spiderpool_ipam_allocation_counts_total"), "3");
    assert.equal(await value("spiderpool_ipam_allocation_err_ip_used_out_counts_total"), "1");
    assert.equal(await value("spiderpool_ipam_release_counts_total"), "1");
    assert.equal(await value("spiderpool_ipam_allocation_duration_seconds_count"), "3");

    const metadata = await prometheus.ask("/api/v1/metadata") as Readonly<
      Record<string, readonly { readonly type: string; readonly help: string }[]>
    >;
    const types = Object.entries(metadata).map(([name, [entry]]) => `${name} ${entry?.type}`);
    assert.deepEqual(types.toSorted(), (await documented()).toSorted());
    for (const [name, [entry]] of Object.entries(metadata)) assert.ok(entry?.help, name);
    const series = await prometheus.ask(
      `/api/v1/series?match[]=${encodeURIComponent('{__name__=~"spiderpool_.+|process_.+"}')}`,
    ) as readonly Readonly<Record<string, string>>[];
    const labels = new Set(series.flatMap((one) => Object.keys(one)));
    assert.deepEqual([...labels].filter((label) => !OWN_LABELS.has(label)), []);
    const buckets = series.filter((one) =>
      one["__name__"] === "spiderpool_ipam_allocation_duration_seconds_bucket"
    );
    assert.equal(buckets.length, 18);
    const lint = new Deno.Command("promtool", {
      args: ["check", "metrics"],
      stdin: "piped",
    }).spawn();
    await (await fetch(`http://${target}/metrics`)).body?.pipeTo(lint.stdin);
    assert.equal((await lint.status).code, 0, "promtool finds nothing to say");
  },
});

testWith({
  name: "the agent serves metrics, and debug metrics, only where it is told to",
  needs,
  async fn() {
    await using site = await openSite();
    const [port = 0] = freePorts(1, { hostname: "0.0.0.0" });
    const variables = { SPIDERPOOL_METRIC_HTTP_PORT: String(port) };
    {
      await using _agent = await site.start(variables);
      await assert.rejects(Deno.connect({ port }), Deno.errors.ConnectionRefused);
    }
    await using _agent = await site.start({ ...variables, SPIDERPOOL_ENABLED_METRIC: "true" });
    for (const asked of ["/metrics", "/", "/other"]) {
      const reply = await fetch(`http://127.0.0.1:${port}${asked}`);
      assert.match(reply.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
      const text = await reply.text();
      assert.match(text, /^spiderpool_ipam_allocation_counts_total 0$/m);
      assert.doesNotMatch(text, /debug/);
    }
  },
});
