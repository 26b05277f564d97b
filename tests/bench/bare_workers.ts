/** Several processes that send bare calls at the same time. */
import { fileURLToPath } from "node:url";
import type { BareCall, JobsReport, ServerAccess } from "./bare_api.ts";
import type { WorkerRound } from "./bare_worker.ts";
import { TextLineStream } from "./lines.ts";

interface Worker {
  readonly child: Deno.ChildProcess;
  readonly writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly lines: AsyncIterator<string>;
}

/** The processes; disposing them ends them. */
export class BareWorkers implements AsyncDisposable {
  readonly #workers: readonly Worker[];

  constructor(access: ServerAccess, { count }: { readonly count: number }) {
    this.#workers = Array.from({ length: count }, () => startWorker());
    for (const worker of this.#workers) tell(worker, access);
  }

  get pids(): readonly number[] {
    return this.#workers.map(({ child }) => child.pid);
  }

  /**
   * Spreads jobs over the processes and has them done.
   *
   * @param options.inFlight Jobs at a time in each process.
   */
  async round(
    jobs: readonly (readonly BareCall[])[],
    { inFlight }: { readonly inFlight: number },
  ): Promise<JobsReport> {
    const count = this.#workers.length;
    await Promise.all(this.#workers.map(async (worker, at) => {
      const round: WorkerRound = { inFlight, jobs: jobs.filter((_, job) => job % count === at) };
      tell(worker, round);
      await hear(worker);
    }));
    const reports = await Promise.all(this.#workers.map(async (worker) => {
      tell(worker, "go");
      return await hear(worker) as JobsReport;
    }));
    return joined(reports);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.map(async ({ child, writer }) => {
      await writer.close().catch(() => {});
      await child.status;
    }));
  }
}

/** Reports of several processes as one. */
function joined(reports: readonly JobsReport[]): JobsReport {
  return {
    startedMs: Math.min(...reports.map(({ startedMs }) => startedMs)),
    endedMs: Math.max(...reports.map(({ endedMs }) => endedMs)),
    durationsMs: reports.flatMap(({ durationsMs }) => durationsMs),
    failures: reports.flatMap(({ failures }) => failures),
  };
}

function startWorker(): Worker {
  const program = fileURLToPath(new URL("./bare_worker.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", program],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).pipeThrough(new TextLineStream());
  return { child, writer: child.stdin.getWriter(), lines: lines.values() };
}

function tell({ writer }: Worker, value: unknown): void {
  writer.write(new TextEncoder().encode(`${JSON.stringify(value)}\n`)).catch(() => {});
}

async function hear({ lines }: Worker): Promise<unknown> {
  const line = await lines.next();
  if (line.done) throw new Error("A process that sends bare calls has ended: see its error above");
  return JSON.parse(line.value);
}
