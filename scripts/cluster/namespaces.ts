/**
 * Namespaces that a process holds open: it is process 1 of its own process namespace, so ending it
 * ends everything started inside, and the kernel takes links, mounts and addresses back. Nothing is
 * left behind, however we are stopped.
 */
import * as path from "node:path";
import {
  childrenOf,
  endProcess,
  identifyProcess,
  ignoreMissing,
  lastWordsOf,
  type ProcessIdentity,
  runOrThrow,
  startDetached,
  waitFor,
} from "./process.ts";

/** A set of namespaces (process, mount, network, host name) and the process that holds them. */
export interface Holder {
  readonly hostname: string;
  /** Process 1 inside, by its number outside. */
  readonly init: ProcessIdentity;
}

const START_TIMEOUT_MS = 15_000;

/**
 * Starts a holder. `setup` (POSIX shell, `set -eu`) runs inside as process 1 before anybody else
 * can enter; process 1 then waits for ever and reaps what is orphaned.
 *
 * @throws {Error} If `setup` fails, with what it printed; nothing is left.
 */
export async function startHolder(
  { hostname, setup, folder, inside }: {
    readonly hostname: string;
    /** A holder whose end is also the end of this one, whoever remembers it. */
    readonly inside?: Holder;
    readonly setup: string;
    /** Gets `holder.log`; a file `held` appears there once `setup` is done. */
    readonly folder: string;
  },
): Promise<Holder> {
  await Deno.mkdir(folder, { recursive: true });
  const held = path.join(folder, "held");
  const logPath = path.join(folder, "holder.log");
  await Deno.remove(held).catch(ignoreMissing);
  // Ignoring SIGCHLD survives `exec`: the kernel then reaps orphans by itself.
  const script = `set -eu\nhostname "$1"\nexec 3>"$2"\n${setup}\n` +
    `echo done >&3\nexec 3>&-\ntrap '' CHLD\nexec sleep infinity\n`;
  const enter = inside === undefined
    ? [] as const
    : ["nsenter", "--target", String(inside.init.pid), "--pid", "--"] as const;
  const unshare = ["unshare", "--fork", "--pid", "--mount", "--net", "--uts"] as const;
  const outer = startDetached(
    [...enter, ...unshare, "--propagation", "private", "sh", "-c", script, "sh", hostname, held],
    { logPath },
  );
  const init = await waitFor(async () => {
    const text = await Deno.readTextFile(held).catch(() => "");
    return text === "done\n" ? identifyProcess(youngestOf(outer.pid)) : undefined;
  }, {
    what: `namespaces of ${hostname} (see ${logPath})`,
    timeoutMs: START_TIMEOUT_MS,
    everyMs: 20,
    hopeless: () => identifyProcess(outer.pid) === undefined ? lastWordsOf(logPath) : undefined,
  });
  return { hostname, init };
}

/** Ends a holder and with it every process inside; returns when they are gone. */
export async function endHolder(holder: Holder): Promise<void> {
  await endProcess(holder.init, { graceMs: 0 });
}

/** Words to put before a command so that it runs inside. */
export function enterHolder(holder: Holder): readonly [string, ...string[]] {
  const pid = String(holder.init.pid);
  return ["nsenter", "--target", pid, "--mount", "--net", "--pid", "--uts", "--"];
}

/** Runs a shell script inside; `$1`, `$2`, … are `args`. */
export function runInside(
  holder: Holder,
  { script, args = [], input }: {
    readonly script: string;
    readonly args?: readonly string[];
    readonly input?: string;
  },
): Promise<string> {
  const [first, ...rest] = enterHolder(holder);
  return runOrThrow(
    [first, ...rest, "sh", "-euc", script, "sh", ...args],
    input === undefined ? {} : { input },
  );
}

/** Runs `ip` commands in a holder's network namespace; process numbers are the machine's. */
export async function runIp(
  holder: Holder | undefined,
  commands: readonly string[],
): Promise<void> {
  const enter = holder === undefined
    ? []
    : ["nsenter", `--net=/proc/${holder.init.pid}/ns/net`, "--"];
  const [first, ...rest] = [...enter, "ip", "-batch", "-"];
  if (first === undefined) return;
  await runOrThrow([first, ...rest], { input: commands.join("\n") });
}

/** The end of a chain of only children: nsenter starts unshare, and that starts process 1. */
function youngestOf(pid: number): number {
  const child = childrenOf(pid)[0];
  return child === undefined ? pid : youngestOf(child);
}
