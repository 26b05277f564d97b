/** What one measurement found, and how several become one. */
import type { JobsReport } from "./bare_api.ts";
import type { PluginCall } from "./plugins.ts";
import { median, quantile } from "./statistics.ts";

/** One round of many pods. */
export interface Round {
  readonly seconds: number;
  readonly pods: number;
  readonly calls: readonly PluginCall[];
  /** Seconds after the beginning at which each pod was done, ascending. */
  readonly doneSeconds: readonly number[];
  readonly agents: AgentUsage;
  /** CPU seconds of etcd and kube-apiserver, and of the process that plays the plugins. */
  readonly serverCpuSeconds: number;
  readonly pluginsCpuSeconds: number;
  /** Requests by verb and kind. */
  readonly requests: ReadonlyMap<string, number>;
  /** The same objects by bare calls, in the same minute. */
  readonly bare: JobsReport;
  readonly bareInFlight: number;
  /** Of the server and of those who call it. */
  readonly bareCpuSeconds: number;
  readonly load: number;
}

/** What all agents together used in a round. */
export interface AgentUsage {
  readonly count: number;
  readonly cpuSeconds: number;
  readonly residentBytesMax: number;
  readonly watchBytes: number;
}

/** Milliseconds that so many of all calls do not exceed. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
}

/** Rounds of one scenario, as they are shown. */
export interface Figures {
  readonly scenario: string;
  readonly rounds: number;
  readonly pods: number;
  /** Pods per second: median over the rounds, and each round. */
  readonly rate: number;
  readonly rates: readonly number[];
  readonly bareRate: number;
  readonly bareRates: readonly number[];
  readonly bareInFlight: number;
  /** Seconds until so many of a hundred pods were done, each the median of the rounds. */
  readonly doneSeconds: Readonly<Record<"50" | "90" | "99" | "100", number>>;
  /** Median over rounds of rate by bare rate of the same round. */
  readonly ratio: number;
  /**
   * CPU of a pod by bare calls (server and callers) by that of a pod by agents (server, agents and
   * plugins): what the ratio would be on a machine that does nothing else and is never idle.
   */
  readonly cpuRatio: number;
  readonly failedCalls: number;
  readonly failures: readonly string[];
  readonly health: Spread;
  readonly call: Spread;
  readonly pod: Spread;
  /** Of one agent, for all rounds. */
  readonly agentCpuSeconds: number;
  /** Of one agent, per pod of its own. */
  readonly agentCpuMsPerPod: number;
  /** Each round: CPU milliseconds per pod of all agents, of the server, and of bare calls. */
  readonly cpuMsPerPod: readonly {
    readonly agents: number;
    readonly server: number;
    readonly bare: number;
  }[];
  readonly agentResidentMb: number;
  readonly agentWatchBytes: number;
  readonly requestsPerPod: Readonly<Record<string, number>>;
  readonly serverCpuSeconds: number;
  readonly pluginsCpuSeconds: number;
  readonly loads: readonly number[];
}

/** Joins the rounds of a scenario. */
export function figuresOf(scenario: string, rounds: readonly Round[]): Figures {
  const rates = rounds.map(({ pods, seconds }) => pods / seconds);
  const bareRates = rounds.map(({ bare }) => rateOf(bare));
  const calls = rounds.flatMap((round) => round.calls);
  const failures = calls.flatMap(({ failure }) => failure === undefined ? [] : [failure]);
  const pods = sum(rounds.map((round) => round.pods));
  const agents = rounds[0]?.agents.count ?? 1;
  const cpuSeconds = sum(rounds.map((round) => round.agents.cpuSeconds));
  const allCpu = cpuSeconds +
    sum(rounds.map((one) => one.serverCpuSeconds + one.pluginsCpuSeconds));
  const done = (share: number): number =>
    rounded(median(rounds.map((round) => quantile(round.doneSeconds, share))), 2);
  const requests: Record<string, number> = {};
  for (const round of rounds) {
    for (const [key, count] of round.requests) {
      requests[key] = rounded((requests[key] ?? 0) + count / pods, 3);
    }
  }
  return {
    scenario,
    rounds: rounds.length,
    pods: rounds[0]?.pods ?? 0,
    rate: rounded(median(rates)),
    rates: rates.map((rate) => rounded(rate)),
    bareRate: rounded(median(bareRates)),
    bareRates: bareRates.map((rate) => rounded(rate)),
    bareInFlight: rounds[0]?.bareInFlight ?? 0,
    doneSeconds: { "50": done(0.5), "90": done(0.9), "99": done(0.99), "100": done(1) },
    ratio: rounded(median(rates.map((rate, at) => rate / (bareRates[at] ?? NaN))), 2),
    cpuRatio: rounded(sum(rounds.map((one) => one.bareCpuSeconds)) / allCpu, 2),
    failedCalls: failures.length,
    failures: [...new Set(failures)].slice(0, 5),
    health: spreadOf(calls.map(({ healthMs }) => healthMs)),
    call: spreadOf(calls.map(({ callMs }) => callMs)),
    pod: spreadOf(calls.map(({ healthMs, callMs }) => healthMs + callMs)),
    agentCpuSeconds: rounded(cpuSeconds / agents, 2),
    agentCpuMsPerPod: rounded(cpuSeconds * 1_000 / pods, 2),
    cpuMsPerPod: rounds.map((one) => ({
      agents: rounded(one.agents.cpuSeconds * 1_000 / one.pods, 2),
      server: rounded(one.serverCpuSeconds * 1_000 / one.pods, 2),
      bare: rounded(one.bareCpuSeconds * 1_000 / one.pods, 2),
    })),
    agentResidentMb: rounded(Math.max(...rounds.map((one) => one.agents.residentBytesMax)) / 1e6),
    agentWatchBytes: Math.round(sum(rounds.map((one) => one.agents.watchBytes)) / agents),
    requestsPerPod: requests,
    serverCpuSeconds: rounded(sum(rounds.map((one) => one.serverCpuSeconds)), 2),
    pluginsCpuSeconds: rounded(sum(rounds.map((one) => one.pluginsCpuSeconds)), 2),
    loads: rounds.map(({ load }) => load),
  };
}

/** Jobs per second of those that went well. */
export function rateOf({ durationsMs, startedMs, endedMs }: JobsReport): number {
  return durationsMs.length * 1_000 / (endedMs - startedMs);
}

/** To so many digits behind the point. */
export function rounded(value: number, digits = 1): number {
  return Number(value.toFixed(digits));
}

function spreadOf(values: readonly number[]): Spread {
  return { p50: rounded(quantile(values, 0.5)), p99: rounded(quantile(values, 0.99)) };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
