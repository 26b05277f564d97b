/**
 * Writes `dist/<architecture>`: one executable of all programs where `deno compile` has its
 * runtime, else launchers, a `deno` and a bundle. All names are hard links of one file in both.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { PROGRAM_NAMES } from "../../main.ts";
import { run } from "../cluster/process.ts";
import { fetchDeno } from "../vm/deno_binary.ts";
import type { Architecture } from "./arguments.ts";
import { ownArchitecture, targetOf } from "./deno_binary.ts";
import {
  entryText,
  isPlugin,
  launcherText,
  RUNTIME_FOLDER,
  SCRIPT_NAMES,
  scriptFile,
  starterText,
  YOUNG_HEAP,
} from "./launcher.ts";
import { joinParts } from "./parts.ts";

const REACH_TIMEOUT_MS = 3_000;
const ROOT = path.resolve(import.meta.dirname ?? ".", "../..");

/** Which of the two ways the programs were made in. */
export type Layout = "compiled" | "launchers";

/** What a build needs of the world. */
export interface BuildPorts {
  /** Folder for downloads. */
  readonly cache: string;
  readonly fetch: typeof fetch;
  readonly readEnvironment: (name: string) => string | undefined;
  /** Told what takes time, and what is not quite what was asked for. */
  readonly say: (text: string) => void;
}

/**
 * Chooses the layout: compiled, if Deno's download host has the runtime or `DENORT_BIN` names one
 * (for this machine's own architecture), else launchers.
 */
export async function chooseLayout(
  architecture: Architecture,
  { fetch, readEnvironment }: Pick<BuildPorts, "fetch" | "readEnvironment">,
): Promise<Layout> {
  const given = readEnvironment("DENORT_BIN") ?? "";
  if (given !== "" && architecture === ownArchitecture()) return "compiled";
  const file = `denort-${targetOf(architecture)}.zip`;
  try {
    const reply = await fetch(`https://dl.deno.land/release/v${Deno.version.deno}/${file}`, {
      method: "HEAD",
      signal: AbortSignal.timeout(REACH_TIMEOUT_MS),
    });
    return reply.ok ? "compiled" : "launchers";
  } catch {
    return "launchers"; // No network, no such host, a proxy's refusal: the same to us.
  }
}

/**
 * Builds one architecture. The folder appears whole, or stays as it was.
 *
 * @param folder Folder of the architecture, replaced.
 * @returns The layout that was made.
 * @throws {Error} With one sentence, if a step failed.
 */
export async function buildArchitecture(
  folder: string,
  { architecture, ports }: {
    readonly architecture: Architecture;
    readonly ports: BuildPorts;
  },
): Promise<Layout> {
  const layout = await chooseLayout(architecture, ports);
  await Deno.mkdir(path.dirname(folder), { recursive: true });
  const work = await Deno.makeTempDir({ dir: path.dirname(folder), prefix: ".build-" });
  try {
    const [first = "", ...others] = PROGRAM_NAMES;
    const file = path.join(work, first);
    if (layout === "compiled") await compile(file, { architecture, ports });
    else await layOut(file, { architecture, ports });
    for (const name of others) await Deno.link(file, path.join(work, name));
    await Deno.chmod(work, 0o755);
    if (existsSync(folder)) await Deno.remove(folder, { recursive: true });
    await Deno.rename(work, folder);
  } finally {
    if (existsSync(work)) await Deno.remove(work, { recursive: true });
  }
  return layout;
}

interface Target {
  readonly architecture: Architecture;
  readonly ports: BuildPorts;
}

async function compile(file: string, { architecture, ports }: Target): Promise<void> {
  const env: Record<string, string> = {};
  const given = ports.readEnvironment("DENORT_BIN") ?? "";
  if (given !== "" && architecture !== ownArchitecture()) env.DENORT_BIN = "";
  await deno(
    [
      ...["compile", "--allow-all", YOUNG_HEAP],
      ...["--target", targetOf(architecture), "-o", file, "main.ts"],
    ],
    env,
  );
}

async function layOut(file: string, { architecture, ports }: Target): Promise<void> {
  const runtime = path.join(path.dirname(file), RUNTIME_FOLDER);
  await Deno.mkdir(runtime);
  const folder = path.join(ports.cache, "deno", architecture);
  const binary = await fetchDeno(folder, { architecture, say: ports.say });
  await Deno.copyFile(binary.path, path.join(runtime, "deno"));
  await Deno.chmod(path.join(runtime, "deno"), 0o755);
  const bundle = ["bundle", "--platform=deno"];
  await deno([...bundle, "--code-splitting", "--outdir", runtime, "main.ts"], {});
  const entry = path.join(runtime, "entry.ts");
  for (const program of SCRIPT_NAMES) {
    const script = path.join(runtime, scriptFile(program));
    await Deno.writeTextFile(entry, entryText(program, new URL("../../", import.meta.url)));
    if (isPlugin(program)) await Deno.writeTextFile(script, await scriptInParts(entry));
    else {
      await deno([...bundle, "--format=cjs", "--config=deno.json", "-o", script, entry], {});
      await forgetPlace(script, entry);
    }
    await Deno.writeTextFile(path.join(runtime, `${program}.js`), starterText(program));
  }
  await Deno.remove(entry);
  await Deno.writeTextFile(file, launcherText());
  await Deno.chmod(file, 0o755);
}

/** Takes out of a script where it was built, which is another folder each time. */
async function forgetPlace(script: string, entry: string): Promise<void> {
  const text = await Deno.readTextFile(script);
  const place = path.relative(ROOT, entry);
  await Deno.writeTextFile(script, text.replaceAll(`// ${place}\n`, ""));
}

/**
 * A plugin's script. V8 reads all that it is given, so it is in parts, and without blanks and long
 * names: these alone were 5 of the 36 ms of CPU of a coordinator's start.
 */
async function scriptInParts(entry: string): Promise<string> {
  const folder = await Deno.makeTempDir({ dir: path.dirname(entry), prefix: "parts-" });
  try {
    const split = ["--platform=deno", "--code-splitting", "--minify", "--config=deno.json"];
    await deno(["bundle", ...split, "--outdir", folder, entry], {});
    const chunks = new Map<string, string>();
    for (const name of (await Array.fromAsync(Deno.readDir(folder), (one) => one.name)).sort()) {
      chunks.set(name, await Deno.readTextFile(path.join(folder, name)));
    }
    return joinParts(chunks);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a command of this Deno. */
async function deno(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const output = await run([Deno.execPath(), ...args], {
    cwd: ROOT,
    env: { ...env, NO_COLOR: "1" },
  });
  if (output.code === 0) return;
  const lines = output.stderr.trim().split("\n");
  const said = lines.find((line) => line.startsWith("error")) ?? lines.at(-1);
  throw new Error(`Cannot build ${args.at(-1)} with "deno ${args[0]}": ${said}`);
}
