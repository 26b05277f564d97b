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
