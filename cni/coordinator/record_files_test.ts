import assert from "node:assert/strict";
import { MemoryRecordFiles } from "../../tests/support/coordinator_world.ts";
import { type RecordFiles, recordFiles } from "./record_files.ts";

/** What records rely on, of the fake and of the machine's file system alike. */
const PROMISES: readonly (readonly [string, (files: RecordFiles, folder: string) => void])[] = [
  ["what is not there is not read, and can be removed", (files, folder) => {
    assert.equal(files.read(`${folder}a`), undefined);
    files.remove(`${folder}a`);
    assert.deepEqual(files.list(folder), []);
  }],
  ["a file is replaced as a whole", (files, folder) => {
    files.write({ path: `${folder}a`, text: "a long text\n" });
    files.write({ path: `${folder}a`, text: "ä\n" });
    assert.equal(files.read(`${folder}a`), "ä\n");
    assert.deepEqual(files.list(folder), ["a"]);
    files.remove(`${folder}a`);
    assert.equal(files.read(`${folder}a`), undefined);
  }],
  ["a lock is one's until it is given back", (files, folder) => {
    {
      using lock = files.tryLock(`${folder}lock`);
      assert.ok(lock !== undefined);
      assert.equal(files.tryLock(`${folder}lock`), undefined);
    }
    using again = files.tryLock(`${folder}lock`);
    assert.ok(again !== undefined);
  }],
];

for (const [promise, keep] of PROMISES) {
  Deno.test(`records in memory: ${promise}`, () => keep(new MemoryRecordFiles(), "/records/"));

  Deno.test(`records on the machine: ${promise}`, () => {
    const folder = Deno.makeTempDirSync({ prefix: "records-" });
    try {
      keep(recordFiles(Deno), `${folder}/of/a/node/`);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

Deno.test("records on the machine: what a killed writer left is in nobody's way", () => {
  const folder = Deno.makeTempDirSync({ prefix: "records-" });
  try {
    const files = recordFiles(Deno);
    Deno.writeTextFileSync(`${folder}/.a.new`, "half of a very long te");
    files.write({ path: `${folder}/a`, text: "text\n" });
    assert.equal(files.read(`${folder}/a`), "text\n");
    assert.deepEqual(files.list(`${folder}/`), ["a"]);
    Deno.writeTextFileSync(`${folder}/.a.new`, "half of a very long te");
    files.remove(`${folder}/a`);
    assert.deepEqual(files.list(`${folder}/`), [], "it goes with its record");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
