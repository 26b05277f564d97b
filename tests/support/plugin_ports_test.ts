import assert from "node:assert/strict";
import type { LogFiles } from "../../src/cni/log_file.ts";
import { systemFiles } from "../../src/cni/system_files.ts";
import { ScriptedConnection } from "./agent_connection.ts";
import { MemoryFiles } from "./plugin_ports.ts";

/** What a log relies on, of the fake and of the machine's file system alike. */
const PROMISES: readonly (readonly [string, (files: LogFiles, folder: string) => void])[] = [
  ["nothing is at a path before it is opened", (files, folder) => {
    assert.equal(files.at(`${folder}a`), undefined);
    using file = files.openAppend(`${folder}a`);
    const { inode, bytes } = file.status();
    assert.deepEqual(files.at(`${folder}a`), { inode, isFile: true });
    assert.equal(bytes, 0);
  }],
  ["each of two writers appends at the end", (files, folder) => {
    using one = files.openAppend(`${folder}a`);
    using other = files.openAppend(`${folder}a`);
    one.append("x\n");
    other.append("ä\n");
    assert.equal(one.status().bytes, 5);
    assert.deepEqual(one.status(), other.status());
  }],
  ["a renamed file is still written to by who has it open", (files, folder) => {
    using old = files.openAppend(`${folder}a`);
    files.rename(`${folder}a`, `${folder}b`);
    assert.equal(files.at(`${folder}a`), undefined);
    old.append("x");
    assert.equal(files.at(`${folder}b`)?.inode, old.status().inode);
    using young = files.openAppend(`${folder}a`);
    assert.notEqual(young.status().inode, old.status().inode);
    assert.deepEqual([...files.list(folder)].sort(), ["a", "b"]);
  }],
  ["a lock is one writer's until he closes, and goes with the file", (files, folder) => {
    using one = files.openAppend(`${folder}a`);
    {
      using other = files.openAppend(`${folder}a`);
      assert.equal(other.tryLock(), true);
      files.rename(`${folder}a`, `${folder}b`);
      assert.equal(one.tryLock(), false);
      using young = files.openAppend(`${folder}a`);
      assert.equal(young.tryLock(), true);
    }
    assert.equal(one.tryLock(), true);
  }],
  ["what is not there can be removed", (files, folder) => {
    files.openAppend(`${folder}a`)[Symbol.dispose]();
    files.remove(`${folder}a`);
    files.remove(`${folder}a`);
    assert.deepEqual(files.list(folder), []);
  }],
];

for (const [promise, keep] of PROMISES) {
  Deno.test(`files in memory: ${promise}`, () => keep(new MemoryFiles(), "/log/"));

  Deno.test(`files of the machine: ${promise}`, () => {
    const folder = Deno.makeTempDirSync({ prefix: "files-" });
    try {
      keep(systemFiles(Deno), `${folder}/`);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

Deno.test("files of the machine: folders that are missing are made", () => {
  const folder = Deno.makeTempDirSync({ prefix: "files-" });
  try {
    systemFiles(Deno).openAppend(`${folder}/b/c/a.log`)[Symbol.dispose]();
    const mode = (path: string) => (Deno.statSync(path).mode ?? 0) & 0o777;
    assert.deepEqual([mode(`${folder}/b/c`), mode(`${folder}/b/c/a.log`)], [0o755, 0o600]);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("a scripted connection gives its pieces in order, and then its end", async () => {
  const connection = new ScriptedConnection(["abc", new Error("broken")]);
  const into = new Uint8Array(2);
  assert.equal(await connection.read(into), 2);
  assert.equal(await connection.read(into), 1);
  await assert.rejects(connection.read(into), { message: "broken" });
  assert.equal(await connection.read(into), null);
});

Deno.test("a scripted connection that hangs ends when it is closed", async () => {
  const connection = new ScriptedConnection(["hang"]);
  const reading = connection.read(new Uint8Array(1));
  connection[Symbol.dispose]();
  await assert.rejects(reading, Deno.errors.Interrupted);
  await assert.rejects(connection.read(new Uint8Array(1)), Deno.errors.Interrupted);
});
