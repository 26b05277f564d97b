import { VERSION } from "./version.ts";

/** What a program is given of the process it runs in. */
export interface ProgramPorts {
  /** Arguments after the program's name. */
  readonly args: readonly string[];
  /** Value of an environment variable; `undefined` if it is not set. */
  readonly readEnvironment: (name: string) => string | undefined;
  /** All of standard input as text; `undefined` if there are more than `bytesMax` bytes. */
  readonly readInput: (options: { readonly bytesMax: number }) => string | undefined;
  readonly writeOutput: (text: string) => void;
  readonly writeError: (text: string) => void;
}

/** The process as `Deno` has it: the members that ports are made of. */
export interface ProcessStreams {
  readonly stdin: { isTerminal(): boolean; readSync(into: Uint8Array): number | null };
  readonly stdout: { writeSync(bytes: Uint8Array): number };
  readonly stderr: { writeSync(bytes: Uint8Array): number };
  readonly env: { get(variable: string): string | undefined };
}

/** Makes the ports of a process. @param streams `Deno` itself, from an entry point. */
export function processPorts(
  streams: ProcessStreams,
  { args }: { readonly args: readonly string[] },
): ProgramPorts {
  return {
    args,
    readEnvironment: (variable) => streams.env.get(variable),
    readInput: ({ bytesMax }) => readAll(streams.stdin, { bytesMax }),
    writeOutput: (text) => writeAll(streams.stdout, text),
    writeError: (text) => writeAll(streams.stderr, text),
  };
}

const READ_BYTES = 16_384;

function readAll(
  from: ProcessStreams["stdin"],
  { bytesMax }: { readonly bytesMax: number },
): string | undefined {
  if (from.isTerminal()) return ""; // A person looks at it: nothing is going to be written.
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(READ_BYTES);
  let text = "";
  let bytesRead = 0;
  for (let size = from.readSync(chunk); size !== null; size = from.readSync(chunk)) {
    bytesRead += size;
    if (bytesRead > bytesMax) return undefined;
    text += decoder.decode(chunk.subarray(0, size), { stream: true });
  }
  return text + decoder.decode();
}

function writeAll(to: ProcessStreams["stdout"], text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
}

/**
 * Answers `--version`, the one request that every program of a person or a container understands.
 *
 * @returns The exit code: 0, or 2 with one sentence for any other request.
 */
export function answerVersion(
  program: string,
  { args, writeOutput, writeError }: ProgramPorts,
): number {
  if (args.length === 1 && args[0] === "--version") {
    writeOutput(`${program} ${VERSION}\n`);
    return 0;
  }
  const given = args.length === 0 ? "no argument" : args.map((one) => `"${one}"`).join(" ");
  writeError(`Cannot run ${program} with ${given}: version ${VERSION} takes --version only\n`);
  return 2;
}
