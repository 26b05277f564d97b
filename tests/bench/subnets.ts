/** Pools for applications: from the wish to the pool, and to the addresses of its pods. */
import { LABEL_OWNER_APPLICATION_NAME } from "../../src/api/labels.ts";
import { SPIDERPOOL_API_VERSION } from "../../src/api/group.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk } from "../../src/base/result.ts";
import { Informer, KubeStore, readKubeConfig, Transport } from "../../src/kube/mod.ts";
import { freePorts } from "../../scripts/cluster/free_ports.ts";
import { pause, waitFor } from "../../scripts/cluster/process.ts";
import { type BareCall, doJobs } from "./bare_api.ts";
import {
  APPLICATION_ANNOTATIONS,
  deploymentObject,
  replicaSetObject,
  SUBNET,
} from "./application_objects.ts";
import { checkAnswers } from "./checks.ts";
import { startController } from "./controller_process.ts";
import type { Fleet, Lab } from "./lab.ts";
import { NAMESPACE, nodeName, podObject, PODS_PATH, readPod, SPIDERPOOL_PATH } from "./objects.ts";
import { addPod, type NodeWork, playPlugins, type PluginCall } from "./plugins.ts";
import { usageOf } from "./process_usage.ts";
import { median, quantile } from "./statistics.ts";
import { table } from "./table.ts";

const SUBNETS_PATH = `${SPIDERPOOL_PATH}/spidersubnets`;
const POOLS_PATH = `${SPIDERPOOL_PATH}/spiderippools`;
const DEPLOYMENTS_PATH = `/apis/apps/v1/namespaces/${NAMESPACE}/deployments`;
const READY_MS_MAX = 600_000;
const LOOK_MS = 20;
/** Applications that are being made at a time. */
const IN_FLIGHT = 16;
/** Milliseconds until watches have told the controller what was just written. */
const WATCH_LAG_MS = 1_000;

/** Milliseconds between what takes turns: what the one leaves to do is done then. */
const QUIET_MS = 50;
/** The SpiderSubnet of the bare calls; nobody's annotation names it. */
const BARE_SUBNET = "bare";

/** What a step took. */
export interface SubnetFigures {
  readonly step: string;
  readonly applications: number;
  /** Pods that are started as the application is made. */
  readonly pods: number;
  /** Milliseconds from the request that makes the application until its pool may be used. */
  readonly wishMs: Spread;
  /** Milliseconds of the same objects by bare calls, in turns; for applications one by one. */
  readonly bareMs: number | undefined;
  /** Seconds until every pool is there. */
  readonly allSeconds: number;
  /** Milliseconds of the ADDs, and from the pool until they were answered. */
  readonly addMs: Spread | undefined;
  readonly afterPoolMs: Spread | undefined;
  readonly failures: readonly string[];
  readonly controllerCpuSeconds: number;
  readonly controllerResidentMb: number;
  readonly subnetKb: number;
  readonly load: number;
}

interface Spread {
  readonly p50: number;
  readonly p99: number;
}

/** What is measured, and where. */
export interface SubnetsBench {
  readonly lab: Lab;
  readonly fleet: Fleet;
  /** `spiderpool-controller` of a build. */
  readonly program: string;
  readonly report: (line: string) => void;
}

/** One step after the other, beside the applications of those before it. */
const STEPS = [
  { step: "at once", applications: 30, pods: 10, isAtOnce: true },
  { step: "one by one", applications: 30, pods: 0, isAtOnce: false },
  { step: "many", applications: 910, pods: 0, isAtOnce: true },
  { step: "beside many", applications: 30, pods: 1, isAtOnce: false },
] as const;

type Step = (typeof STEPS)[number];

