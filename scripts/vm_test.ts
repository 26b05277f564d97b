import assert from "node:assert/strict";

const PROGRAM = new URL("./vm.ts", import.meta.url).pathname;
const TEST = new URL("../tests/vm/lists/failing.ts", import.meta.url).pathname;

/** Runs the program with an empty cache, and without any program in `PATH`. */
async function refusalOf(...args: readonly string[]): Promise<string> {
  const cache = await Deno.makeTempDir({ prefix: "vm_test-" });
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-all", PROGRAM, ...args],
      env: { XDG_CACHE_HOME: cache, PATH: cache, COUNTS_FILE: "" },
    }).output();
    const names = await Array.fromAsync(Deno.readDir(cache), ({ name }) => name);
    const left = names.filter((name) => name !== "deno"); // Deno's own cache.
    assert.deepEqual([code, new TextDecoder().decode(stdout), left], [2, "", []]);
    return new TextDecoder().decode(stderr);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

Deno.test("vm refuses what it cannot do: one sentence, exit code 2, nothing changed", async () => {
  const cases: readonly (readonly [args: readonly string[], sentence: RegExp])[] = [
    [["--nope"], /^vm: Unknown argument "--nope": give paths of tests, --refresh, or .*\n$/],
    [["--arch=riscv64"], /^vm: Argument "--arch" is "riscv64": give amd64 or arm64\n$/],
    [["no/such_test.ts"], /^vm: No test "no\/such_test\.ts": give one that exists\n$/],
    [["--list", "no_list"], /^vm: No list "no_list": give one that exists\n$/],
    [["--with=no_folder", TEST], /^vm: No file or folder "no_folder": give one that exists\n$/],
    [["/etc"], /^vm: The test "\/etc" is not in this repository: only those can be run\n$/],
    [[TEST], /^vm: .* "qemu-system-x86_64" is missing, run scripts\/setup\.sh vm or .*-x86\n$/],
    [
      ["--arch=arm64", TEST],
      /^vm: .* "qemu-system-aarch64" is missing, run scripts\/setup\.sh vm-arm64 or .*-arm\n$/,
    ],
  ];
  for (const [args, sentence] of cases) assert.match(await refusalOf(...args), sentence);
});
