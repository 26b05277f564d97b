/**
 * A process that sends bare calls, as often as it is told. Standard input: a line with the access,
 * then for each round a line with the jobs and a line that says "go"; it answers "ready" and a
 * `JobsReport`.
 */
import { TextLineStream } from "./lines.ts";
import { BareApi, type BareCall, doJobs, type ServerAccess } from "./bare_api.ts";

/** One round of a worker. */
export interface WorkerRound {
  readonly inFlight: number;
  readonly jobs: readonly (readonly BareCall[])[];
}

async function main(): Promise<void> {
  const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream()).pipeThrough(
    new TextLineStream(),
  ).values();
  const read = async (): Promise<unknown> => {
    const line = await lines.next();
    return line.done ? undefined : JSON.parse(line.value);
  };
  using api = new BareApi(await read() as ServerAccess);
  await api.text({ method: "GET", path: "/version" }); // The connection is open from now on.
  for (;;) {
    const round = await read() as WorkerRound | undefined;
    if (round === undefined) return;
    say("ready");
    await read();
    const { inFlight } = round;
    const work = async (calls: readonly BareCall[]): Promise<void> => {
      for (const call of calls) await api.send(call);
    };
    say(await doJobs(round.jobs, { inFlight, work }));
  }
}

function say(value: unknown): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(value)}\n`);
  for (let written = 0; written < bytes.length;) {
    written += Deno.stdout.writeSync(bytes.subarray(written));
  }
}

if (import.meta.main) await main();
