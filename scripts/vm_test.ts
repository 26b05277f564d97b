import assert from "node:assert/strict";

const PROGRAM = new URL("./vm.ts", import.meta.url).pathname;
const TEST = new URL("../tests/vm/lists/failing.ts", import.meta.url).pathname;

const SRIOV_TEST = new URL("../tests/kernel/chains_sriov_kernel_test.ts", import.meta.url).pathname;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program with an empty cache, which stays empty, and without any program in `PATH`. */
async function runBare(
  args: readonly string[],
  { required = "" }: { readonly required?: string } = {},
): Promise<Ended> {
  const cache = await Deno.makeTempDir({ prefix: "vm_test-" });
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-all", PROGRAM, ...args],
      env: { XDG_CACHE_HOME: cache, PATH: cache, COUNTS_FILE: "", REQUIRE: required },
    }).output();
    const names = await Array.fromAsync(Deno.readDir(cache), ({ name }) => name);
    assert.deepEqual(names.filter((name) => name !== "deno"), []); // Deno's own cache.
    const [out = "", complained = ""] = [stdout, stderr]
      .map((bytes) => new TextDecoder().decode(bytes));
    return { code, stdout: out, stderr: complained };
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
  for (const [args, sentence] of cases) {
    const { code, stdout, stderr } = await runBare(args);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, sentence);
  }
});

Deno.test("vm skips the tests of a machine with an SR-IOV NIC that is not to be had", async () => {
  const { code, stdout, stderr } = await runBare([SRIOV_TEST]);
  assert.deepEqual([code, stdout], [0, "0 passed, 0 failed, 1 skipped\n"]);
  assert.match(stderr, /^vm: the tests of \S+ are skipped: .* "qemu-system-x86_64" is missing/);
});

Deno.test("vm fails those tests where REQUIRE forbids to skip them", async () => {
  const { code, stdout, stderr } = await runBare([SRIOV_TEST], { required: "root,programs" });
  assert.deepEqual([code, stdout], [1, "0 passed, 1 failed, 0 skipped\n"]);
  assert.match(stderr, /^vm: the tests of \S+ fail, REQUIRE=programs forbids to skip them: /);
});

Deno.test("vm skips those tests on another processor, whatever REQUIRE says", async () => {
  const args = ["--arch=arm64", SRIOV_TEST];
  const { code, stdout } = await runBare(args, { required: "all" });
  assert.deepEqual([code, stdout], [0, "0 passed, 0 failed, 1 skipped\n"]);
});
