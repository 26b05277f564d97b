import assert from "node:assert/strict";
import { backportsOf, candidateOf } from "./sriov.ts";

Deno.test("candidateOf() is the version that apt would take, without its epoch", () => {
  const text = "qemu-system-x86:\n  Installed: (none)\n  Candidate: 1:10.0.2+ds-2~bpo12+1\n";
  assert.equal(candidateOf(text), "10.0.2+ds-2~bpo12+1");
  assert.equal(candidateOf("q:\n  Installed: 1:7.2\n  Candidate: 7.2-1\n"), "7.2-1");
  assert.equal(candidateOf("q:\n  Installed: 1:7.2\n  Candidate: (none)\n"), undefined);
  assert.equal(candidateOf(""), undefined);
});

Deno.test("backportsOf() stands beside the release itself, at the same address", () => {
  const targets = [
    "Debian|bookworm-security|http://x.invalid/security/",
    "Debian|bookworm-updates|http://x.invalid/debian/",
    "Debian|bookworm|http://x.invalid/debian/",
  ].join("\n");
  const suite = { address: "http://x.invalid/debian/", name: "bookworm-backports" };
  assert.deepEqual(backportsOf(targets), suite);
});

Deno.test("backportsOf() finds none for a system that is no Debian", () => {
  assert.equal(backportsOf("Ubuntu|jammy|http://x.invalid/ubuntu/\n"), undefined);
  assert.equal(backportsOf(""), undefined);
});
