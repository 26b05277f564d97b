import { RUNTIME_FOLDER } from "../build/launcher.ts";
import { PROGRAMS_VARIABLE } from "../demo/programs.ts";
import type { CpioEntry } from "./cpio.ts";
import { dependenciesOf, type ModuleGraph, readGraph, reduceLock } from "./dependencies.ts";
import { DENO_PATH, textFile } from "./image.ts";
import { INIT_SCRIPT } from "./init_script.ts";
import { isThere, runFor } from "./process.ts";

/** What is laid into the machine for one run. All paths are absolute, and the same in there. */
export interface PayloadPlan {
  /** Folder of the repository. */
  readonly repository: string;
  /** Test files, in the repository. */
  readonly files: readonly string[];
  /** More files and folders to lay in, such as what `deno task build` made. */
  readonly extras: readonly string[];
  /** Flags for `deno test` beside the rig's own. */
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Gives the folder of built programs; asked for only if a test uses them. */
  readonly programs: () => Promise<string>;
  /** Seconds after which the machine stops itself, should nobody else do it. */
  readonly secondsMax: number;
}

/** What of the repository the tests may use: their sources, and what those read. */
const SOURCES = ["src", "cni", "scripts", "tests", "manifests", "main.ts", "mod.ts"] as const;
/** Whoever imports it runs built programs. */
const PROGRAMS_MODULE = "/scripts/demo/programs.ts";
/** Where Deno looks for npm packages in the machine. */
const DENO_FOLDER = "var/deno";

/**
 * Lists what the machine gets for one run, on top of its image: its first process, the sources, the
 * npm packages that the tests import, and what to do.
 */
export async function payloadOf(plan: PayloadPlan): Promise<CpioEntry[]> {
  const { repository, files, flags } = plan;
  const graph = await readGraph(files, { config: `${repository}/deno.json` });
  const sources = SOURCES.map((name) => `${repository}/${name}`).filter(isThere);
  const npm = await npmEntries(graph, plan);
  const programs = usesPrograms(graph) ? await programsIn(await plan.programs()) : NO_PROGRAMS;
  const environment = {
    ...{ DENO_DIR: `/${DENO_FOLDER}`, NO_COLOR: "1" },
    ...npm.environment,
    ...programs.environment,
  };
  const lines = { ...environment, ...plan.environment };
  return [
    { kind: "file", path: "init", bytes: new TextEncoder().encode(INIT_SCRIPT), executable: true },
    textFile("rig/folder", { text: repository }),
    textFile("rig/seconds", { text: String(plan.secondsMax) }),
    textFile("rig/arguments", {
      text: linesOf(["--no-check", "--cached-only", "--allow-all", ...flags, ...files]),
    }),
    textFile("rig/environment", {
      text: linesOf(Object.entries(lines).map(([name, value]) => `${name}=${value}`)),
    }),
    ...await entriesBelow([...sources, ...plan.extras]),
    ...npm.entries,
    ...programs.entries,
  ];
}

/** What is added for one purpose. */
interface Addition {
  readonly entries: readonly CpioEntry[];
  readonly environment: Readonly<Record<string, string>>;
}

const NO_PROGRAMS: Addition = { entries: [], environment: {} };

function usesPrograms({ modules }: ModuleGraph): boolean {
  return modules.some(({ specifier }) => specifier.endsWith(PROGRAMS_MODULE));
}

/** Built programs, at the place that they have here. Deno is laid in once: the image has it. */
async function programsIn(folder: string): Promise<Addition> {
  const place = folder.slice(1);
  const runtime = `${place}/${RUNTIME_FOLDER}`;
  const all = await Array.fromAsync(Deno.readDir(folder));
  const names = all.filter(({ isFile }) => isFile).map(({ name }) => `${place}/${name}`);
  const [first = "", ...others] = names.toSorted(); // All are hard links of one file.
  const bytes = await Deno.readFile(`/${first}`);
  const below = isThere(`/${runtime}`) ? await entriesBelow([`/${runtime}`]) : [];
  return {
    environment: { [PROGRAMS_VARIABLE]: folder },
    entries: [
      { kind: "file", path: first, bytes, executable: true, others },
      ...below.map((entry): CpioEntry => {
        const isDeno = entry.path === `${runtime}/deno`;
        return isDeno ? { kind: "symlink", path: entry.path, target: DENO_PATH } : entry;
      }),
    ],
  };
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line.replaceAll("\n", " ")}\n`).join("");
}

async function npmEntries(
  graph: ModuleGraph,
  { repository }: PayloadPlan,
): Promise<Addition> {
  const config = `${repository}/deno.json`;
  const needs = dependenciesOf(graph);
  const lock = reduceLock(await Deno.readTextFile(`${repository}/deno.lock`), needs);
  const settings = {
    imports: needs.imports,
    lock: { path: "deno.lock", frozen: true },
    nodeModulesDir: "none",
  };
  const entries = [
    textFile(config.slice(1), { text: JSON.stringify(settings) }),
    textFile(`${repository}/deno.lock`.slice(1), { text: lock }),
  ];
  const first = [...needs.packages.values()][0];
  if (first === undefined) return { entries, environment: {} };
  const info = await runFor([Deno.execPath(), "info", "--json"], { purpose: "find Deno's cache" });
  const { npmCache } = JSON.parse(info);
  for (const { localPath } of needs.packages.values()) {
    for (const entry of await entriesBelow([localPath])) {
      const below = `/${entry.path}`.slice(npmCache.length);
      entries.push({ ...entry, path: `${DENO_FOLDER}/npm${below}` });
    }
  }
  // The cache is laid out by the address of the registry that the packages came from.
  return { entries, environment: { NPM_CONFIG_REGISTRY: first.registryUrl } };
}

/** All files below absolute paths, and links as they are. */
async function entriesBelow(paths: readonly string[]): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = [];
  const open = paths.toReversed();
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const { isDirectory, isSymlink, isFile, mode } = await Deno.lstat(path);
    const place = path.slice(1);
    if (isDirectory) {
      entries.push({ kind: "directory", path: place });
      const names = await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
      open.push(...names.toSorted().toReversed().map((name) => `${path}/${name}`));
    } else if (isSymlink) {
      entries.push({ kind: "symlink", path: place, target: await Deno.readLink(path) });
    } else if (isFile) {
      const executable = ((mode ?? 0) & 0o100) !== 0;
      entries.push({ kind: "file", path: place, bytes: await Deno.readFile(path), executable });
    }
  }
  return entries;
}
