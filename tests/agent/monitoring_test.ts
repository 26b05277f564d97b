/** `manifests/monitoring` in a real Prometheus that reads a real agent and a real controller. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { run, waitFor } from "../../scripts/cluster/process.ts";
import { SPIDERPOOL_API_VERSION } from "../../src/api/group.ts";
import type { AgentProcess } from "../bench/agent_process.ts";
import type { ControllerProcess } from "../bench/controller_process.ts";
import type { Lab } from "../bench/lab.ts";
import { nodeName, type PoolPlan, SPIDERPOOL_PATH } from "../bench/objects.ts";
import { addPod } from "../bench/plugins.ts";
import { documentedMetrics } from "../support/documented_metrics.ts";
import {
  alerts,
  ALERTS_PATH,
  dashboardQueries,
  type Query,
  scrapeText,
  unbounded,
} from "../support/monitoring.ts";
import { program, testWith } from "../support/require.ts";
import { configOf, type Prometheus, startPrometheus } from "./prometheus.ts";
import { type Environment, freePort, makePods, openSite, type Site } from "./site.ts";

const POOL: PoolPlan = { name: "p4", version: 4, block: 6, size: 2 };
const WAIT_MS_MAX = 60_000;
const ALERT_CASES = new URL("alert_cases.yaml", import.meta.url);

/** Labels of pods, as Prometheus' own discovery in a cluster has them. */
function found(
  component: string,
  { ip = "127.0.0.1", port = "health" }: { readonly ip?: string; readonly port?: string } = {},
): unknown {
  const meta = "__meta_kubernetes_pod";
  const labels = {
    [`${meta}_ip`]: ip,
    [`${meta}_container_port_name`]: port,
    [`${meta}_label_app_kubernetes_io_component`]: component,
    [`${meta}_node_name`]: nodeName(0),
  };
  return { targets: ["unknown:1"], labels };
}

/** The scrape configuration, with pods as they are found, and ports that are free here. */
async function scraping(
  ports: { readonly agent: number; readonly controller: number },
): Promise<unknown> {
  const text = (await scrapeText()).replace("$1:5711", `$1:${ports.agent}`)
    .replace("$1:5721", `$1:${ports.controller}`);
  const { scrape_configs: [job] }: { readonly scrape_configs: readonly object[] } = parse(text);
  // Debian's Prometheus is built without the discovery in clusters.
  const { kubernetes_sd_configs: discovery, ...rest } = { kubernetes_sd_configs: [], ...job };
  assert.deepEqual(discovery, [{ role: "pod", namespaces: { names: ["spiderpool"] } }]);
  return {
    ...rest,
    static_configs: [
      found("spiderpool-agent"),
      found("spiderpool-agent", { ip: "fd00::9" }), // It does not answer.
      found("spiderpool-controller"),
      found("spiderpool-controller", { port: "webhook" }),
      found("other"),
    ],
  };
}

/** The programs, and who reads them. */
interface Scene {
  readonly prometheus: Prometheus;
  readonly agent: AgentProcess;
  readonly controller: ControllerProcess;
}

/** Starts everything; it ends with the stack. */
async function start(site: Site, stack: AsyncDisposableStack): Promise<Scene> {
  const ports = { agent: freePort(), controller: freePort() };
  const told = (port: number): Environment => ({
    SPIDERPOOL_ENABLED_METRIC: "true",
    SPIDERPOOL_ENABLED_DEBUG_METRIC: "true",
    SPIDERPOOL_METRIC_HTTP_PORT: String(port),
  });
  const agent = stack.use(await site.startAgent(told(ports.agent)));
  const controller = stack.use(await site.startController(told(ports.controller)));
  const config = configOf({ jobs: [await scraping(ports)], rules: [ALERTS_PATH] });
  const prometheus = stack.use(await startPrometheus(site.lab.folder, { config }));
  return { prometheus, agent, controller };
}

/** A SpiderSubnet, from which no pool has anything. */
async function makeSubnet(lab: Lab): Promise<void> {
  const spec = { subnet: "10.7.0.0/16", ips: ["10.7.0.1-10.7.0.9"] };
  const body = {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind: "SpiderSubnet",
    metadata: { name: "s" },
    spec,
  };
  await lab.api.send({ method: "POST", path: `${SPIDERPOOL_PATH}/spidersubnets`, body });
}

/** Waits until each query has a sample. */
async function eachHasSamples(prometheus: Prometheus, queries: readonly Query[]): Promise<void> {
  await waitFor(async () => {
    const empty: string[] = [];
    for (const { of, text } of queries) {
      if ((await prometheus.query(text)).length === 0) empty.push(`${of}: ${text}`);
    }
    assert.deepEqual(empty, []);
    return true;
  }, { what: "a sample for each query", timeoutMs: WAIT_MS_MAX });
}

