/** A network namespace of its own, empty but for a loopback link that is down. */
export interface Namespace extends AsyncDisposable {
  /** Path of the namespace. */
  readonly path: string;
  /** Words before a command that is to run in it, and in its mount namespace if it has one. */
  readonly enter: readonly [string, ...string[]];
  /** Process that keeps it: links are moved here with `ip link set LINK netns PID`. */
  readonly pid: number;
  /** Runs a command in it. Gives what it printed; throws what it complained of if it failed. */
  run(...command: readonly string[]): Promise<string>;
  /** Runs a command that must fail in it, and gives what it complained of. */
  refuse(...command: readonly string[]): Promise<string>;
}

/**
 * Makes a network namespace that a child process holds. Nothing names it in the file system, and
 * the child ends when its standard input does, so even a killed test leaves nothing behind.
 *
 * @param options.mounts Shell commands that mount what only programs in it see.
 */
export async function openNamespace(
  { mounts }: { readonly mounts?: string } = {},
): Promise<Namespace> {
  const flags = mounts === undefined ? [] : ["--mount", "--propagation", "private"];
  const holder = new Deno.Command("unshare", {
    args: [...flags, "--net", "sh", "-c", `set -e; ${mounts ?? ":"}; echo ready; exec cat`],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = holder.stdout.getReader();
  await reader.read(); // The namespace is there once the shell in it speaks.
  const path = `/proc/${holder.pid}/ns/net`;
  const enter = [`--net=${path}`, "--"];
  const mount = mounts === undefined ? [] : [`--mount=/proc/${holder.pid}/ns/mnt`];
  async function end(): Promise<void> {
    await holder.stdin.close();
    await reader.cancel();
    await holder.status;
  }
  let ended: Promise<void> | undefined;
  return {
    pid: holder.pid,
    path,
    enter: ["nsenter", ...mount, ...enter],
    async run(...command) {
      const { success, printed, complained } = await output([...enter, ...command]);
      if (!success) throw new Error(`"${command.join(" ")}" fails: ${complained}`);
      return printed;
    },
    async refuse(...command) {
      const { success, complained, printed } = await output([...enter, ...command]);
      if (success) throw new Error(`"${command.join(" ")}" works, it prints: ${printed}`);
      return complained;
    },
    [Symbol.asyncDispose]() {
      return ended ??= end();
    },
  };
}

async function output(
  args: readonly string[],
): Promise<
  { readonly success: boolean; readonly printed: string; readonly complained: string }
> {
  const { success, stdout, stderr } = await new Deno.Command("nsenter", {
    args: [...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    success,
    printed: decoder.decode(stdout).trim(),
    complained: decoder.decode(stderr).trim(),
  };
}
