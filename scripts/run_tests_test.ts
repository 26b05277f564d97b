import assert from "node:assert/strict";
import { parseArguments } from "./run_tests.ts";
import { listTestFiles } from "./test_files.ts";

const PROGRAM = new URL("./run_tests.ts", import.meta.url).pathname;
const CONFIG = new URL("../deno.json", import.meta.url).pathname;
const PASSES = `Deno.test("passes", () => {});\nDeno.test.ignore("waits", () => {});\n`;
const FAILS = `Deno.test("fails", () => { throw new Error("boo"); });\n`;

interface Ran {
  readonly code: number;
  readonly lines: readonly string[];
  readonly stderr: string;
  readonly counted: string;
}

/** Runs the program in a folder that holds `files`, as another process, and gives what it said. */
async function run(
  files: Readonly<Record<string, string>>,
  { args, counted = "" }: { readonly args: readonly string[]; readonly counted?: string },
): Promise<Ran> {
  const folder = await Deno.makeTempDir({ prefix: "run_tests_test-" });
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(`${folder}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${folder}/${name}`, text);
    }
    await Deno.writeTextFile(`${folder}/counts`, counted);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-all", `--config=${CONFIG}`, PROGRAM, ...args],
      cwd: folder,
      env: { COUNTS_FILE: `${folder}/counts`, NO_COLOR: "1" },
    }).output();
    return {
      code,
      lines: new TextDecoder().decode(stdout).trimEnd().split("\n"),
      stderr: new TextDecoder().decode(stderr),
      counted: await Deno.readTextFile(`${folder}/counts`),
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("run_tests closes with the exact line, and appends it to COUNTS_FILE", async () => {
  const passing = { "t/a_test.ts": PASSES, "t/deep/b_test.ts": PASSES };
  const others = { "c_test.ts": FAILS, "t/d.ts": FAILS, "t/e_other_test.ts": FAILS };
  const ran = await run({ ...passing, ...others }, {
    args: ["--default=absent", "--default=t", "--except=_other_test.ts"],
    counted: "1 passed, 0 failed, 0 skipped\n",
  });
  assert.equal(ran.code, 0, ran.stderr);
  assert.equal(ran.lines.at(-1), "2 passed, 0 failed, 2 skipped");
  assert.equal(ran.counted, "1 passed, 0 failed, 0 skipped\n2 passed, 0 failed, 2 skipped\n");
  assert.ok(ran.lines.some((line) => line.startsWith("passes ... ok")), ran.lines.join("\n"));
});

Deno.test("run_tests exits with deno's status and counts when a test fails", async () => {
  const ran = await run({ "a_test.ts": PASSES, "b_test.ts": FAILS }, { args: ["."] });
  assert.equal(ran.code, 1);
  assert.equal(ran.lines.at(-1), "1 passed, 1 failed, 1 skipped");
});

Deno.test("run_tests counts a module that does not load or compile as one failure", async () => {
  const thrown = await run({ "a_test.ts": PASSES, "b_test.ts": `throw new Error("boo");\n` }, {
    args: ["."],
  });
  assert.deepEqual([thrown.code, thrown.lines.at(-1)], [1, "1 passed, 1 failed, 1 skipped"]);
  const broken = await run({ "a_test.ts": `const x: number = "one";\n` }, { args: ["."] });
  assert.deepEqual([broken.code, broken.lines.at(-1)], [1, "0 passed, 1 failed, 0 skipped"]);
});

Deno.test("run_tests counts a run in which nothing was run as one failure", async () => {
  const ran = await run({ "a_test.ts": "export {};\n" }, { args: ["."] });
  assert.deepEqual([ran.code, ran.lines.at(-1)], [1, "0 passed, 1 failed, 0 skipped"]);
});

Deno.test("run_tests refuses a path that is not there: one sentence, exit code 2", async () => {
  const ran = await run({ "a_test.ts": PASSES }, { args: ["b_test.ts"] });
  assert.equal(ran.code, 2);
  assert.equal(ran.stderr, `No test "b_test.ts": give a file or a directory that exists\n`);
  assert.equal(ran.counted, "");
});

Deno.test("parseArguments() sorts out paths, its own flags and those of deno test", () => {
  const parsed = parseArguments([
    "--default=src",
    "--default=cni",
    "--except=_kernel_test.ts",
    "--allow-net=127.0.0.1",
    "--filter",
    "a b",
    "--quiet",
    "src/ip",
  ]);
  assert.deepEqual(parsed, {
    ok: true,
    value: {
      flags: ["--allow-net=127.0.0.1", "--filter=a b", "--quiet"],
      paths: ["src/ip"],
      defaults: ["src", "cni"],
      match: "_test.ts",
      except: "_kernel_test.ts",
      asRoot: false,
    },
  });
});

Deno.test("parseArguments() names the argument that it does not take", () => {
  for (
    const [argv, text] of [
      [["--nope=1"], /^Unknown argument "--nope=1": /],
      [["-x"], /^Unknown argument "-x": /],
      [["--quiet=yes"], /^Argument "--quiet" takes no value, not "yes"/],
      [["--filter"], /^Argument "--filter" needs a value/],
      [["--match="], /^Argument "--match" needs a value/],
    ] as const
  ) {
    const parsed = parseArguments(argv);
    assert.ok(!parsed.ok);
    assert.match(parsed.error.text, text);
  }
});

Deno.test("listTestFiles() takes what ends as asked, each file once", async () => {
  const folder = await Deno.makeTempDir({ prefix: "run_tests_test-" });
  try {
    for (const name of ["a_test.ts", "a_kernel_test.ts", "a.ts", "dist/b_test.ts", "c/d_test.ts"]) {
      await Deno.mkdir(`${folder}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${folder}/${name}`, "");
    }
    const list = (paths: readonly string[], match: string, except?: string) =>
      listTestFiles(paths.map((path) => `${folder}${path}`), { match, except })
        .map((path) => path.slice(folder.length));
    assert.deepEqual(list(["/", "/c", "/c/d_test.ts"], "_test.ts", "_kernel_test.ts"), [
      "/a_test.ts",
      "/c/d_test.ts",
    ]);
    assert.deepEqual(list([""], "_kernel_test.ts"), ["/a_kernel_test.ts"]);
    assert.deepEqual(list(["/a.ts"], "_kernel_test.ts"), ["/a.ts"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
