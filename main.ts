/**
 * The one executable of every program. The file name it was started as decides, by exactly one
 * dynamic import, which program runs; where Deno itself was started (`deno run`, the launchers of
 * the fallback layout), the first argument is that name.
 */
import { processPorts, type ProgramPorts } from "./src/base/program.ts";

interface Program {
  readonly run: (ports: ProgramPorts) => number | Promise<number>;
}

/** Every program. The import paths are literal, so that compiler and bundler see them. */
const PROGRAMS = new Map<string, () => Promise<Program>>([
  ["spiderpool-controller", () => import("./src/controller/main.ts")],
  ["spiderpool-agent", () => import("./src/agent/main.ts")],
  ["spiderpool", () => import("./cni/spiderpool/main.ts")],
  ["coordinator", () => import("./cni/coordinator/main.ts")],
  ["ifacer", () => import("./cni/ifacer/main.ts")],
  ["vlan", () => import("./cni/vlan/main.ts")],
  ["spiderpool-init", () => import("./src/init/main.ts")],
  ["spiderpoolctl", () => import("./src/cli/program.ts")],
]);

/** Names of all programs. */
export const PROGRAM_NAMES: readonly string[] = [...PROGRAMS.keys()];

async function main(): Promise<number> {
  const { standalone } = Deno.build;
  const name = standalone ? Deno.execPath().split("/").at(-1) : Deno.args[0];
  const ports = processPorts(Deno, { args: standalone ? Deno.args : Deno.args.slice(1) });
  const load = PROGRAMS.get(name ?? "");
  if (load === undefined) {
    const given = name === undefined ? "no name" : `the name "${name}"`;
    ports.writeError(`Cannot start by ${given}: use one of ${PROGRAM_NAMES.join(", ")}\n`);
    return 2;
  }
  return await (await load()).run(ports);
}

if (import.meta.main) Deno.exitCode = await main();
