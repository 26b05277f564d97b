/** What `deno task bench` is asked for. */
import { parseArgs } from "node:util";
import { err, ok, type Result } from "../../src/base/result.ts";

/** Names of what can be measured, in the order in which it is. */
export const SCENARIOS = [
  ...["start", "coordinator", "exact", "slack", "dual", "recreate", "stateful", "rest", "scale"],
  ...["leader", "admission", "subnets"],
] as const;

/** What is measured, and how much of it. */
export interface BenchRequest {
  readonly scenarios: ReadonlySet<string>;
  readonly agents: number;
  readonly pods: number;
  /** Plugins at a time on each node. */
  readonly inFlight: number;
  readonly rounds: number;
  /** Numbers of records that a pool has. */
  readonly records: readonly number[];
  /** Numbers of addresses that a controller starts with, ascending. */
  readonly addresses: readonly number[];
  /** Numbers of agents of one process. */
  readonly simulated: readonly number[];
  /** Seconds that a step with simulated agents may take. */
  readonly stepSeconds: number;
  /** Numbers of bare calls at a time that are tried, in each process. */
  readonly levels: readonly number[];
  readonly jsonPath: string | undefined;
}

const OPTIONS = {
  agents: { type: "string", default: "10" },
  pods: { type: "string", default: "1000" },
  "in-flight": { type: "string", default: "32" },
  rounds: { type: "string", default: "3" },
  records: { type: "string", default: "0,10000,60000" },
  addresses: { type: "string", default: "10000,100000" },
  simulated: { type: "string", default: "50,200,1000" },
  "step-seconds": { type: "string", default: "120" },
  levels: { type: "string", default: "1,2,4,8,16,32,64" },
  json: { type: "string" },
} as const;

const USAGE = `use [SCENARIO...] (of ${SCENARIOS.join(", ")}) ` +
  Object.keys(OPTIONS).map((name) => `[--${name} ...]`).join(" ");

/** Reads the command line. */
export function readArguments(args: readonly string[]): Result<BenchRequest, string> {
  let read: ReturnType<typeof parse>;
  try {
    read = parse(args);
  } catch (error) {
    return err(`${error instanceof Error ? error.message : error}: ${USAGE}`);
  }
  const { values, positionals } = read;
  const unknown = positionals.find((name) => !SCENARIOS.some((one) => one === name));
  if (unknown !== undefined) return err(`Unknown scenario "${unknown}": ${USAGE}`);
  for (const name of ["agents", "pods", "in-flight", "rounds", "step-seconds"] as const) {
    if (!/^[1-9]\d{0,5}$/.test(values[name])) {
      return err(`Cannot use --${name} "${values[name]}": write a whole number from 1`);
    }
  }
  for (const name of ["records", "addresses", "levels", "simulated"] as const) {
    if (!/^\d{1,6}(,\d{1,6})*$/.test(values[name])) {
      return err(`Cannot use --${name} "${values[name]}": write whole numbers with commas`);
    }
  }
  const numbers = (text: string): readonly number[] => text.split(",").map(Number);
  return ok({
    scenarios: new Set(positionals.length === 0 ? SCENARIOS : positionals),
    agents: Number(values.agents),
    pods: Number(values.pods),
    inFlight: Number(values["in-flight"]),
    rounds: Number(values.rounds),
    records: numbers(values.records),
    addresses: numbers(values.addresses),
    simulated: numbers(values.simulated).filter((agents) => agents > 0),
    stepSeconds: Number(values["step-seconds"]),
    levels: numbers(values.levels).filter((level) => level > 0),
    jsonPath: values.json,
  });
}

function parse(args: readonly string[]) {
  return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
}
