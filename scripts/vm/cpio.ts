import { assert } from "../../src/base/assert.ts";

/** What an archive holds. Paths start at its root, without a leading slash: `lib/modules`. */
export type CpioEntry =
  | {
    readonly kind: "file";
    readonly path: string;
    readonly bytes: Uint8Array;
    readonly executable: boolean;
    /** More paths of the same file, in the same folder: hard links. */
    readonly others?: readonly string[];
  }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "symlink"; readonly path: string; readonly target: string };

const ALIGNMENT_BYTES = 4;
const TRAILER_NAME = "TRAILER!!!";
/** File types of `st_mode`. */
const MODE = { file: 0o100000, directory: 0o040000, symlink: 0o120000 } as const;

/**
 * Encodes an archive in the "newc" format that the kernel unpacks as an initrd. Directories that
 * entries need are added before them, because the kernel makes none. Everything belongs to user 0
 * and has the time 0, so equal entries give equal bytes. Archives may follow each other in a file:
 * what is in a later one replaces what an earlier one has.
 *
 * @returns Parts to be written one after the other; the bytes of files are not copied.
 * @source Linux `Documentation/driver-api/early-userspace/buffer-format.rst`
 */
export function encodeCpio(entries: Iterable<CpioEntry>): Uint8Array[] {
  const parts: Uint8Array[] = [];
  const folders = new Set<string>();
  let inode = 1;
  for (const entry of entries) {
    assert(/^[^/]/.test(entry.path) && !entry.path.endsWith("/"), "a path has no outer slashes");
    for (const folder of foldersAbove(entry.path)) {
      if (folders.has(folder)) continue;
      folders.add(folder);
      parts.push(...encodeEntry({ kind: "directory", path: folder }, inode++));
    }
    if (entry.kind === "directory" && folders.has(entry.path)) continue;
    if (entry.kind === "directory") folders.add(entry.path);
    parts.push(...encodeEntry(entry, inode++));
  }
  parts.push(encodeHeader({ name: TRAILER_NAME, mode: 0, inode: 0, bytesCount: 0 }));
  return parts;
}

function foldersAbove(path: string): string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join("/"));
}

function encodeEntry(entry: CpioEntry, inode: number): Uint8Array[] {
  const bytes = contentOf(entry);
  const isOpen = entry.kind !== "file" || entry.executable;
  const mode = MODE[entry.kind] | (isOpen ? 0o755 : 0o644);
  const others = entry.kind === "file" ? entry.others ?? [] : [];
  const shared = { mode, inode, links: 1 + others.length };
  const header = encodeHeader({ ...shared, name: entry.path, bytesCount: bytes.length });
  return [
    ...[header, bytes, new Uint8Array(paddingAfter(bytes.length))],
    ...others.map((name) => encodeHeader({ ...shared, name, bytesCount: 0 })),
  ];
}

function contentOf(entry: CpioEntry): Uint8Array {
  switch (entry.kind) {
    case "file":
      return entry.bytes;
    case "symlink":
      return new TextEncoder().encode(entry.target);
    case "directory":
      return new Uint8Array(0);
  }
}

/** Magic, 13 numbers of eight hex digits, the name with a zero byte, padding. */
function encodeHeader(
  { name, mode, inode, bytesCount, links = 1 }: {
    readonly name: string;
    readonly mode: number;
    readonly inode: number;
    readonly links?: number;
    readonly bytesCount: number;
  },
): Uint8Array {
  assert(bytesCount < 2 ** 32, "a file of an archive has a size of 32 bits");
  const nameBytes = new TextEncoder().encode(`${name}\0`);
  const [user, group, time, device, check] = [0, 0, 0, 0, 0];
  const numbers = [
    inode,
    mode,
    user,
    group,
    links,
    time,
    bytesCount,
    device,
    device,
    device,
    device,
  ];
  const hex = [...numbers, nameBytes.length, check].map((n) => n.toString(16).padStart(8, "0"));
  const fixed = new TextEncoder().encode(`070701${hex.join("")}`);
  const length = fixed.length + nameBytes.length;
  const header = new Uint8Array(length + paddingAfter(length));
  header.set(fixed);
  header.set(nameBytes, fixed.length);
  return header;
}

function paddingAfter(length: number): number {
  return (ALIGNMENT_BYTES - length % ALIGNMENT_BYTES) % ALIGNMENT_BYTES;
}
