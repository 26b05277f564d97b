/** Whether a node can start the plugins: one is started there before any is replaced. */
import { type Clock, startDeadline } from "../base/clock.ts";
import { PLUGIN_TRIAL_MS } from "../base/limits.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";

/** Version of glibc that the programs are linked against, and the oldest that can start them. */
export const GLIBC_NEEDED = "2.27";

/** How a program of the node ended. */
export interface NodeProgramEnd {
  /** 126 or 127 where it could not be started at all, as a shell says. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Programs started with a node's own loader, libraries and shell. */
export interface NodePrograms {
  /** Processor as in file names of loaders: `x86_64` or `aarch64`. */
  readonly processor: string;
  /**
   * Starts a program, with nothing in its environment but `environment`: `chroot ROOT COMMAND...`.
   *
   * @param command Paths as the node has them.
   * @param options.root Where the node's root is seen from here.
   */
  run(
    command: readonly string[],
    options: {
      readonly root: string;
      readonly environment: Readonly<Record<string, string>>;
      readonly input: string;
      readonly signal: AbortSignal;
    },
  ): Promise<NodeProgramEnd>;
}

/** What a trial needs. */
export interface TrialOptions {
  /** Folder that is being installed into, for the message. */
  readonly to: string;
  readonly root: string;
  readonly ports: { readonly programs: NodePrograms; readonly clock: Clock };
  readonly signal: AbortSignal;
}

/**
 * Starts a plugin on the node with `CNI_COMMAND=VERSION`.
 *
 * @param path The plugin, below `options.root`.
 * @returns Or one sentence: what it needs, and what the node has.
 */
export async function tryPlugin(
  path: string,
  options: TrialOptions,
): Promise<Result<void, string>> {
  const { to, root } = options;
  const refuse = (why: string): Result<void, string> =>
    err(`Cannot install plugins into "${to}": ${why}; nothing was replaced`);
  const inside = root === "/" ? path : path.slice(root.length);
  let ended: NodeProgramEnd;
  try {
    ended = await askVersion(inside, options);
  } catch (error) {
    options.signal.throwIfAborted();
    return refuse(`they cannot be tried on this node: ${errorText(error)}`);
  }
  if (hasAnswered(ended)) return ok(undefined);
  try {
    return refuse(await reasonOf(ended, options));
  } catch (error) {
    options.signal.throwIfAborted();
    return refuse(`this node cannot start them: ${lastLine(ended)} (${errorText(error)})`);
  }
}

/**
 * Asks a plugin for the versions of CNI that it knows.
 *
 * @param inside Its path, as the node has it.
 * @throws What starting a program throws, or that it took too long.
 */
export function askVersion(
  inside: string,
  options: Omit<TrialOptions, "to">,
): Promise<NodeProgramEnd> {
  const environment = { CNI_COMMAND: "VERSION", PATH: "/usr/sbin:/usr/bin:/sbin:/bin" };
  const input = '{"cniVersion":"1.0.0"}';
  return runInTime([inside], { ...options, environment, input });
}

/** Whether a plugin that was asked for versions has said them. */
export function hasAnswered({ code, stdout }: NodeProgramEnd): boolean {
  return code === 0 && stdout.includes('"supportedVersions"');
}

interface Run extends Omit<TrialOptions, "to"> {
  readonly environment: Readonly<Record<string, string>>;
  readonly input: string;
}

async function runInTime(
  command: readonly string[],
  { root, ports: { programs, clock }, signal, environment, input }: Run,
): Promise<NodeProgramEnd> {
  using deadline = startDeadline(clock, {
    timeoutMs: PLUGIN_TRIAL_MS,
    what: `starting ${command.join(" ")}`,
    signal,
  });
  const ended = await programs.run(command, {
    root,
    environment,
    input,
    signal: deadline.signal,
  });
  deadline.signal.throwIfAborted();
  return ended;
}

/** What the loaders and C libraries of the node say about a plugin that did not start. */
async function reasonOf(ended: NodeProgramEnd, options: TrialOptions): Promise<string> {
  const ask = (...command: string[]): Promise<NodeProgramEnd> =>
    runInTime(command, { ...options, environment: {}, input: "" });
  const loaders = loadersOf(options.ports.programs.processor);
  const missing = missingVersions(ended.stderr);
  if (missing !== undefined) {
    const { stdout } = await ask(loaders.glibc, missing.library);
    const found = /release version (\d+(?:\.\d+)+)/.exec(stdout)?.[1];
    return `they need glibc ${missing.version} or newer, and this node has ` +
      `${found ?? "an older one"}: use a newer distribution on it`;
  }
  if (isStarted(await ask(loaders.glibc, "--help"))) {
    return `this node cannot start them: ${lastLine(ended)}`;
  }
  const musl = await ask(loaders.musl);
  const version = /^Version (\S+)/m.exec(musl.stderr)?.[1] ?? "";
  const found = isStarted(musl) ? `musl ${version}`.trimEnd() : `no ${loaders.glibc}`;
  return `they need glibc ${GLIBC_NEEDED} or newer, and this node has ${found}: use a ` +
    "distribution with glibc on it";
}

function loadersOf(processor: string): { readonly glibc: string; readonly musl: string } {
  const glibc = processor === "x86_64"
    ? "/lib64/ld-linux-x86-64.so.2"
    : `/lib/ld-linux-${processor}.so.1`;
  return { glibc, musl: `/lib/ld-musl-${processor}.so.1` };
}

function isStarted({ code }: NodeProgramEnd): boolean {
  return code !== 126 && code !== 127;
}

/** The newest version that glibc's loader misses, and in which library. */
function missingVersions(
  stderr: string,
): { readonly version: string; readonly library: string } | undefined {
  const refusals = stderr.matchAll(/: (\/\S+): version `GLIBC_(\d+)\.(\d+)(?:\.\d+)*' not found/g);
  const [newest] = [...refusals].map(([, library = "", major, minor]) => ({
    // Another library of it may be the one that is named: the version is asked of this one.
    library: library.replace(/[^/]+$/, "libc.so.6"),
    version: `${major}.${minor}`,
    order: Number(major) * 1_000 + Number(minor),
  })).toSorted((one, other) => other.order - one.order);
  return newest;
}

/** The last thing that a program said, or how it ended. */
export function lastLine({ code, stdout, stderr }: NodeProgramEnd): string {
  const line = `${stderr}\n${stdout}`.trim().split("\n").findLast((one) => one.trim() !== "");
  return line === undefined ? `it ends with ${code}` : line.trim();
}
