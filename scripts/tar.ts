/** A file of a tar archive. Folders that files need are not added by themselves. */
export type TarEntry =
  | {
    readonly kind: "file";
    readonly path: string;
    readonly mode: number;
    readonly bytes: Uint8Array;
  }
  | { readonly kind: "folder"; readonly path: string; readonly mode: number }
  | { readonly kind: "symlink" | "hardlink"; readonly path: string; readonly target: string };

const BLOCK_BYTES = 512;
const TYPE_FLAGS = { file: "0", hardlink: "1", symlink: "2", folder: "5" } as const;

/**
 * Writes a POSIX (ustar) archive. Owner root, time 0: the same entries give the same bytes.
 *
 * @throws {RangeError} If a path or link target does not fit the format (255 and 100 bytes).
 * @source POSIX.1-2017, pax, ustar interchange format
 */
export function writeTar(entries: readonly TarEntry[]): Uint8Array<ArrayBuffer> {
  const sizes = entries.map((entry) =>
    BLOCK_BYTES + (entry.kind === "file" ? padded(entry.bytes.length) : 0)
  );
  const total = sizes.reduce((sum, size) => sum + size, 2 * BLOCK_BYTES);
  const archive = new Uint8Array(total);
  let offset = 0;
  for (const [index, entry] of entries.entries()) {
    writeHeader(archive.subarray(offset, offset + BLOCK_BYTES), entry);
    if (entry.kind === "file") archive.set(entry.bytes, offset + BLOCK_BYTES);
    offset += sizes[index] ?? 0;
  }
  return archive;
}

function writeHeader(header: Uint8Array, entry: TarEntry): void {
  const { prefix, name } = splitPath(entry.path);
  const mode = "mode" in entry ? entry.mode : 0o777;
  const size = entry.kind === "file" ? entry.bytes.length : 0;
  putText(header, 0, { text: name, size: 100 });
  putText(header, 100, { text: octal(mode, 7), size: 8 });
  putText(header, 108, { text: octal(0, 7), size: 8 });
  putText(header, 116, { text: octal(0, 7), size: 8 });
  putText(header, 124, { text: octal(size, 11), size: 12 });
  putText(header, 136, { text: octal(0, 11), size: 12 });
  putText(header, 148, { text: " ".repeat(8), size: 8 });
  putText(header, 156, { text: TYPE_FLAGS[entry.kind], size: 1 });
  if ("target" in entry) putText(header, 157, { text: entry.target, size: 100 });
  putText(header, 257, { text: "ustar\0" + "00", size: 8 });
  putText(header, 345, { text: prefix, size: 155 });
  const sum = header.reduce((total, byte) => total + byte, 0);
  putText(header, 148, { text: `${octal(sum, 6)}\0 `, size: 8 });
}

function splitPath(path: string): { readonly prefix: string; readonly name: string } {
  if (new TextEncoder().encode(path).length <= 100) return { prefix: "", name: path };
  const cut = path.indexOf("/", path.length - 101);
  if (cut < 0 || cut > 155) throw new RangeError(`Cannot write "${path}" to a tar: it is too long`);
  return { prefix: path.slice(0, cut), name: path.slice(cut + 1) };
}

function putText(
  header: Uint8Array,
  offset: number,
  { text, size }: { readonly text: string; readonly size: number },
): void {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > size) {
    throw new RangeError(`Cannot write "${text}" to a tar: it has more than ${size} bytes`);
  }
  header.set(bytes, offset);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
}
