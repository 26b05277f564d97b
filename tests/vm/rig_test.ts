import assert from "node:assert/strict";
import { bootsKernel, runsCode } from "../../scripts/vm/accelerator.ts";
import {
  bootMachine,
  cacheFolder,
  layOut,
  type PreparedMachine,
  prepareMachine,
} from "../../scripts/vm/boot.ts";
import { QEMU, qemuArguments } from "../../scripts/vm/machine.ts";
import type { CpioEntry } from "../../scripts/vm/cpio.ts";
import { payloadOf } from "../../scripts/vm/payload.ts";
import { program, testWith } from "../support/require.ts";
import { hangLimit } from "../support/hang_limit.ts";

const LISTS = new URL("./lists", import.meta.url).pathname;
const REPOSITORY = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const PROGRAM = `${REPOSITORY}/scripts/vm.ts`;
const needs = [program(QEMU.amd64.program)];

interface Ran {
  readonly code: number;
  readonly stdout: readonly string[];
  readonly stderr: string;
}

function start(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", PROGRAM, ...args],
    env: { COUNTS_FILE: "", NO_COLOR: "1", REQUIRE: "" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function run(...args: readonly string[]): Promise<Ran> {
  const { code, stdout, stderr } = await start(args).output();
  return {
    code,
    stdout: new TextDecoder().decode(stdout).trimEnd().split("\n"),
    stderr: new TextDecoder().decode(stderr),
  };
}

/** A machine and what it gets for one test file, as the program itself would prepare them. */
async function prepare(
  file: string,
): Promise<{ readonly prepared: PreparedMachine; readonly entries: readonly CpioEntry[] }> {
  const cache = cacheFolder({
    home: Deno.env.get("HOME"),
    cacheHome: Deno.env.get("XDG_CACHE_HOME"),
  });
  const prepared = await prepareMachine(cache, {
    architecture: "amd64",
    refresh: false,
    say: () => {},
  });
  const entries = await payloadOf({
    repository: REPOSITORY,
    files: [file],
    extras: [],
    flags: [],
    environment: {},
    programs: () => Promise.reject(new Error("No test here uses programs")),
    secondsMax: 600,
  });
  return { prepared, entries };
}

testWith({
  name: "a list of tests is run on the other kernel, and all of its output and counts arrive",
  needs,
  async fn() {
    const list = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(list, `# What is run\n${LISTS}/passing.ts  # this\n`);
      const { code, stdout, stderr } = await run("--list", list);
      assert.equal(code, 0, stderr);
      assert.equal(stdout.at(-1), "3 passed, 0 failed, 0 skipped");
      const lines = stdout.filter((line) => /^line \d+ of 20000$/.test(line));
      assert.deepEqual(lines.map((line) => Number(line.split(" ")[1])), [...Array(20_000).keys()]);
      assert.match(stderr, /^vm: booted in [\d.]+ s, tests [\d.]+ s, in all [\d.]+ s$/m);
    } finally {
      await Deno.remove(list);
    }
  },
});

testWith({
  name: "a failing test gives its status and exact counts",
  needs,
  async fn() {
    const { code, stdout } = await run(`${LISTS}/failing.ts`);
    assert.equal(code, 1);
    assert.equal(stdout.at(-1), "1 passed, 1 failed, 1 skipped");
    assert.ok(stdout.includes("error: Error: as it should"), stdout.join("\n"));
  },
});

testWith({
  name: "a hanging test is killed, and the message names it and the time",
  needs,
  async fn() {
    const { code, stdout, stderr } = await run("--hang-seconds=30", `${LISTS}/hanging.ts`);
    assert.equal(code, 1);
    assert.equal(stdout.at(-1), "0 passed, 1 failed, 0 skipped");
    assert.ok(stdout.some((line) => line.startsWith("passes at first ... ok")), "printed live");
    const named = 'The test "waits for ever > in a step" of ./tests/vm/lists/hanging.ts hangs';
    assert.ok(stderr.includes(`vm: failed: ${named}: no test began or ended for 30 s`), stderr);
  },
});

testWith({
  name: "a kernel panic ends the run at once, with the panic's own words",
  needs,
  async fn() {
    const { code, stdout, stderr } = await run(`${LISTS}/panicking.ts`);
    assert.equal(code, 1);
    assert.equal(stdout.at(-1), "0 passed, 1 failed, 0 skipped");
    assert.match(stderr, /^vm: failed: The machine's kernel panics: sysrq triggered crash$/m);
  },
});

testWith({
  name: "a kernel module that does not load is named, and no test is run",
  needs,
  async fn() {
    const { prepared, entries } = await prepare(`${LISTS}/failing.ts`);
    const path = `lib/modules/${prepared.tree.release}/kernel/drivers/net/dummy.ko`;
    const bytes = new TextEncoder().encode("no module");
    const printed: Uint8Array[] = [];
    using limit = hangLimit();
    const { failure, report } = await bootMachine(prepared, {
      entries: [...entries, { kind: "file", path, bytes, executable: false }],
      print: (piece) => printed.push(piece),
      hangSeconds: 120,
      signal: limit.signal,
      say: () => {},
    });
    assert.match(failure ?? "", /^Cannot load the kernel module "dummy": .*dummy\.ko/);
    assert.equal(report.outcome, undefined);
    assert.deepEqual(printed, []);
  },
});

testWith({
  name: "a machine that hangs in its boot is started once more, and the message says where it hung",
  needs,
  async fn() {
    const { prepared, entries } = await prepare(`${LISTS}/passing.ts`);
    const bytes = new TextEncoder().encode("#!/bin/busybox sh\n/bin/busybox sleep 3600\n");
    const init: CpioEntry = { kind: "file", path: "init", bytes, executable: true };
    const said: string[] = [];
    using limit = hangLimit();
    const { failure, console } = await bootMachine(prepared, {
      entries: [...entries, init],
      print: () => {},
      hangSeconds: 15,
      signal: limit.signal,
      say: (text) => said.push(text),
    });
    const sentence = /^It hangs in its boot: .* for 15 s, so the machine was killed/;
    assert.match(failure ?? "", sentence);
    assert.match(console ?? "", /Run \/init as init process/, "what its kernel said");
    assert.deepEqual(said.map((text) => sentence.test(text)), [true, false]);
    assert.match(said[1] ?? "", /Run \/init as init process/);
  },
});

testWith({
  name: "a terminated run stops its machine and says so",
  needs,
  async fn() {
    const child = start(["--hang-seconds=300", `${LISTS}/hanging.ts`]);
    const reader = child.stdout.getReader();
    await reader.read(); // The tests run.
    child.kill("SIGTERM");
    for (let piece = await reader.read(); !piece.done; piece = await reader.read());
    const stderr = await new Response(child.stderr).text();
    assert.equal((await child.status).code, 1);
    assert.match(stderr, /^vm: Stopped before the tests ended$/m);
  },
});

testWith({
  name: "a machine whose reader is gone turns itself off",
  needs,
  async fn() {
    const { prepared, entries } = await prepare(`${LISTS}/hanging.ts`);
    const folder = await Deno.makeTempDir({ prefix: "rig_test-" });
    try {
      const machine = await layOut(prepared, { entries, folder });
      const child = new Deno.Command(machine.qemu, {
        args: qemuArguments(machine),
        stdin: "piped",
        stdout: "piped",
        stderr: "null",
      }).spawn();
      using limit = hangLimit();
      limit.signal.addEventListener("abort", () => child.kill("SIGKILL"));
      const reader = child.stdout.getReader();
      await reader.read(); // The tests run.
      await child.stdin.close(); // As the end of the program that reads closes it.
      for (let piece = await reader.read(); !piece.done; piece = await reader.read());
      assert.equal((await child.status).code, 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

testWith({
  name: "runsCode() sees that a processor runs, and that one cannot",
  needs,
  async fn() {
    assert.equal(await runsCode(QEMU.amd64.program, "tcg"), true);
    assert.equal(await runsCode("false", "tcg"), false);
  },
});

testWith({
  name: "bootsKernel() sees that a kernel boots, and that something else does not",
  needs,
  async fn() {
    const { prepared: { tree } } = await prepare(`${LISTS}/passing.ts`);
    const kernel = `${tree.root}/boot/vmlinuz-${tree.release}`;
    const qemu = QEMU.amd64.program;
    const limits = { accelerator: "tcg", timeoutMs: 120_000 } as const;
    assert.equal(await bootsKernel(qemu, { kernel, ...limits }), true);
    const other = `${tree.root}/boot/config-${tree.release}`;
    assert.equal(await bootsKernel(qemu, { kernel: other, ...limits, timeoutMs: 3_000 }), false);
  },
});
