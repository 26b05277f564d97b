import { childrenOf, type CommandOutput, run, waitFor } from "../../scripts/cluster/process.ts";

/** A machine of its own: processes, mounts and network. It ends when it is disposed. */
export interface Machine extends AsyncDisposable {
  /** Runs a command on it. Gives what it printed; throws what it complained of if it failed. */
  run(...command: readonly string[]): Promise<string>;
  /** Starts a program there that goes on; its output goes to a file of the machine. */
  start(log: string, ...command: readonly string[]): Promise<void>;
}

/**
 * What is the machine's own: /run is empty and in memory, what is written below /etc and /opt is
 * in memory too. The process that keeps it ends with its input, so that it does not outlive a test.
 */
const SETUP = `
mount -t tmpfs -o mode=0755 tmpfs /run
for folder in etc opt; do
  mkdir -p "/run/own/$folder/upper" "/run/own/$folder/work"
  mount -t overlay overlay "/$folder" \\
    -o "lowerdir=/$folder,upperdir=/run/own/$folder/upper,workdir=/run/own/$folder/work"
done
ip link set lo up
echo ready
exec cat`;
const HANG_MS = 60_000;

/** Makes a machine. */
export async function openMachine(): Promise<Machine> {
  const holder = new Deno.Command("unshare", {
    args: [
      ...["--mount", "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"],
      ...["sh", "-ec", SETUP],
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = holder.stdout.getReader();
  const { done } = await reader.read();
  if (done) throw new Error("Cannot make a machine of its own: see what was complained of");
  const first = await waitFor(() => Promise.resolve(childrenOf(holder.pid)[0]), {
    what: "the machine's first process",
    timeoutMs: HANG_MS,
  });
  const enter = ["--target", String(first), "--mount", "--net", "--pid", "--wd=/", "--"];
  async function inside(command: readonly string[]): Promise<CommandOutput> {
    return await run(["nsenter", ...enter, ...command]);
  }
  return {
    async run(...command) {
      const { code, stdout, stderr } = await inside(command);
      if (code === 0) return stdout;
      throw new Error(`"${command.join(" ")}" fails: ${stderr.trim()}${stdout.trim()}`);
    },
    async start(log, ...command) {
      await inside(["sh", "-c", '"$@" >"$0" 2>&1 </dev/null &', log, ...command]);
    },
    async [Symbol.asyncDispose]() {
      await holder.stdin.close();
      await reader.cancel();
      await holder.status;
    },
  };
}
