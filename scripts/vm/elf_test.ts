import assert from "node:assert/strict";
import { interpreterOf, neededLibraries, sectionOf } from "./elf.ts";

/** Builds an ELF file of the sections given, behind the empty one that every file starts with. */
function elf(
  sections: readonly {
    readonly name: string;
    readonly bytes: Uint8Array;
    readonly link?: number;
  }[],
): Uint8Array {
  const all = [{ name: "", bytes: new Uint8Array(0), link: 0 }, ...sections];
  const names = new TextEncoder().encode(all.map(({ name }) => `${name}\0`).join(""));
  const table = [...all, { name: "", bytes: names, link: 0 }];
  const content = table.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const file = new Uint8Array(64 + content + table.length * 64);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x7f454c46);
  file.set([2, 1], 4);
  view.setBigUint64(40, BigInt(64 + content), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, table.length, true);
  view.setUint16(62, table.length - 1, true);
  let dataAt = 64;
  let nameAt = 0;
  for (const [index, { name, bytes, link }] of table.entries()) {
    const at = 64 + content + index * 64;
    view.setUint32(at, nameAt, true);
    view.setBigUint64(at + 24, BigInt(dataAt), true);
    view.setBigUint64(at + 32, BigInt(bytes.length), true);
    view.setUint32(at + 40, link ?? 0, true);
    file.set(bytes, dataAt);
    dataAt += bytes.length;
    nameAt += name.length + 1;
  }
  return file;
}

function words(...numbers: readonly number[]): Uint8Array {
  return new Uint8Array(new BigUint64Array(numbers.map(BigInt)).buffer);
}

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
