/** What a real Prometheus makes of the metrics of the real agent program. */
import assert from "node:assert/strict";
import { addPod, deletePod } from "../bench/plugins.ts";
import { PODS_PATH, type PoolPlan } from "../bench/objects.ts";
import { waitFor } from "../../scripts/cluster/process.ts";
import { documentedMetrics } from "../support/documented_metrics.ts";
import { program, testWith } from "../support/require.ts";
import { configOf, type Prometheus, startPrometheus } from "./prometheus.ts";
import { freePort, makePods, openSite } from "./site.ts";

const POOL: PoolPlan = { name: "p4", version: 4, block: 6, size: 2 };
const SCRAPE_MS_MAX = 30_000;
/** Labels that Prometheus itself gives to every series of a target, and those of a histogram. */
const OWN_LABELS = new Set(["__name__", "instance", "job", "le"]);

/** Starts one that reads one target. */
function startReading(folder: string, target: string): Promise<Prometheus> {
  const job = { job_name: "agent", static_configs: [{ targets: [target] }] };
  return startPrometheus(folder, { config: configOf({ jobs: [job] }) });
}

const needs = [program("prometheus"), program("promtool")];

testWith({
  name: "Prometheus reads the documented metrics of the agent, and no others",
  needs,
  async fn() {
    await using site = await openSite();
    const { lab } = site;
    const port = freePort();
    await using agent = await site.startAgent({
      SPIDERPOOL_ENABLED_METRIC: "true",
      SPIDERPOOL_ENABLED_DEBUG_METRIC: "true",
      SPIDERPOOL_METRIC_HTTP_PORT: String(port),
    });
    await lab.makePool(POOL);
    const pods = await makePods(lab, { count: 3, pool: POOL });
    for (const pod of pods) await addPod(agent.agent, pod);
    await lab.api.text({ method: "DELETE", path: `${PODS_PATH}/web-0?gracePeriodSeconds=0` });
    const [first] = pods;
    assert.ok(first !== undefined);
    assert.equal((await deletePod(agent.agent, first)).failure, undefined);

    const target = `127.0.0.1:${port}`;
    await using prometheus = await startReading(lab.folder, target);
    const value = async (name: string): Promise<string | undefined> => {
      return (await prometheus.query(name))[0]?.value;
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
    const documented = (await documentedMetrics("agent")).map(({ name, type }) =>
      `${name} ${type}`
    );
    assert.deepEqual(types.toSorted(), documented.toSorted());
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
    const port = freePort();
    const variables = { SPIDERPOOL_METRIC_HTTP_PORT: String(port) };
    {
      await using _agent = await site.startAgent(variables);
      await assert.rejects(Deno.connect({ port }), Deno.errors.ConnectionRefused);
    }
    await using _agent = await site.startAgent({ ...variables, SPIDERPOOL_ENABLED_METRIC: "true" });
    for (const asked of ["/metrics", "/", "/other"]) {
      const reply = await fetch(`http://127.0.0.1:${port}${asked}`);
      assert.match(reply.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
      const text = await reply.text();
      assert.match(text, /^spiderpool_ipam_allocation_counts_total 0$/m);
      assert.doesNotMatch(text, /debug/);
    }
  },
});
