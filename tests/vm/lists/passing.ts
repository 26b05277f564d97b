import assert from "node:assert/strict";
import fc from "fast-check";

const LINES = 20_000;

Deno.test("npm packages are there without a network", () => {
  fc.assert(fc.property(fc.nat(), (number) => number >= 0));
});

Deno.test("everything that is printed arrives", () => {
  const lines = Array.from({ length: LINES }, (_, index) => `line ${index} of ${LINES}`);
  Deno.stdout.writeSync(new TextEncoder().encode(`${lines.join("\n")}\n`));
});

Deno.test("the kernel is the machine's own, with its modules", () => {
  assert.match(Deno.osRelease(), /-cloud-/);
  Deno.statSync("/sys/module/8021q");
});
