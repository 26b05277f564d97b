/**
 * The little of ELF that tells what a program needs: 64-bit little-endian files, by their sections.
 *
 * @source System V ABI, chapters 4 and 5; `elf.h`
 */

const SECTION = { headerOffset: 40, entryBytes: 58, count: 60, nameTable: 62 } as const;
const DT_NEEDED = 1n;
const DYNAMIC_ENTRY_BYTES = 16;

interface Section {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Index of the section that belongs to it: the strings of a dynamic section. */
  readonly link: number;
}

/**
 * Gives the bytes of a section, `undefined` if the file has none of that name.
 *
 * @throws {Error} If the file is no 64-bit little-endian ELF file.
 */
export function sectionOf(file: Uint8Array, name: string): Uint8Array | undefined {
  return sectionsOf(file).find((section) => section.name === name)?.bytes;
}

/** Names of the shared libraries that a program or library asks for: `libc.so.6`. */
export function neededLibraries(file: Uint8Array): string[] {
  const sections = sectionsOf(file);
  const dynamic = sections.find(({ name }) => name === ".dynamic");
  const strings = sections[dynamic?.link ?? -1]?.bytes;
  if (dynamic === undefined || strings === undefined) return []; // Linked statically.
  const view = viewOf(dynamic.bytes);
  const names: string[] = [];
  for (let at = 0; at + DYNAMIC_ENTRY_BYTES <= view.byteLength; at += DYNAMIC_ENTRY_BYTES) {
    if (view.getBigUint64(at, true) !== DT_NEEDED) continue;
    names.push(textAt(strings, Number(view.getBigUint64(at + 8, true))));
  }
  return names;
}

/** Path of the loader that starts a program, as it stands in the file; `undefined` without one. */
export function interpreterOf(file: Uint8Array): string | undefined {
  const section = sectionOf(file, ".interp");
  return section === undefined ? undefined : textAt(section, 0);
}

function sectionsOf(file: Uint8Array): Section[] {
  const view = viewOf(file);
  const isElf = file.length > 64 && view.getUint32(0) === 0x7f454c46;
  if (!isElf || file[4] !== 2 || file[5] !== 1) {
    throw new Error("Not a 64-bit little-endian ELF file");
  }
  const start = Number(view.getBigUint64(SECTION.headerOffset, true));
  const size = view.getUint16(SECTION.entryBytes, true);
  const count = view.getUint16(SECTION.count, true);
  const headers = Array.from({ length: count }, (_, index) => {
    const at = start + index * size;
    const from = Number(view.getBigUint64(at + 24, true));
    return {
      nameAt: view.getUint32(at, true),
      link: view.getUint32(at + 40, true),
      bytes: file.subarray(from, from + Number(view.getBigUint64(at + 32, true))),
    };
  });
  const names = headers[view.getUint16(SECTION.nameTable, true)]?.bytes ?? new Uint8Array(0);
  return headers.map(({ nameAt, link, bytes }) => ({ name: textAt(names, nameAt), link, bytes }));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The text from an offset up to its zero byte. */
function textAt(bytes: Uint8Array, from: number): string {
  const end = bytes.indexOf(0, from);
  return new TextDecoder().decode(bytes.subarray(from, end < 0 ? bytes.length : end));
}
