/** A pool that webhooks judge next to one that nobody judges. */
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk } from "../../src/base/result.ts";
import { KubeStore, readKubeConfig, Transport } from "../../src/kube/mod.ts";
import { ServedAdmission } from "../support/served_admission.ts";
import type { BareCall } from "./bare_api.ts";
import { rounded } from "./figures.ts";
import type { Lab } from "./lab.ts";
import { SPIDERPOOL_PATH } from "./objects.ts";
import { median, quantile } from "./statistics.ts";
import { table } from "./table.ts";

/** What one number of pools costs. */
export interface AdmissionFigures {
  readonly pools: number;
  /** Milliseconds of one creation, 50th and 99th percentile. */
  readonly judgedMs: readonly [number, number];
  readonly bareMs: readonly [number, number];
}

/** Creations of each kind in one turn, and turns. */
const CREATIONS = 50;
const TURNS = 4;
const POOLS = `${SPIDERPOOL_PATH}/spiderippools`;
const NAMESPACE = "webhooks";

/** Compares creations that are tried and not stored, in turns, beside so many pools. */
export async function measureAdmission(
  lab: Lab,
  { pools, report }: {
    readonly pools: readonly number[];
    readonly report: (line: string) => void;
  },
): Promise<readonly AdmissionFigures[]> {
  const metadata = { name: NAMESPACE };
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata };
  await lab.api.send({ method: "POST", path: "/api/v1/namespaces", body: namespace });
  const readText = (path: string): Promise<string> => Deno.readTextFile(path);
  const access = expectOk(await readKubeConfig([lab.kubeconfigPath], { readText }), "it is good");
  const [clock, random] = [systemClock(), systemRandom()];
  using transport = new Transport(access, { clock, random, userAgent: "bench" });
  const store = new KubeStore(transport, { random });
  const place = { store, namespace: NAMESPACE, name: "bench" };
  await using served = await ServedAdmission.open(place);
  const figures: AdmissionFigures[] = [];
  let made = 0;
  for (const count of pools) {
    const missing = Array.from({ length: count - made }, (_, at) => creationOf(made + at, POOLS));
    await lab.sendAll(missing);
    made = count;
    report(`webhooks beside ${count} pools`);
    figures.push(await compare(lab, { served, pools: count }));
  }
  return figures;
}

/** One number of pools in each line. */
export function admissionTable(figures: readonly AdmissionFigures[]): string {
  const head = ["pools", "judged ms p50/p99", "not judged ms p50/p99", "webhooks add ms"];
  const rows = figures.map(({ pools, judgedMs, bareMs }) => [
    String(pools),
    judgedMs.join("/"),
    bareMs.join("/"),
    (judgedMs[0] - bareMs[0]).toFixed(1),
  ]);
  return table([head, ...rows]);
}

async function compare(
  lab: Lab,
  { served, pools }: { readonly served: ServedAdmission; readonly pools: number },
): Promise<AdmissionFigures> {
  const judged: number[] = [];
  const bare: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    bare.push(...await timed(lab, pools));
    await served.register();
    await untilJudged(lab, { isJudged: true });
    judged.push(...await timed(lab, pools));
    await served.unregister();
    await untilJudged(lab, { isJudged: false });
  }
  return { pools, judgedMs: percentiles(judged), bareMs: percentiles(bare) };
}

async function timed(lab: Lab, pools: number): Promise<readonly number[]> {
  const call = creationOf(pools + 1, `${POOLS}?dryRun=All`);
  await lab.api.send(call); // Connections are open from now on.
  const tookMs: number[] = [];
  for (let count = 0; count < CREATIONS; count++) {
    const fromMs = performance.now();
    await lab.api.send(call);
    tookMs.push(performance.now() - fromMs);
  }
  return tookMs;
}

/** The API server knows a configuration a moment after it is stored: a bad pool tells. */
async function untilJudged(lab: Lab, { isJudged }: { readonly isJudged: boolean }): Promise<void> {
  const body = poolOf({ name: "bad", spec: { subnet: "10.0.0.1/8" } });
  const call: BareCall = { method: "POST", path: `${POOLS}?dryRun=All`, body };
  for (;;) {
    const isRefused = await lab.api.send(call).then(() => false, () => true);
    if (isRefused === isJudged) return;
  }
}

function creationOf(index: number, path: string): BareCall {
  const [high, low] = [index >> 8 & 255, index & 255];
  const ips = [`10.${high}.${low}.10-10.${high}.${low}.99`, `10.${high}.${low}.150`];
  const spec = { subnet: "10.0.0.0/8", ips };
  return { method: "POST", path, body: poolOf({ name: `p${index}`, spec }) };
}

function poolOf({ name, spec }: { readonly name: string; readonly spec: object }): unknown {
  const apiVersion = "spiderpool.spidernet.io/v2beta1";
  return { apiVersion, kind: "SpiderIPPool", metadata: { name }, spec };
}

function percentiles(values: readonly number[]): readonly [number, number] {
  return [rounded(median(values), 1), rounded(quantile(values, 0.99), 1)];
}
