import assert from "node:assert/strict";
import { elf, words } from "../../tests/support/elf_file.ts";
import { librariesIn } from "./libraries.ts";

const text = new TextEncoder();

/** A program or library that asks for a loader and one library; either may be nothing. */
function asking({ loader, library }: { readonly loader?: string; readonly library?: string }) {
  return elf([
    { name: ".dynstr", bytes: text.encode(`\0${library ?? ""}\0`) },
    {
      name: ".dynamic",
      bytes: library === undefined ? words(0, 0) : words(1, 1, 0, 0),
      link: 1,
    },
    ...loader === undefined ? [] : [{ name: ".interp", bytes: text.encode(`${loader}\0`) }],
  ]);
}

Deno.test("librariesIn() finds what programs and libraries need, in the tree alone", async () => {
  const root = await Deno.makeTempDir({ prefix: "libraries-" });
  try {
    const folder = `${root}/lib/x86_64-linux-gnu`;
    await Deno.mkdir(folder, { recursive: true });
    await Deno.mkdir(`${root}/lib64`);
    const loader = asking({});
    await Deno.writeFile(`${folder}/libx.so.1`, asking({ library: "libc.so.6" }));
    await Deno.writeFile(`${folder}/libc.so.6`, asking({}));
    await Deno.writeFile(`${folder}/ld-x.so.2`, loader);
    // As Debian's package has it: a whole path, which this machine may have as well.
    await Deno.symlink("/lib/x86_64-linux-gnu/ld-x.so.2", `${root}/lib64/ld-x.so.2`);
    const program = asking({ loader: "/lib64/ld-x.so.2", library: "libx.so.1" });
    const found = await librariesIn(root, [program]);
    assert.deepEqual([...found.keys()].sort(), [
      "lib/x86_64-linux-gnu/libc.so.6",
      "lib/x86_64-linux-gnu/libx.so.1",
      "lib64/ld-x.so.2",
    ]);
    assert.deepEqual(found.get("lib64/ld-x.so.2"), loader);
    await assert.rejects(librariesIn(root, [asking({ library: "libz.so.1" })]), {
      message: `Debian's packages hold no "libz.so.1": the rig must learn where it went`,
    });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
