/**
 * The one executable of every program. The file name it was started as decides, by exactly one
 * dynamic import, which program runs; where Deno itself was started (`deno run`, the launchers of
 * the fallback layout), the first argument is that name.
 */
import type { ProgramPorts } from "./src/base/program.ts";

interface Program {
  readonly run: (ports: ProgramPorts) => number | Promise<number>;
}

/** Every program. The import paths are literal, so that compiler and bundler see them. */
const PROGRAMS: ReadonlyMap<string, () => Promise<Program>> = new Map([
  ["spiderpool-controller", () => import("./src/controller/program.ts")],
  ["spiderpool-agent", () => import("./src/agent/main.ts")],
  ["spiderpool", () => import("./cni/spiderpool/main.ts")],
  ["coordinator", () => import("./cni/coordinator/main.ts")],
  ["ifacer", () => import("./cni/ifacer/main.ts")],
  ["vlan", () => import("./cni/vlan/main.ts")],
  ["spiderpool-init", () => import("./src/init/program.ts")],
  ["spiderpoolctl", () => import("./src/cli/program.ts")],
]);

/** Names of all programs. */
export const PROGRAM_NAMES: readonly string[] = [...PROGRAMS.keys()];

async function main(): Promise<number> {
  const { standalone } = Deno.build;
  const name = standalone ? Deno.execPath().split("/").at(-1) : Deno.args[0];
  const load = PROGRAMS.get(name ?? "");
  if (load === undefined) {
    const given = name === undefined ? "no name" : `the name "${name}"`;
    writeAll(Deno.stderr, `Cannot start by ${given}: use one of ${PROGRAM_NAMES.join(", ")}\n`);
    return 2;
  }
  const program = await load();
  return await program.run({
    args: standalone ? Deno.args : Deno.args.slice(1),
    readEnvironment: (variable) => Deno.env.get(variable),
    readInput,
    writeOutput: (text) => writeAll(Deno.stdout, text),
    writeError: (text) => writeAll(Deno.stderr, text),
  });
}

function readInput({ bytesMax }: { readonly bytesMax: number }): string | undefined {
  if (Deno.stdin.isTerminal()) return ""; // A person looks at it: nothing is going to be written.
  const decoder = new TextDecoder();
  const chunk = new Uint8Array(16_384);
  let text = "";
  let bytesRead = 0;
  for (let size = Deno.stdin.readSync(chunk); size !== null; size = Deno.stdin.readSync(chunk)) {
    bytesRead += size;
    if (bytesRead > bytesMax) return undefined;
    text += decoder.decode(chunk.subarray(0, size), { stream: true });
  }
  return text + decoder.decode();
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
}

if (import.meta.main) Deno.exitCode = await main();
