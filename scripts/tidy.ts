/**
 * `deno task tidy`: checks the layout of the tree and what the linter cannot see. Prints one
 * finding a line; exits 1 if there is any, 2 if it cannot start.
 */
import { findingsIn, findingText } from "./tidy/rules.ts";
import type { TextFile } from "./tidy/tree.ts";

const USAGE =
  "deno task tidy takes no arguments: it checks every file that git tracks or would add";

function print(text: string, to: { writeSync(bytes: Uint8Array): number } = Deno.stdout): void {
  const bytes = new TextEncoder().encode(text);
  for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
}

async function git(args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("git", { args: [...args] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
  return new TextDecoder().decode(stdout);
}

/** Every text file of the work tree that git tracks or would add. */
async function readTree(): Promise<readonly TextFile[]> {
  const [top, list] = await Promise.all([
    git(["rev-parse", "--show-toplevel"]),
    git(["ls-files", "-z", "--full-name", "--cached", "--others", "--exclude-standard", ":/"]),
  ]);
  const paths = [...new Set(list.split("\0"))].filter((path) => path !== "");
  const files = await Promise.all(paths.map((path) => readText(path, { top: top.trimEnd() })));
  return files.filter((file) => file !== undefined);
}

/** `undefined` for what is no text (it holds a zero byte) and what is gone from the work tree. */
async function readText(
  path: string,
  { top }: { readonly top: string },
): Promise<TextFile | undefined> {
  try {
    const bytes = await Deno.readFile(`${top}/${path}`);
    return bytes.includes(0) ? undefined : { path, text: new TextDecoder().decode(bytes) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.IsADirectory) return undefined;
    throw error;
  }
}

async function main(args: readonly string[]): Promise<number> {
  if (args[0] !== undefined) {
    print(`Unknown argument "${args[0]}": ${USAGE}\n`, Deno.stderr);
    return 2;
  }
  let files: readonly TextFile[];
  try {
    files = await readTree();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    print(`Cannot list the files of this repository: ${reason}\n`, Deno.stderr);
    return 2;
  }
  const findings = findingsIn(files);
  for (const finding of findings) print(`${findingText(finding)}\n`);
  if (findings.length > 0) {
    print(`${findings.length} broken layout rules in ${files.length} files\n`, Deno.stderr);
  }
  return findings.length > 0 ? 1 : 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
