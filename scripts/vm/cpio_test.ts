import assert from "node:assert/strict";
import { type CpioEntry, encodeCpio } from "./cpio.ts";

const RUN = {
  kind: "file",
  path: "a/b/run",
  bytes: new TextEncoder().encode("#!x"),
  executable: true,
} as const;
const ENTRIES: readonly CpioEntry[] = [
  RUN,
  { kind: "file", path: "a/b/empty", bytes: new Uint8Array(0), executable: false },
  { kind: "directory", path: "a" },
  { kind: "directory", path: "proc" },
  { kind: "symlink", path: "a/link", target: "b/run" },
];

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** A reader as plain as can be, for what the writer wrote. */
function decode(bytes: Uint8Array): { path: string; mode: number; inode: number; text: string }[] {
  const text = new TextDecoder();
  const found = [];
  for (let at = 0; at < bytes.length;) {
    const field = (index: number) =>
      parseInt(text.decode(bytes.subarray(at + 6 + index * 8, at + 14 + index * 8)), 16);
    assert.equal(text.decode(bytes.subarray(at, at + 6)), "070701");
    const [inode, mode, size, nameSize] = [field(0), field(1), field(6), field(11)];
    const name = text.decode(bytes.subarray(at + 110, at + 110 + nameSize - 1));
    const dataAt = Math.ceil((at + 110 + nameSize) / 4) * 4;
    const data = text.decode(bytes.subarray(dataAt, dataAt + size));
    at = Math.ceil((dataAt + size) / 4) * 4;
    found.push({ path: name, mode, inode, text: data });
  }
  return found;
}

Deno.test("encodeCpio() writes every directory once, before what is in it", () => {
  const found = decode(joined(encodeCpio(ENTRIES)));
  assert.deepEqual(found.map(({ path, mode, text }) => [path, mode.toString(8), text]), [
    ["a", "40755", ""],
    ["a/b", "40755", ""],
    ["a/b/run", "100755", "#!x"],
    ["a/b/empty", "100644", ""],
    ["proc", "40755", ""],
    ["a/link", "120755", "b/run"],
    ["TRAILER!!!", "0", ""],
  ]);
  const inodes = found.slice(0, -1).map(({ inode }) => inode);
  assert.equal(new Set(inodes).size, inodes.length);
});

Deno.test("encodeCpio() writes a file of several names once, and counts its names", () => {
  const text = new TextDecoder();
  const bytes = joined(encodeCpio([
    { ...RUN, others: ["a/b/again", "a/b/more"] },
    { kind: "directory", path: "proc" },
  ]));
  const found = decode(bytes).filter(({ mode }) => (mode & 0o170000) === 0o100000);
  assert.deepEqual(found.map(({ path, text }) => [path, text]), [
    ["a/b/run", "#!x"],
    ["a/b/again", ""],
    ["a/b/more", ""],
  ]);
  assert.equal(new Set(found.map(({ inode }) => inode)).size, 1);
  const headers = text.decode(bytes).split("070701").slice(1).map((header) => header.slice(32, 40));
  assert.deepEqual(headers.map((links) => parseInt(links, 16)), [1, 1, 3, 3, 3, 1, 1]);
});

Deno.test("encodeCpio() gives equal bytes for equal entries, in whole words", () => {
  const bytes = joined(encodeCpio(ENTRIES));
  assert.deepEqual(bytes, joined(encodeCpio(ENTRIES)));
  assert.equal(bytes.length % 4, 0);
});

Deno.test("encodeCpio() writes the golden bytes of one small file", () => {
  const bytes = joined(
    encodeCpio([{
      kind: "file",
      path: "hi",
      bytes: new TextEncoder().encode("hey\n!"),
      executable: false,
    }]),
  );
  const zeros = "00000000";
  const header = ["00000001", "000081a4", zeros, zeros, "00000001", zeros, "00000005"].join("");
  assert.equal(
    new TextDecoder().decode(bytes.subarray(0, 124)),
    `070701${header}${zeros.repeat(4)}00000003${zeros}hi\0\0\0\0hey\n!\0\0\0`,
  );
});

Deno.test("encodeCpio() refuses a path with an outer slash: the kernel would lose it", () => {
  assert.throws(() => encodeCpio([{ kind: "directory", path: "/etc" }]), /outer slashes/);
  assert.throws(() => encodeCpio([{ kind: "directory", path: "etc/" }]), /outer slashes/);
});
