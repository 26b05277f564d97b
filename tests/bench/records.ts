/** Records of a pool that nobody at hand made: pods of nodes elsewhere. */
import { pause } from "../../scripts/cluster/process.ts";
import { BareWorkers } from "./bare_workers.ts";
import type { Lab } from "./lab.ts";
import { CLAIMS_PATH, nodeName, type PoolPlan, strangersClaim } from "./objects.ts";

/** Records are spread over so many nodes, none of which has an agent. */
const NODES = 100;
const FIRST_NODE = 100_000;
const WORKERS = 2;
const JOBS_AT_ONCE = 10_000;
const IN_FLIGHT = 16;
/** Milliseconds in which a server comes to rest after many writes. */
const CALM_MS = 5_000;

/** Gives a pool more records, from one of its addresses to another. */
export async function fillPool(
  lab: Lab,
  { pool, from, to, report }: {
    readonly pool: PoolPlan;
    readonly from: number;
    readonly to: number;
    readonly report: (line: string) => void;
  },
): Promise<void> {
  if (from >= to) return;
  await using workers = new BareWorkers(lab.access, { count: WORKERS });
  for (let first = from; first < to; first += JOBS_AT_ONCE) {
    const count = Math.min(JOBS_AT_ONCE, to - first);
    const jobs = Array.from({ length: count }, (_, at) => {
      const index = first + at;
      const node = nodeName(FIRST_NODE + index % NODES);
      const body = strangersClaim(pool, { index, node });
      return [{ method: "POST", path: CLAIMS_PATH, body }] as const;
    });
    const { failures } = await workers.round(jobs, { inFlight: IN_FLIGHT });
    // What an agent has given before is a record as well.
    const failure = failures.find((text) => !text.includes('"reason":"AlreadyExists"'));
    if (failure !== undefined) throw new Error(failure);
    report(`pool ${pool.name} has ${first + count} records`);
  }
  await pause(CALM_MS);
}
