import * as path from "node:path";

const ROOT = path.resolve(import.meta.dirname ?? ".", "../..");

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program as a container runtime does: with nothing of this environment. */
export async function start(program: string, { args = [], env = {}, cwd = "/", input = "" }: {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
} = {}): Promise<Ended> {
  const child = new Deno.Command(program, {
    args: [...args],
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin", ...env },
    cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(60_000),
  }).spawn();
  const writer = child.stdin.getWriter();
  // It may end without reading.
  await writer.write(new TextEncoder().encode(input)).catch(() => {});
  await writer.close().catch(() => {});
  return endedOf(await child.output());
}

/** Runs `deno task build`. */
export async function build(args: readonly string[]): Promise<Ended> {
  return endedOf(
    await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", "scripts/build.ts", ...args],
      cwd: ROOT,
    }).output(),
  );
}

function endedOf({ code, stdout, stderr }: Deno.CommandOutput): Ended {
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/**
 * The best of what several things take: others that use the machine make a run longer, never
 * shorter. Each is run in turn, so that all meet the same load.
 */
export async function bestMs<Name extends string>(
  runs: Readonly<Record<Name, () => Promise<unknown>>>,
  { count }: { readonly count: number },
): Promise<ReadonlyMap<string, number>> {
  const best = new Map<string, number>();
  for (let index = 0; index < count; index++) {
    for (const [name, run] of Object.entries<() => Promise<unknown>>(runs)) {
      const from = performance.now();
      await run();
      const tookMs = performance.now() - from;
      best.set(name, Math.min(tookMs, best.get(name) ?? tookMs));
    }
  }
  return best;
}