/** Makes applications until one SpiderSubnet has a thousand. */
export async function measureSubnets(bench: SubnetsBench): Promise<readonly SubnetFigures[]> {
  const { lab, program, report } = bench;
  const { kubeconfigPath, folder } = lab;
  const [healthPort = 0] = freePorts(1);
  await using controller = await startController({
    ...{ program, folder, kubeconfigPath, healthPort, lends: true },
  });
  const spec = { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.250.250"], gateway: "10.6.0.1" };
  const subnet = { apiVersion: SPIDERPOOL_API_VERSION, kind: "SpiderSubnet", spec };
  const body = { ...subnet, metadata: { name: SUBNET } };
  await lab.api.send({ method: "POST", path: SUBNETS_PATH, body });
  const bare = { subnet: "10.7.0.0/16", ips: [] };
  const bareBody = { ...subnet, metadata: { name: BARE_SUBNET }, spec: bare };
  await lab.api.send({ method: "POST", path: SUBNETS_PATH, body: bareBody });
  await using pools = await followPools(kubeconfigPath);
  await untilReady(lab);
  const figures: SubnetFigures[] = [];
  for (const step of STEPS) {
    const one = await playStep(bench, { step, pools, pid: controller.pid });
    report(`${step.step}: every pool was there after ${one.allSeconds.toFixed(2)} s`);
    figures.push(one);
  }
  return figures;
}

/** One step in each line. */
export function subnetsTable(figures: readonly SubnetFigures[]): string {
  const head = [
    ...["step", "applications", "pods", "wish to pool ms p50/p99", "bare ms", "ratio", "all s"],
    ...[
      "ADD ms p50/p99",
      "pool to address ms p50/p99",
      "failed",
      "CPU s",
      "RSS MB",
      "subnet kB",
      "load",
    ],
  ];
  const pair = (spread: Spread | undefined): string =>
    spread === undefined ? "" : `${spread.p50}/${spread.p99}`;
  const rows = figures.map((one) => [
    one.step,
    String(one.applications),
    String(one.pods),
    pair(one.wishMs),
    one.bareMs === undefined ? "" : String(Math.round(one.bareMs)),
    one.bareMs === undefined ? "" : (one.wishMs.p50 / one.bareMs).toFixed(1),
    one.allSeconds.toFixed(2),
    pair(one.addMs),
    pair(one.afterPoolMs),
    String(one.failures.length),
    one.controllerCpuSeconds.toFixed(1),
    one.controllerResidentMb.toFixed(0),
    one.subnetKb.toFixed(0),
    one.load.toFixed(1),
  ]);
  const failures = figures.flatMap(({ step, failures }) => {
    return failures.slice(0, 3).map((text) => `failed, ${step}: ${text.slice(0, 300)}`);
  });
  return [table([head, ...rows]), ...failures].join("\n");
}

/** Waits until a leader has looked at the SpiderSubnet. */
async function untilReady({ api }: Lab): Promise<void> {
  await waitFor(async () => {
    const text = await api.text({ method: "GET", path: `${SUBNETS_PATH}/${SUBNET}` });
    return text.includes('"reason":"Usable"') ? true : undefined;
  }, { what: "the SpiderSubnet to lend", timeoutMs: READY_MS_MAX });
}

async function playStep(
  { lab, fleet }: SubnetsBench,
  { step, pools, pid }: { readonly step: Step; readonly pools: Pools; readonly pid: number },
): Promise<SubnetFigures> {
  const before = usageOf(pid);
  const names = Array.from(
    { length: step.applications },
    (_, index) => `${step.step.replaceAll(" ", "-")}-${index}`,
  );
  const wished = new Map<string, number>();
  const pods: PodOfApplication[] = [];
  const answers: Answered[] = [];
  const bareMs: number[] = [];
  const fromMs = performance.now();
  if (step.isAtOnce) {
    pods.push(...await makeAll(lab, { names, step, wished }));
    answers.push(...await startAll({ lab, fleet }, pods));
    await pools.untilAll(names);
  } else {
    for (const name of names) {
      const made = await makeAll(lab, { names: [name], step, wished });
      pods.push(...made);
      answers.push(...await startAll({ lab, fleet }, made));
      await pools.untilAll([name]);
      await pause(QUIET_MS);
      bareMs.push(await bareWrites(lab, name));
      await pause(QUIET_MS);
    }
  }
  const readyMs = (name: string): number => pools.readyMs.get(name) ?? NaN;
  const allSeconds = (Math.max(...names.map(readyMs)) - fromMs) / 1_000;
  await pause(WATCH_LAG_MS);
  const after = usageOf(pid);
  const calls = answers.map(({ call }) => call);
  const podObjects = pods.map(({ pod }) => pod);
  await checkAnswers(lab.api, { calls, pods: podObjects, families: 1 });
  const text = await lab.api.text({ method: "GET", path: `${SUBNETS_PATH}/${SUBNET}` });
  return {
    step: step.step,
    applications: step.applications,
    pods: pods.length,
    bareMs: bareMs.length === 0 ? undefined : median(bareMs),
    wishMs: spreadOf(names.map((name) => readyMs(name) - (wished.get(name) ?? NaN))),
    allSeconds,
    addMs: pods.length === 0 ? undefined : spreadOf(calls.map(({ callMs }) => callMs)),
    afterPoolMs: pods.length === 0
      ? undefined
      : spreadOf(answers.map(({ application, atMs, call }) => {
        return atMs - Math.max(readyMs(application), atMs - call.callMs);
      })),
    failures: calls.flatMap(({ failure }) => failure ?? []),
    controllerCpuSeconds: after.cpuSeconds - before.cpuSeconds,
    controllerResidentMb: after.residentBytes / 1_048_576,
    subnetKb: text.length / 1_000,
    load: Deno.loadavg()[0] ?? 0,
  };
}

/** Milliseconds of what has to be written for an application's pool, one after the other. */
async function bareWrites({ api }: Lab, name: string): Promise<number> {
  const fromMs = performance.now();
  const deployment = deploymentObject(`bare-${name}`, { replicas: 1 });
  await api.send({ method: "POST", path: DEPLOYMENTS_PATH, body: deployment });
  const subnet = await api.send({ method: "GET", path: `${SUBNETS_PATH}/${BARE_SUBNET}` });
  const status = { controlledIPPools: JSON.stringify({ [name]: { ips: ["10.7.0.1"] } }) };
  const path = `${SUBNETS_PATH}/${BARE_SUBNET}/status`;
  await api.send({ method: "PUT", path, body: { ...subnet as object, status } });
  const pool = await api.send({
    method: "POST",
    path: POOLS_PATH,
    body: {
      apiVersion: SPIDERPOOL_API_VERSION,
      kind: "SpiderIPPool",
      metadata: { name: `bare-${name}` },
      spec: { subnet: "10.7.0.0/16", ips: ["10.7.0.1"], disable: true },
    },
  });
  const marked = { ...pool as object, status: { truth: "SpiderIP" } };
  await api.send({ method: "PUT", path: `${POOLS_PATH}/bare-${name}/status`, body: marked });
  return performance.now() - fromMs;
}

interface PodOfApplication {
  readonly application: string;
  readonly pod: ReturnType<typeof readPod>;
}

interface Answered {
  readonly application: string;
  readonly call: PluginCall;
  /** When it was answered. */
  readonly atMs: number;
}

function spreadOf(values: readonly number[]): Spread {
  return { p50: Math.round(median(values)), p99: Math.round(quantile(values, 0.99)) };
}

/** Makes Deployments and, where there are, their pods: nobody else does here. */
async function makeAll(
  lab: Lab,
  { names, step, wished }: {
    readonly names: readonly string[];
    readonly step: Step;
    readonly wished: Map<string, number>;
  },
): Promise<readonly PodOfApplication[]> {
  const made: { readonly name: string; readonly uid: string }[] = [];
  const { failures: [failure] } = await doJobs(names, {
    inFlight: IN_FLIGHT,
    work: async (name) => {
      wished.set(name, performance.now());
      const body = deploymentObject(name, {
        replicas: Math.max(1, step.pods),
        annotations: APPLICATION_ANNOTATIONS,
      });
      const { metadata } = await lab.api.send({ method: "POST", path: DEPLOYMENTS_PATH, body }) as {
        readonly metadata: { readonly uid: string };
      };
      made.push({ name, uid: metadata.uid });
    },
  });
  if (failure !== undefined) throw new Error(failure);
  if (step.pods === 0) return [];
  const sets = await lab.sendAll(made.map(({ name, uid }): BareCall => ({
    method: "POST",
    path: `/apis/apps/v1/namespaces/${NAMESPACE}/replicasets`,
    body: replicaSetObject(name, { uid, replicas: step.pods }),
  })));
  const calls = made.flatMap(({ name }, at): readonly BareCall[] => {
    const { metadata: { uid } } = sets[at] as { readonly metadata: { readonly uid: string } };
    const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: `${name}-set`, uid } as const;
    return Array.from({ length: step.pods }, (_, index): BareCall => {
      const node = nodeName(index % NODES);
      const annotations = APPLICATION_ANNOTATIONS;
      const body = podObject(`${name}-${index}`, { node, owner, pools: [], annotations });
      return { method: "POST", path: PODS_PATH, body };
    });
  });
  const pods = await lab.sendAll(calls);
  return pods.map((pod, at) => {
    return { application: made[Math.floor(at / step.pods)]?.name ?? "", pod: readPod(pod) };
  });
}

