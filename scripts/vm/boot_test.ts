import assert from "node:assert/strict";
import { cacheFolder, removeLeftovers } from "./boot.ts";

Deno.test("cacheFolder() is that of the user, and never a relative one", () => {
  assert.equal(cacheFolder({ home: "/h", cacheHome: "/c" }), "/c/spiderpool-deno/vm");
  assert.equal(cacheFolder({ home: "/h", cacheHome: undefined }), "/h/.cache/spiderpool-deno/vm");
  assert.equal(cacheFolder({ home: "/h", cacheHome: "c" }), "/h/.cache/spiderpool-deno/vm");
  assert.throws(() => cacheFolder({ home: undefined, cacheHome: "" }), {
    exitCode: 2,
    message: /set XDG_CACHE_HOME/,
  });
});

Deno.test("removeLeftovers() removes old work in progress, nothing else", async () => {
  const folder = await Deno.makeTempDir({ prefix: "boot_test-" });
  try {
    const old = ["run-0a1b2c3d4e", "packages-0a1b2c3d4e", "image-0a.cpio.1-2"];
    const kept = ["packages", "deno-for-2.9.6", "image-0a.cpio", "accelerator"];
    for (const name of [...old, ...kept]) {
      await Deno.mkdir(`${folder}/${name}`);
      await Deno.utime(`${folder}/${name}`, new Date(0), new Date(0));
    }
    await Deno.mkdir(`${folder}/run-9f8e7d6c5b`);
    await removeLeftovers(folder, { nowMs: Date.now() });
    const names = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assert.deepEqual(names.toSorted(), [...kept, "run-9f8e7d6c5b"].toSorted());
    await removeLeftovers(`${folder}/absent`, { nowMs: 0 });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
