import assert from "node:assert/strict";
import { elf, words } from "../../tests/support/elf_file.ts";
import { interpreterOf, neededLibraries, sectionOf } from "./elf.ts";

const text = new TextEncoder();

Deno.test("neededLibraries() reads the names that the dynamic section points to", () => {
  const file = elf([
    { name: ".dynstr", bytes: text.encode("\0libc.so.6\0libm.so.6\0") },
    { name: ".dynamic", bytes: words(1, 11, 14, 1, 1, 1, 0, 0), link: 1 },
  ]);
  assert.deepEqual(neededLibraries(file), ["libm.so.6", "libc.so.6"]);
  assert.deepEqual(neededLibraries(elf([])), []);
});

Deno.test("sectionOf() and interpreterOf() find a section by its name, or nothing", () => {
  const file = elf([
    { name: ".interp", bytes: text.encode("/lib64/ld.so\0") },
    { name: ".modinfo", bytes: text.encode("name=x\0") },
  ]);
  assert.equal(interpreterOf(file), "/lib64/ld.so");
  assert.deepEqual(sectionOf(file, ".modinfo"), text.encode("name=x\0"));
  assert.equal(sectionOf(file, ".text"), undefined);
  assert.equal(interpreterOf(elf([])), undefined);
});

Deno.test("neededLibraries() reads the runtime that runs this test", async () => {
  const file = await Deno.readFile(Deno.execPath());
  assert.ok(neededLibraries(file).includes("libc.so.6"));
  assert.match(interpreterOf(file) ?? "", /\/ld-linux/);
});

Deno.test("sectionOf() refuses what is no such file", () => {
  assert.throws(() => sectionOf(text.encode("#!/bin/sh\n".repeat(9)), ".text"), /Not a 64-bit/);
  const other = elf([]);
  other[4] = 1;
  assert.throws(() => sectionOf(other, ".text"), /Not a 64-bit/);
});