/** Nodes with agents. */
export const NODES = 5;

/** The plugins of all pods, all of a node at once. */
async function startAll(
  { fleet }: Pick<SubnetsBench, "lab" | "fleet">,
  pods: readonly PodOfApplication[],
): Promise<readonly Answered[]> {
  const answered: Answered[] = [];
  const work = fleet.agents.map((agent): NodeWork => ({
    agent: agent.agent,
    jobs: pods.filter(({ pod }) => pod.spec.nodeName === agent.node).map(({ application, pod }) => {
      return async (asked) => {
        const call = await addPod(asked, pod);
        answered.push({ application, call, atMs: performance.now() });
        return [call];
      };
    }),
  }));
  await playPlugins(work, { inFlight: pods.length });
  return answered;
}

/** When pools can be used, as a watch tells. */
interface Pools extends AsyncDisposable {
  /** By application. */
  readonly readyMs: ReadonlyMap<string, number>;
  untilAll(names: readonly string[]): Promise<void>;
}

async function followPools(kubeconfigPath: string): Promise<Pools> {
  const readText = (path: string): Promise<string> => Deno.readTextFile(path);
  const access = expectOk(await readKubeConfig([kubeconfigPath], { readText }), "a kubeconfig");
  const [clock, random] = [systemClock(), systemRandom()];
  const transport = new Transport(access, { clock, random, userAgent: "bench" });
  const informer = new Informer(new KubeStore(transport, { random }), SPIDER_IP_POOLS, {
    clock,
    random,
  });
  const ending = new AbortController();
  const { signal } = ending;
  const readyMs = new Map<string, number>();
  const follow = async (): Promise<void> => {
    for await (const event of informer.events({ signal })) {
      if (event.type !== "added" && event.type !== "modified") continue;
      const name = event.object.metadata.labels?.[LABEL_OWNER_APPLICATION_NAME];
      if (name === undefined || readyMs.has(name) || !isReady(event.object)) continue;
      readyMs.set(name, performance.now());
    }
  };
  const running = Promise.all([informer.run({ signal }), follow()]).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  return {
    readyMs,
    untilAll: async (names) => {
      await waitFor(
        () => Promise.resolve(names.every((name) => readyMs.has(name)) ? true : undefined),
        { what: "every pool to be there", timeoutMs: READY_MS_MAX, everyMs: LOOK_MS },
      );
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await running;
      transport[Symbol.dispose]();
    },
  };
}

function isReady({ spec, status }: SpiderIpPool): boolean {
  return status?.truth === "SpiderIP" && (spec.ips ?? []).length > 0;
}
