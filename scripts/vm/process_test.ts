import assert from "node:assert/strict";
import { hasProgram, isThere, run, runFor } from "./process.ts";

Deno.test("hasProgram() looks into each folder of PATH, and passes over what is none", () => {
  const file = new URL(import.meta.url).pathname;
  assert.equal(hasProgram("sh", { path: `${file}:/no/folder::/usr/bin:/bin` }), true);
  assert.equal(hasProgram("no-such-program", { path: `${file}:/usr/bin:/bin` }), false);
  assert.equal(isThere(`${file}/below`), false);
});

Deno.test("run() gives the line of a complaint that says what went wrong", async () => {
  const script = "echo out; echo 'E: No kernel' >&2; echo 'W: by the way' >&2; exit 3";
  assert.deepEqual(await run(["sh", "-c", script]), {
    code: 3,
    stdout: "out\n",
    complaint: "No kernel",
  });
});

Deno.test("runFor() names purpose, program, complaint and status", async () => {
  await assert.rejects(runFor(["sh", "-c", "echo no >&2; exit 4"], { purpose: "make tea" }), {
    name: "VmError",
    exitCode: 2,
    message: 'Cannot make tea: sh says "no" and exits with 4',
  });
  await assert.rejects(runFor(["no-such-program"], { purpose: "make tea" }), {
    exitCode: 2,
    message: /^Cannot find the program "no-such-program": run scripts\/setup\.sh vm/,
  });
});