/** Waits until lines are as they should be. */
async function untilSame(
  read: () => Promise<readonly string[]>,
  lines: readonly string[],
): Promise<void> {
  await waitFor(async () => {
    assert.deepEqual((await read()).toSorted(), lines);
    return true;
  }, { what: lines.join(", "), timeoutMs: WAIT_MS_MAX });
}

/** What is read: job, node, and the URL without its port. */
async function targetsOf(prometheus: Prometheus): Promise<readonly string[]> {
  const { activeTargets } = await prometheus.ask("/api/v1/targets?state=active") as {
    readonly activeTargets: readonly {
      readonly labels: Readonly<Record<string, string>>;
      readonly scrapeUrl: string;
    }[];
  };
  return activeTargets.map(({ labels, scrapeUrl }) =>
    `${labels["job"]} ${labels["node"]} ${scrapeUrl.replace(/\d+\/metrics$/, "")}`
  );
}

/** Alerts that call, or will when their time is over: name and state. */
async function calling(prometheus: Prometheus): Promise<readonly string[]> {
  const data = await prometheus.ask("/api/v1/alerts") as {
    readonly alerts: readonly {
      readonly labels: { readonly alertname: string };
      readonly state: string;
    }[];
  };
  return data.alerts.map(({ labels, state }) => `${labels.alertname} ${state}`);
}

testWith({
  name: "every query of the dashboard and of the alerts finds what the programs count",
  needs: [program("prometheus")],
  async fn(t) {
    await using site = await openSite();
    await using stack = new AsyncDisposableStack();
    const { lab } = site;
    const { prometheus, agent, controller } = await start(site, stack);
    await makeSubnet(lab);
    await lab.makePool(POOL);
    const pods = await makePods(lab, { count: 3, pool: POOL });
    await t.step("the pods of the programs are found, each once", async () => {
      await untilSame(() => targetsOf(prometheus), [
        "spiderpool-agent n0 http://127.0.0.1:",
        "spiderpool-agent n0 http://[fd00::9]:",
        "spiderpool-controller n0 http://127.0.0.1:",
      ]);
    });
    await t.step("every query has a sample", async () => {
      const asked = [...await dashboardQueries(), ...(await alerts()).map(unbounded)];
      assert.ok(asked.length > 50, "there are queries");
      await eachHasSamples(prometheus, asked);
    });
    await t.step("the controller has the documented metrics, and no others", async () => {
      const data = await prometheus.ask(
        `/api/v1/targets/metadata?match_target=${
          encodeURIComponent('{job="spiderpool-controller"}')
        }`,
      ) as readonly { readonly metric: string; readonly type: string; readonly help: string }[];
      const documented = await documentedMetrics("controller");
      assert.deepEqual(
        data.map(({ metric, type }) => `${metric} ${type}`).toSorted(),
        documented.map(({ name, type }) => `${name} ${type}`).toSorted(),
      );
      for (const { metric, help } of data) assert.ok(help, metric);
    });
    await t.step("alerts call when it is so", async () => {
      await untilSame(() => calling(prometheus), ["SpiderpoolAgentDown pending"]);
      for (const pod of pods) await addPod(agent.agent, pod);
      const failing = [
        "SpiderpoolAddressesUsedUp firing",
        "SpiderpoolAgentDown pending",
        "SpiderpoolAllocationFails pending",
      ];
      await untilSame(() => calling(prometheus), failing);
      await controller[Symbol.asyncDispose]();
      const all = [...failing, "SpiderpoolControllersDown pending"];
      await untilSame(() => calling(prometheus), all);
    });
  },
});

Deno.test("each alert is tried by promtool, with and without a reason to call", async () => {
  const { tests }: {
    readonly tests: readonly {
      readonly alert_rule_test: readonly {
        readonly alertname: string;
        readonly exp_alerts: readonly unknown[];
      }[];
    }[];
  } = parse(await Deno.readTextFile(ALERT_CASES));
  const tried = tests.flatMap(({ alert_rule_test }) => alert_rule_test);
  for (const { alert } of await alerts()) {
    const expected = tried.filter(({ alertname }) => alertname === alert);
    assert.ok(expected.some(({ exp_alerts }) => exp_alerts.length > 0), `${alert} calls`);
    assert.ok(expected.some(({ exp_alerts }) => exp_alerts.length === 0), `${alert} is silent`);
  }
});

testWith({
  name: "each alert calls for a program that is ill, and for no other",
  needs: [program("promtool")],
  async fn() {
    const asked = ["test", "rules", ALERT_CASES.pathname];
    const { code, stdout, stderr } = await run(["promtool", ...asked]);
    assert.equal(code, 0, stdout + stderr);
  },
});
