import { StringDecoder } from "node:string_decoder";

/** Characters of a log that say why a program ended. */
const LAST_WORDS_LENGTH = 500;

/** What a finished command printed. */
export interface CommandOutput {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that ended with another code than 0, with what it printed on its error stream. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly code = "command_failed";

  constructor(program: string, output: CommandOutput) {
    const said = output.stderr.trim() || output.stdout.trim() || "it printed nothing";
    super(`Command "${program}" ended with code ${output.code}: ${said.slice(-2_000)}`);
  }
}

/** Options of `run` and `runOrThrow`. */
export interface RunOptions {
  readonly signal?: AbortSignal;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Text for the command's standard input; absent: none. */
  readonly input?: string;
  /** Gets each line of both streams as it comes, beside collecting them. */
  readonly onLine?: (line: string) => void;
}

/**
 * Runs a command to its end.
 *
 * @throws {Deno.errors.NotFound} If the program does not exist.
 */
export async function run(
  [program, ...args]: readonly [string, ...string[]],
  { signal, cwd, env, input, onLine }: RunOptions = {},
): Promise<CommandOutput> {
  const child = new Deno.Command(program, {
    args,
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    ...(signal === undefined ? {} : { signal }),
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env: { ...env } }),
  }).spawn();
  const [status, stdout, stderr] = await Promise.all([
    child.status,
    collect(child.stdout, onLine),
    collect(child.stderr, onLine),
    input === undefined ? undefined : writeAll(child.stdin, input),
  ]);
  signal?.throwIfAborted();
  return { code: status.code, stdout, stderr };
}

/**
 * As `run`, for a command that must succeed.
 *
 * @returns What it printed on its standard output.
 * @throws {CommandError} If it ends with another code than 0.
 */
export async function runOrThrow(
  command: readonly [string, ...string[]],
  options: RunOptions = {},
): Promise<string> {
  const output = await run(command, options);
  if (output.code !== 0) throw new CommandError(command[0], output);
  return output.stdout;
}

/** Whether a program can be started by its name. */
export async function hasProgram(program: string): Promise<boolean> {
  return (await run(["sh", "-c", `command -v "$1" >/dev/null`, "sh", program])).code === 0;
}

async function collect(
  stream: ReadableStream<Uint8Array>,
  onLine: ((line: string) => void) | undefined,
): Promise<string> {
  const decoder = new StringDecoder("utf8");
  let text = "";
  let said = 0;
  for await (const chunk of stream) {
    text += decoder.write(chunk);
    for (let end = text.indexOf("\n", said); end >= 0; end = text.indexOf("\n", said)) {
      onLine?.(text.slice(said, end));
      said = end + 1;
    }
  }
  return text + decoder.end();
}

async function writeAll(stream: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stream.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
  } finally {
    await writer.close().catch(() => {}); // The command may have ended without reading it all.
  }
}

/**
 * A process that outlives us, named so that its number cannot be mistaken for another's: the kernel
 * never gives one number to two processes that started at the same clock tick.
 */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot, field 22 of `/proc/PID/stat`. */
  readonly startTicks: number;
}

/** Reads who `pid` is now, or `undefined` if no such process (or only its unreaped rest) exists. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const fields = statFields(pid);
  if (fields === undefined || fields.state === "Z" || fields.state === "X") return undefined;
  return { pid, startTicks: fields.startTicks };
}

/** Whether exactly this process still runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identifyProcess(identity.pid)?.startTicks === identity.startTicks;
}

/** Sends a signal to exactly this process; does nothing if it has ended. */
export function signalProcess(identity: ProcessIdentity, signal: Deno.Signal): void {
  if (!isAlive(identity)) return;
  try {
    Deno.kill(identity.pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error; // Ended meanwhile: what was wanted.
  }
}

/** Ends a process, by force after `graceMs`, and waits until it is gone. */
export async function endProcess(
  identity: ProcessIdentity,
  { graceMs }: { readonly graceMs: number },
): Promise<void> {
  signalProcess(identity, "SIGTERM");
  const endsAtMs = performance.now() + graceMs;
  while (isAlive(identity)) {
    if (performance.now() > endsAtMs) signalProcess(identity, "SIGKILL");
    await pause(20);
  }
}

/** Children of a process, from the kernel's own list. */
export function childrenOf(pid: number): readonly number[] {
  try {
    const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
    return text.split(" ").filter((word) => word !== "").map(Number);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/**
 * Starts a program that goes on after this one ends, its output appended to a file.
 *
 * @returns Its identity, read before it could have been reaped.
 */
export function startDetached(
  [program, ...args]: readonly [string, ...string[]],
  { logPath, env }: { readonly logPath: string; readonly env?: Readonly<Record<string, string>> },
): ProcessIdentity {
  const child = new Deno.Command("sh", {
    args: ["-c", `log=$1; shift; exec "$@" >>"$log" 2>&1`, "sh", logPath, program, ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
    ...(env === undefined ? {} : { env: { ...env } }),
  }).spawn();
  child.unref();
  const identity = identifyProcess(child.pid);
  if (identity === undefined) throw new Error(`Cannot start "${program}": it ended at once`);
  return identity;
}

/** What `waitFor` waits for, and how to say that it did not come. */
export interface Wait {
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  readonly everyMs?: number;
  /** Asked between tries; a text ends the waiting at once, with that reason. */
  readonly hopeless?: () => string | undefined;
}

/**
 * Asks until the answer is not `undefined`.
 *
 * @throws {Error} After `timeoutMs`, or as soon as it is hopeless; the last failure is its cause.
 */
export async function waitFor<T>(ask: () => Promise<T | undefined>, wait: Wait): Promise<T> {
  const endsAtMs = performance.now() + wait.timeoutMs;
  let cause: unknown;
  for (;;) {
    wait.signal?.throwIfAborted();
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      cause = error;
    }
    const reason = wait.hopeless?.();
    if (reason !== undefined) throw new Error(`Gave up on ${wait.what}: ${reason}`, { cause });
    if (performance.now() > endsAtMs) {
      const seconds = Math.round(wait.timeoutMs / 1000);
      throw new Error(`Gave up on ${wait.what} after ${seconds} s`, { cause });
    }
    await pause(wait.everyMs ?? 100);
  }
}

/** For `catch` behind a removal: what was to go is already gone. Anything else is thrown on. */
export function ignoreMissing(error: unknown): void {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** Waits; for rigs, which have no clock but the machine's. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function statFields(
  pid: number,
): { readonly state: string; readonly startTicks: number } | undefined {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/stat`);
  } catch (error) {
    // One that goes between opening and reading is ESRCH, for which Deno has no class.
    const isGone = error instanceof Deno.errors.NotFound || /\(os error 3\)/.test(String(error));
    if (isGone) return undefined;
    throw error;
  }
  // The second field is the program's name in parentheses, which may hold blanks and parentheses.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { state: fields[0] ?? "X", startTicks: Number(fields[19] ?? 0) };
}

/** The end of what a program wrote into its log, which tells why it is not there any more. */
export function lastWordsOf(logPath: string): string {
  const silence = "it ended without a word";
  try {
    return Deno.readTextFileSync(logPath).trim().slice(-LAST_WORDS_LENGTH) || silence;
  } catch {
    return silence;
  }
}
