import { VmError } from "./failure.ts";

/** What a program printed, and how it ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  /** The last line of its complaints, without what programs put before it: `E: `, `npm error `. */
  readonly complaint: string;
}

/** How a program is started. */
export interface RunOptions {
  readonly folder?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Runs a program to its end.
 *
 * @throws {VmError} If it is not there (exit code 2).
 */
export async function run(
  [program = "", ...args]: readonly string[],
  { folder, environment = {} }: RunOptions = {},
): Promise<Ended> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(program, {
      args,
      env: { ...environment },
      stdin: "null",
      ...(folder === undefined ? {} : { cwd: folder }),
    }).output();
    const lines = new TextDecoder().decode(stderr).trim().split("\n");
    const last = lines.findLast((line) => /^(?:E:|error|npm (?:error|ERR!))/i.test(line));
    return {
      code,
      stdout: new TextDecoder().decode(stdout),
      complaint: (last ?? lines.at(-1) ?? "").replace(/^(?:E:|npm (?:error|ERR!))\s*/, ""),
    };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new VmError(`Cannot find the program "${program}": ${REMEDY}`, { exitCode: 2 });
  }
}

/** What to do when a program is missing. */
export const REMEDY = "run scripts/setup.sh vm, which installs what this needs";

/**
 * Runs a program that must succeed, and gives what it printed.
 *
 * @param command Program and arguments.
 * @param options.purpose What it is for, as it reads after "Cannot".
 * @throws {VmError} If it is not there or fails (exit code 2): the machine lacks something.
 */
export async function runFor(
  command: readonly string[],
  { purpose, ...options }: RunOptions & { readonly purpose: string },
): Promise<string> {
  const { code, stdout, complaint } = await run(command, options);
  if (code === 0) return stdout;
  throw new VmError(
    `Cannot ${purpose}: ${command[0]} says "${complaint}" and exits with ${code}`,
    { exitCode: 2 },
  );
}

/** Whether a folder of `PATH` has a program. */
export function hasProgram(name: string, { path = Deno.env.get("PATH") ?? "" } = {}): boolean {
  const folders = path.split(":").filter((folder) => folder !== "");
  return folders.some((folder) => isThere(`${folder}/${name}`));
}

/** Whether a file or folder is there for this user: `PATH` may hold folders of another. */
export function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    const { NotFound, NotADirectory, PermissionDenied } = Deno.errors;
    const isAway = [NotFound, NotADirectory, PermissionDenied].some((kind) =>
      error instanceof kind
    );
    if (isAway) return false;
    throw error;
  }
}
