import assert from "node:assert/strict";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { MemoryFiles } from "../../tests/support/plugin_ports.ts";
import { fileLog, type LogSettings } from "./log_file.ts";

const PATH = "/log/a.log";
const MEGABYTE = 1_048_576;

interface Disk {
  readonly files: MemoryFiles;
  readonly errors: string[];
  readonly clock: ManualClock;
}

function disk(): Disk {
  return { files: new MemoryFiles(), errors: [], clock: new ManualClock() };
}

function logOn({ files, errors, clock }: Disk, settings: Partial<LogSettings> = {}) {
  const file = { level: "info", path: PATH, megabytesMax: 1, daysMax: 0, filesMax: 0 } as const;
  const ports = { files, clock, writeError: (text: string) => errors.push(text) };
  return fileLog({ ...file, ...settings }, { logger: "spiderpool", ports });
}

Deno.test("fileLog() appends lines of JSON to the file", () => {
  const one = disk();
  one.files.put(PATH, { text: '{"old":1}\n' });
  const log = logOn(one).with({ Action: "ADD" });
  log.info("addresses given", { ips: ["10.6.0.1/16"] });
  log.error("x");
  assert.deepEqual(one.files.lines(PATH), [
    { old: 1 },
    {
      time: "2025-01-01T00:00:00.000Z",
      level: "info",
      text: "addresses given",
      logger: "spiderpool",
      Action: "ADD",
      ips: ["10.6.0.1/16"],
    },
    {
      time: "2025-01-01T00:00:00.000Z",
      level: "error",
      text: "x",
      logger: "spiderpool",
      Action: "ADD",
    },
  ]);
});

Deno.test("fileLog() touches no file before there is a line of its level", () => {
  const one = disk();
  const log = logOn(one, { level: "warn" });
  log.info("x");
  assert.deepEqual(one.files.paths, []);
  log.warn("y");
  assert.deepEqual(one.files.paths, [PATH]);
});

Deno.test("fileLog() says the first problem on standard error, once, and never throws", () => {
  const one = disk();
  one.files.failing.set("append", new Deno.errors.FilesystemLoop("No space left on device"));
  const log = logOn(one);
  log.info("x");
  one.files.failing.clear();
  log.info("y");
  assert.deepEqual(one.errors, [`Cannot write the log "${PATH}": No space left on device\n`]);
  assert.equal(one.files.text(PATH), "");
});

Deno.test("fileLog() does not open a pipe or a device", () => {
  const one = disk();
  one.files.devices.add(PATH);
  one.files.onOpen = () => assert.fail("opened");
  logOn(one).info("x");
  assert.deepEqual(one.errors, [`Cannot write the log "${PATH}": it is no regular file\n`]);
});

Deno.test("a full log is renamed, and a new one begun", () => {
  const one = disk();
  one.files.put(PATH, { text: "old\n", bytes: MEGABYTE });
  logOn(one).info("x");
  assert.deepEqual(one.files.paths, ["/log/a-2025-01-01T00-00-00.000.log", PATH]);
  assert.equal(one.files.text("/log/a-2025-01-01T00-00-00.000.log"), "old\n");
  assert.equal(one.files.lines(PATH).length, 1);
});

Deno.test("a log that is not full is kept", () => {
  const one = disk();
  one.files.put(PATH, { text: "", bytes: MEGABYTE - 1 });
  logOn(one).info("x");
  assert.deepEqual(one.files.paths, [PATH]);
});

Deno.test("surplus and old logs go when one is rotated", () => {
  const one = disk();
  one.files.put(PATH, { bytes: MEGABYTE });
  one.files.put("/log/a-2024-12-31T00-00-00.000.log");
  one.files.put("/log/a-2024-12-30T00-00-00.000.log");
  one.files.put("/log/a-2024-01-01T00-00-00.000.log");
  one.files.put("/log/b-2024-01-01T00-00-00.000.log");
  logOn(one, { filesMax: 3, daysMax: 300 }).info("x");
  assert.deepEqual(one.files.paths, [
    "/log/a-2024-12-30T00-00-00.000.log",
    "/log/a-2024-12-31T00-00-00.000.log",
    "/log/a-2025-01-01T00-00-00.000.log",
    PATH,
    "/log/b-2024-01-01T00-00-00.000.log",
  ]);
});

Deno.test("two that find the same log full rotate it once", () => {
  const one = disk();
  one.files.put(PATH, { text: "old\n", bytes: MEGABYTE });
  let isFirst = true;
  one.files.onOpen = () => {
    if (!isFirst) return;
    isFirst = false;
    logOn(one).info("other"); // It rotates between our open and our lock.
  };
  logOn(one).info("ours");
  assert.deepEqual(one.files.paths, ["/log/a-2025-01-01T00-00-00.000.log", PATH]);
  assert.equal(one.files.text("/log/a-2025-01-01T00-00-00.000.log"), "old\n");
  assert.deepEqual(one.files.lines(PATH).map(({ text }) => text), ["other", "ours"]);
});

Deno.test("who does not get the lock writes on, and rotates nothing", () => {
  const one = disk();
  one.files.put(PATH, { bytes: MEGABYTE });
  using other = one.files.openAppend(PATH);
  assert.ok(other.tryLock());
  logOn(one).info("x");
  assert.deepEqual(one.files.paths, [PATH]);
  assert.equal(one.files.lines(PATH).length, 1);
});

for (const step of ["rename", "list"] as const) {
  Deno.test(`a log that cannot be rotated (${step}) is written on`, () => {
    const one = disk();
    one.files.put(PATH, { bytes: MEGABYTE });
    one.files.failing.set(step, new Deno.errors.PermissionDenied("Permission denied"));
    const log = logOn(one);
    log.info("x");
    log.info("y");
    assert.deepEqual(one.errors, [`Cannot rotate the log "${PATH}": Permission denied\n`]);
    assert.equal(one.files.lines(PATH).length, 2);
  });
}

Deno.test("two rotations in one millisecond have two names", () => {
  const one = disk();
  for (let count = 0; count < 2; count++) {
    one.files.put(PATH, { bytes: MEGABYTE });
    logOn(one).info("x");
  }
  assert.deepEqual(one.files.paths, [
    "/log/a-2025-01-01T00-00-00.000.log",
    "/log/a-2025-01-01T00-00-00.001.log",
    PATH,
  ]);
});

Deno.test("a log in the root or without a folder is rotated beside itself", () => {
  for (const path of ["/log", "log"]) {
    const one = disk();
    one.files.put(path, { bytes: MEGABYTE });
    one.files.list = () => [];
    logOn(one, { path }).info("x");
    assert.deepEqual(one.errors, []);
    const old = `${path === "log" ? "./" : "/"}log-2025-01-01T00-00-00.000`;
    assert.deepEqual(one.files.paths, [path, old].sort());
  }
});

Deno.test("a log that becomes full is rotated before its next line", () => {
  const one = disk();
  const log = logOn(one);
  log.info("x".repeat(MEGABYTE));
  log.info("y");
  assert.equal(one.files.paths.length, 2);
  assert.deepEqual(one.files.lines(PATH).map(({ text }) => text), ["y"]);
});

Deno.test("who has a log open that another has rotated goes over to the new one", () => {
  const one = disk();
  const log = logOn(one);
  log.info("x".repeat(MEGABYTE));
  logOn(one).info("other");
  log.info("y");
  assert.equal(one.files.paths.length, 2);
  assert.deepEqual(one.files.lines(PATH).map(({ text }) => text), ["other", "y"]);
});
