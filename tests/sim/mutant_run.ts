/** Runs the mutants: each a copy of the tree with one rule taken out, which must be noticed. */
import type { TestCounts } from "../../scripts/test_counts.ts";
import { type Mutant, MUTANTS } from "./mutants.ts";

/** The top of the repository. */
const ROOT = new URL("../../", import.meta.url);
/** What a run of the simulation needs. */
export const COPIED: readonly string[] = ["src", "scripts", "tests/sim", "deno.json", "deno.lock"];
/** Seeds that a mutant may take until it is noticed, and seconds. */
const SEEDS_MAX = 1_000;
const SECONDS_MAX = 600;

/**
 * Applies a patch to a text.
 *
 * @throws {Error} If what is to be replaced is not there exactly once.
 */
export function mutate(text: string, { name, file, find, replace }: Mutant): string {
  const parts = text.split(find);
  if (parts.length === 2) return parts.join(replace);
  const times = parts.length - 1;
  throw new Error(`Mutant "${name}" does not fit: its text is ${times} times in ${file}`);
}

/**
 * Runs every mutant.
 *
 * @param say Gets a line about each.
 * @param options.seed The first seed of each: one that is caught from two of them is caught by no
 *   luck.
 */
export async function runMutants(
  say: (line: string) => void,
  { seed }: { readonly seed: number },
): Promise<TestCounts> {
  let passed = 0;
  let failed = 0;
  for (const mutant of MUTANTS) {
    const startedMs = performance.now();
    const caught = await catchMutant(mutant, { seed });
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    if (caught.isCaught) passed++;
    else failed++;
    say(`mutant "${mutant.name}": ${caught.how} (${seconds} s)`);
  }
  return { passed, failed, skipped: 0 };
}

/** Runs one mutant in a copy of the tree until a rule breaks. */
export async function catchMutant(
  mutant: Mutant,
  { seed }: { readonly seed: number },
): Promise<{ readonly isCaught: boolean; readonly how: string }> {
  const folder = await Deno.makeTempDir({ prefix: "mutant-" });
  try {
    for (const path of COPIED) await copy(new URL(path, ROOT).pathname, `${folder}/${path}`);
    const file = `${folder}/${mutant.file}`;
    await Deno.writeTextFile(file, mutate(await Deno.readTextFile(file), mutant));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-check",
        "--allow-all",
        `--config=${folder}/deno.json`,
        `${folder}/tests/sim/main.ts`,
        `--seed=${seed}`,
        `--seeds=${SEEDS_MAX}`,
        `--seconds=${SECONDS_MAX}`,
        `--profile=${mutant.profile ?? "any"}`,
      ],
      env: { COUNTS_FILE: "" },
    }).output();
    const said = new TextDecoder().decode(stdout);
    const found = /^seed (\d+), step \d+: violation of (\w+)$/m.exec(said);
    if (code === 1 && found !== null) {
      return { isCaught: true, how: `caught by ${found[2]} at seed ${found[1]}` };
    }
    const problem = new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "";
    return { isCaught: false, how: `NOT CAUGHT (exit code ${code}) ${problem}` };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function copy(from: string, to: string): Promise<void> {
  const { isDirectory } = await Deno.stat(from);
  if (!isDirectory) {
    await Deno.mkdir(to.slice(0, to.lastIndexOf("/")), { recursive: true });
    return await Deno.copyFile(from, to);
  }
  await Deno.mkdir(to, { recursive: true });
  for await (const { name } of Deno.readDir(from)) await copy(`${from}/${name}`, `${to}/${name}`);
}
