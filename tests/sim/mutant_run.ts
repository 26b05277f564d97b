/** Runs the mutants: each a copy of the tree with one rule taken out, which must be noticed. */
import type { TestCounts } from "../../scripts/test_counts.ts";
import type { Profile } from "./happening_kinds.ts";
import type { Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";

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
  await using tree = await copyTree();
  for (const mutant of MUTANTS) {
    const startedMs = performance.now();
    const caught = await catchMutant(mutant, { ...tree, seed });
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    if (caught.isCaught) passed++;
    else failed++;
    say(`mutant "${mutant.name}": ${caught.how} (${seconds} s)`);
  }
  return { passed, failed, skipped: 0 };
}

/** Whether a mutant was noticed, and by what. */
export interface Caught {
  readonly isCaught: boolean;
  readonly how: string;
}

/** A copy of the tree, until it is disposed. */
export async function copyTree(): Promise<AsyncDisposable & { readonly folder: string }> {
  await using undo = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "mutants-" });
  undo.defer(() => Deno.remove(folder, { recursive: true }));
  for (const path of COPIED) await copy(new URL(path, ROOT).pathname, `${folder}/${path}`);
  const made = undo.move();
  return { folder, [Symbol.asyncDispose]: () => made.disposeAsync() };
}

/**
 * Runs one mutant until a rule breaks, or its story ends badly.
 *
 * @param options.folder A copy of the tree, for one mutant at a time; it is whole again afterwards.
 */
export async function catchMutant(
  mutant: Mutant,
  { folder, seed }: { readonly folder: string; readonly seed: number },
): Promise<Caught> {
  const file = `${folder}/${mutant.file}`;
  const whole = await Deno.readTextFile(file);
  await Deno.writeTextFile(file, mutate(whole, mutant));
  try {
    const { story, profile = "any" } = mutant;
    return story === undefined
      ? await catchInWorlds(folder, { seed, profile })
      : await catchInStory(folder, story);
  } finally {
    await Deno.writeTextFile(file, whole);
  }
}

async function catchInWorlds(
  folder: string,
  { seed, profile }: { readonly seed: number; readonly profile: Profile },
): Promise<Caught> {
  const { code, said, problem } = await deno(folder, [
    "run",
    "--quiet",
    ...["--no-check", "--allow-all", `--config=${folder}/deno.json`],
    `${folder}/tests/sim/main.ts`,
    `--seed=${seed}`,
    `--seeds=${SEEDS_MAX}`,
    `--seconds=${SECONDS_MAX}`,
    `--profile=${profile}`,
  ]);
  const found = /^seed (\d+), step \d+: violation of (\w+)$/m.exec(said);
  return code === 1 && found !== null
    ? { isCaught: true, how: `caught by ${found[2]} at seed ${found[1]}` }
    : { isCaught: false, how: `NOT CAUGHT (exit code ${code}) ${problem}` };
}

/** A story says of what seed it ended badly; a copy that does not run at all says nothing. */
async function catchInStory(folder: string, story: string): Promise<Caught> {
  const { code, said, problem } = await deno(folder, [
    "test",
    ...["--no-check", "--allow-all", `--config=${folder}/deno.json`],
    `--filter=${story}`,
    `${folder}/tests/sim/traces_test.ts`,
  ]);
  const found = /AssertionError: (seed \d+: .*)$/m.exec(said);
  return code === 1 && found !== null
    ? { isCaught: true, how: `caught by "${story}" at ${found[1]}` }
    : { isCaught: false, how: `NOT CAUGHT by "${story}" (exit code ${code}) ${problem}` };
}

async function deno(
  cwd: string,
  args: readonly string[],
): Promise<{ readonly code: number; readonly said: string; readonly problem: string }> {
  const env = { COUNTS_FILE: "", NO_COLOR: "1" };
  const command = new Deno.Command(Deno.execPath(), { args: [...args], cwd, env });
  const { code, stdout, stderr } = await command.output();
  const [said, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, said: said ?? "", problem: errors?.trim().split("\n").at(-1) ?? "" };
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
