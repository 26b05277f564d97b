/** The programs of `dist`, built where they are older than what they are built from. */
import * as path from "node:path";
import { ownArchitecture } from "../build/deno_binary.ts";
import type { Architecture } from "../build/arguments.ts";
import { runOrThrow } from "../cluster/process.ts";

const ROOT = path.resolve(import.meta.dirname ?? ".", "../..");
/** What a build reads. */
const SOURCES = ["main.ts", "deno.json", "deno.lock", "src", "cni", "scripts/build"] as const;

/** Names a folder with programs that somebody else built: where that is set, nothing is built. */
export const PROGRAMS_VARIABLE = "PROGRAMS_FOLDER";

/** The folder with every program under its name. @param architecture Of which: this machine's. */
export async function freshPrograms(
  architecture: Architecture = ownArchitecture(),
): Promise<string> {
  const given = Deno.env.get(PROGRAMS_VARIABLE);
  if (given !== undefined && architecture === ownArchitecture()) return given;
  const folder = path.join(ROOT, "dist", architecture);
  const builtMs = await changedMs(path.join(folder, "spiderpool-agent"));
  const sources = await Promise.all(SOURCES.map((name) => newestMs(path.join(ROOT, name))));
  if (builtMs > Math.max(...sources)) return folder;
  const build = path.join(ROOT, "scripts/build.ts");
  await runOrThrow([
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-all",
    build,
    "--arch",
    architecture,
  ], {
    cwd: ROOT,
  });
  return folder;
}

async function newestMs(file: string): Promise<number> {
  const { isDirectory } = await Deno.stat(file);
  if (!isDirectory) return await changedMs(file);
  let newest = 0;
  for await (const { name } of Deno.readDir(file)) {
    if (!/_test\.ts$|\.md$/.test(name)) {
      newest = Math.max(newest, await newestMs(path.join(file, name)));
    }
  }
  return newest;
}

/** 0 for a file that is not there. */
async function changedMs(file: string): Promise<number> {
  try {
    return (await Deno.stat(file)).mtime?.getTime() ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}
