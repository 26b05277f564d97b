/** ELF files of a few sections, for what reads such files. */

/** Builds an ELF file of the sections given, behind the empty one that every file starts with. */
export function elf(
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

/** 64-bit words as bytes: entries of a dynamic section are two each. */
export function words(...numbers: readonly number[]): Uint8Array {
  return new Uint8Array(new BigUint64Array(numbers.map(BigInt)).buffer);
}
