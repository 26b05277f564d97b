/** What a person asks of the database: who has which address, and that a fixed name ends. */
import type { ProgramPorts } from "../../base/program.ts";
import { keyOf, StoreFailure, type StoreResult } from "../../base/object_store.ts";
import { type Address, parseAddress } from "../../ip/mod.ts";
import { type Pod, PODS } from "../../api/kubernetes/pod.ts";
import { STATEFUL_SETS } from "../../api/kubernetes/workload.ts";
import { SPIDER_IPS, type SpiderIp } from "../../api/spider_ip.ts";
import type { EngineStore } from "../../store/engine_store.ts";
import { readDatabaseFlag } from "./arguments.ts";
import {
  CONTAINER_NAMESPACE,
  containerFacts,
  fixedNameOf,
  fixedNameProblem,
  LABEL_FIXED,
} from "./containers.ts";
import type { StandalonePorts } from "./ports.ts";
import { openDatabase } from "./program.ts";

/** What the commands need of the world. */
export interface CommandPorts extends Pick<ProgramPorts, "writeOutput" | "writeError"> {
  readonly standalone: StandalonePorts;
  readonly stop: AbortSignal;
}

/** How the commands are called. */
export const COMMANDS_USAGE = {
  addresses: "addresses [--database FILE]",
  releaseFixed: "release-fixed NAME [--database FILE]",
} as const;

/** `addresses`: a table of every address in use, and of those kept under a name. */
export async function runAddresses(args: readonly string[], ports: CommandPorts): Promise<number> {
  const usage = COMMANDS_USAGE.addresses;
  const work: DatabaseWork = async (store, { signal }) => {
    const claims = sure(await store.list(SPIDER_IPS, { signal })).items;
    const pods = sure(await store.list(PODS, { namespace: CONTAINER_NAMESPACE, signal })).items;
    const byUid = new Map(pods.map((pod) => [pod.metadata.uid ?? "", pod]));
    const rows = claims.toSorted(byAddress).map((claim) => rowOf(claim, byUid));
    ports.writeOutput(tableText([HEADINGS, ...rows]));
    return 0;
  };
  return await withDatabase(args, { usage, ports, work });
}

/** `release-fixed NAME`: the addresses of the name go once no container has them. */
export async function runReleaseFixed(
  [name = "", ...args]: readonly string[],
  ports: CommandPorts,
): Promise<number> {
  const usage = COMMANDS_USAGE.releaseFixed;
  const problem = fixedNameProblem(name);
  if (problem !== undefined) {
    ports.writeError(`${problem}: use ${usage}\n`);
    return 2;
  }
  const work: DatabaseWork = async (store, { signal }) => {
    const labelSelector = `${LABEL_FIXED}=${name}`;
    const wish = { namespace: CONTAINER_NAMESPACE, labelSelector, signal };
    const sets = sure(await store.list(STATEFUL_SETS, wish)).items;
    if (sets.length === 0) {
      ports.writeError(`Nothing is kept as "${name}": the command "addresses" lists what is\n`);
      return 1;
    }
    for (const set of sets) sure(await store.remove(STATEFUL_SETS, keyOf(set), { signal }));
    ports.writeOutput(
      `Nothing is kept as "${name}" any more: its addresses are free within 30 seconds after the ` +
        "last container that has them ended\n",
    );
    return 0;
  };
  return await withDatabase(args, { usage, ports, work });
}

const HEADINGS = ["ADDRESS", "POOL", "NODE", "NIC", "FIXED", "CONTAINER"];

/** @param pods By UID: those of containers that are there. */
function rowOf({ spec }: SpiderIp, pods: ReadonlyMap<string, Pod>): readonly string[] {
  const pod = pods.get(spec.podUID ?? "");
  const container = pod === undefined ? "(none)" : containerFacts(pod).containerID;
  const fixed = spec.owner === undefined ? "-" : fixedNameOf(spec.owner);
  return [spec.ip, spec.pool, spec.node ?? "-", spec.nic ?? "-", fixed, container];
}

function byAddress(one: SpiderIp, other: SpiderIp): number {
  const [a, b] = [one, other].map(({ spec }) => rankOf(spec.ip));
  if (a === undefined || b === undefined || a === b) return 0;
  return a < b ? -1 : 1;
}

/** IPv4 before IPv6. */
function rankOf(ip: string): bigint {
  const parsed = parseAddress(ip);
  const address: Address | undefined = parsed.ok ? parsed.value : undefined;
  if (address === undefined) return 0n;
  return typeof address === "number" ? BigInt(address) : address + (1n << 32n);
}

function tableText(rows: readonly (readonly string[])[]): string {
  const widths = HEADINGS.map((_, column) => {
    return Math.max(...rows.map((row) => (row[column] ?? "").length));
  });
  const lines = rows.map((row) => {
    return row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("   ").trimEnd();
  });
  return `${lines.join("\n")}\n`;
}

/** @returns The exit code. */
type DatabaseWork = (
  store: EngineStore,
  options: { readonly signal: AbortSignal },
) => Promise<number>;

async function withDatabase(
  args: readonly string[],
  { usage, ports, work }: {
    readonly usage: string;
    readonly ports: CommandPorts;
    readonly work: DatabaseWork;
  },
): Promise<number> {
  const database = readDatabaseFlag(args, { usage });
  if (!database.ok) {
    ports.writeError(`${database.error}\n`);
    return 2;
  }
  const { standalone, stop: signal } = ports;
  try {
    using store = await openDatabase(database.value, { create: false, standalone, signal });
    return await work(store, { signal });
  } catch (error) {
    if (!(error instanceof StoreFailure)) throw error;
    ports.writeError(`${error.message}\n`);
    return 1;
  }
}

function sure<T>(result: StoreResult<T>): T {
  if (result.ok) return result.value;
  throw new StoreFailure(result.error);
}
