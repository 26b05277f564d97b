/** Figures of many agents, and their table. */
import { table } from "./table.ts";

/** One number of agents with one number of records. */
export interface ScaleFigures {
  readonly agents: number;
  readonly records: number;
  readonly pods: number;
  readonly podsPerSecond: number;
  readonly addMs: { readonly p50: number; readonly p99: number };
  readonly failed: number;
  readonly failures: readonly string[];
  /** Of one agent, while nothing happens. */
  readonly residentKbPerAgent: number;
  readonly heapKbPerAgent: number;
  readonly idleRequestsPerAgentMinute: Readonly<Record<string, number>>;
  /** Of kube-apiserver and etcd; what they do without agents is in it. */
  readonly idleServerCpuMsPerAgentMinute: number;
  readonly requestsPerPod: Readonly<Record<string, number>>;
  readonly watchBytesPerPod: number;
  readonly watches: number;
  readonly serverCpuMsPerPod: number;
  readonly load: number;
}

/** Many agents in one process, one number of agents and records in each line. */
export function scaleTable(figures: readonly ScaleFigures[]): string {
  const head = [
    ...["agents", "records", "pods", "pods/s", "ADD ms p50/p99", "failed", "RSS kB/agent"],
    ...["heap kB/agent", "requests/pod", "watch bytes/pod", "watches", "server CPU ms/pod", "load"],
  ];
  const total = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((sum, count) => sum + count, 0);
  const rows = figures.map((one) => [
    String(one.agents),
    String(one.records),
    String(one.pods),
    String(one.podsPerSecond),
    `${one.addMs.p50}/${one.addMs.p99}`,
    String(one.failed),
    one.residentKbPerAgent.toFixed(0),
    one.heapKbPerAgent.toFixed(0),
    total(one.requestsPerPod).toFixed(2),
    String(one.watchBytesPerPod),
    String(one.watches),
    String(one.serverCpuMsPerPod),
    one.load.toFixed(1),
  ]);
  const told = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts).map(([key, count]) => `${key} ${count}`).join(", ");
  const requests = figures.map(({ agents, records, requestsPerPod }) => {
    return `requests per pod of ${agents} agents, ${records} records: ${told(requestsPerPod)}`;
  });
  const idle = figures.map(({ agents, records, ...one }) => {
    return `per agent and minute of ${agents} idle agents, ${records} records: server CPU ms ` +
      `${one.idleServerCpuMsPerAgentMinute}, ${told(one.idleRequestsPerAgentMinute)}`;
  });
  const failures = figures.flatMap(({ failures }) => failures.map((text) => `failed: ${text}`));
  return [table([head, ...rows]), ...requests, ...new Set(idle), ...failures].join("\n");
}
