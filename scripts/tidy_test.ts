import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("./tidy.ts", import.meta.url));

/** A repository of its own that is gone with the test. */
async function repository(
  files: Readonly<Record<string, string>>,
): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "tidy_" });
  await new Deno.Command("git", { args: ["init", "--quiet", path] }).output();
  for (const [name, text] of Object.entries(files)) {
    await Deno.mkdir(`${path}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${path}/${name}`, text);
  }
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function tidy(
  cwd: string,
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", "--allow-read", "--allow-run=git", SCRIPT, ...args],
    cwd,
    // A hook of git sets these: they would point at another repository.
    env: { GIT_DIR: `${cwd}/.git`, GIT_WORK_TREE: cwd, GIT_CEILING_DIRECTORIES: cwd },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

Deno.test("tidy prints one finding a line and exits 1", async () => {
  await using tree = await repository({
    "src/base/a.ts": `import "../ipam/b.ts";\n`,
    "src/base/README.md": "# src/base\n",
    "src/ipam/b.ts": "",
    "ignored/c.ts": "enum A { B }",
    ".gitignore": "/ignored/\n",
  });
  const { code, stdout, stderr } = await tidy(tree.path);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(code, 1, stderr);
  assert.equal(lines.length, 2, stdout);
  assert.match(lines[0] ?? "", /^src\/base\/a\.ts:1 layer: src\/base \(L0\) must not import/);
  assert.match(lines[1] ?? "", /^src\/ipam\/README\.md:1 readme: is missing/);
  assert.match(stderr, /^2 broken layout rules in 4 files$/m);
});

Deno.test("tidy says nothing about a good tree and exits 0", async () => {
  await using tree = await repository({
    "src/base/a.ts": "/** One. */\nexport const ONE = 1;\n",
    "src/base/README.md": "# src/base\n",
    "src/base/bytes.bin": "a\0b",
  });
  assert.deepEqual(await tidy(tree.path), { code: 0, stdout: "", stderr: "" });
  await Deno.remove(`${tree.path}/src/base/bytes.bin`);
  assert.deepEqual(await tidy(tree.path), { code: 0, stdout: "", stderr: "" });
});

Deno.test("tidy refuses an argument, or no repository, with one sentence", async () => {
  await using tree = await repository({ "lib/a.ts": "" });
  const { code, stdout, stderr } = await tidy(tree.path, "--fix");
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(stderr, /^Unknown argument "--fix": deno task tidy takes no arguments.*\n$/);

  await Deno.remove(`${tree.path}/.git`, { recursive: true });
  const bare = await tidy(tree.path);
  assert.deepEqual([bare.code, bare.stdout], [2, ""]);
  assert.match(bare.stderr, /^Cannot list the files of this repository: .*\n$/);
});
