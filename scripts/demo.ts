/**
 * `deno task demo`: addresses for containers on two machines, without Kubernetes.
 *
 *   demo.ts
 *
 * Everything runs in mount, network and process namespaces that end with this program, however it
 * ends. Exits with 130 if it was stopped.
 */
import { errorText } from "../src/base/log.ts";
import { findPlugins, missingForDemo } from "./demo/requirements.ts";
import { printer } from "./demo/print.ts";
import { freshPrograms } from "./demo/programs.ts";
import { Stage } from "./demo/stage.ts";
import { tell } from "./demo/story.ts";

/** First argument of the run inside the namespaces. */
const INSIDE = "--inside";
const STOPPED = 130;

async function main(args: readonly string[]): Promise<number> {
  const [first, programs = "", plugins = ""] = args;
  if (first === INSIDE) return await runInside({ programs, plugins });
  if (first !== undefined) return complain(`Unknown argument "${first}": the demo takes none`, 2);
  const missing = await missingForDemo();
  if (missing !== undefined) return complain(missing, 1);
  return await runOutside({ programs: await freshPrograms(), plugins: await findPlugins() ?? "" });
}

interface Folders {
  /** Of this project's programs. */
  readonly programs: string;
  /** Of the standard CNI plugins. */
  readonly plugins: string;
}

/** Starts this program once more, in namespaces of its own. Its input ends when this one does. */
async function runOutside({ programs, plugins }: Folders): Promise<number> {
  const child = new Deno.Command("unshare", {
    args: [
      ...["--mount", "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"],
      ...[Deno.execPath(), "run", "--quiet", "--allow-all", import.meta.filename ?? ""],
      ...[INSIDE, programs, plugins],
    ],
    stdin: "piped",
  }).spawn();
  const stop = (): void => {
    child.stdin.close().catch(() => {}); // It may have ended.
  };
  const names = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of names) Deno.addSignalListener(name, stop);
  try {
    return (await child.status).code;
  } finally {
    for (const name of names) Deno.removeSignalListener(name, stop);
    stop();
  }
}

async function runInside(folders: Folders): Promise<number> {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new Error("The demo was stopped"));
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) Deno.addSignalListener(name, stop);
  untilInputEnds().then(stop);
  const say = printer((text) => write(Deno.stdout, text));
  const { signal } = stopping;
  try {
    await using stage = await Stage.open({ ...folders, signal });
    await tell(stage, { say, signal });
    return 0;
  } catch (error) {
    if (!signal.aborted) return complain(`The demo failed: ${errorText(error)}`, 1);
    say.line("");
    say.line("Stopped. All that was made is gone.");
    return STOPPED;
  }
}

async function untilInputEnds(): Promise<void> {
  const chunk = new Uint8Array(256);
  while (await Deno.stdin.read(chunk) !== null) { /* Nothing is said there. */ }
}

function complain(text: string, code: number): number {
  write(Deno.stderr, `${text}\n`);
  return code;
}

function write(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args)); // Reading of standard input would go on.
  } catch (error) {
    Deno.exit(complain(`The demo failed: ${errorText(error)}`, 1));
  }
}
