import assert from "node:assert/strict";
import { pruneLogs, rotatedName } from "./log_rotation.ts";

const NOW_MS = Date.UTC(2026, 6, 1, 12, 30, 5, 7);
const DAY_MS = 86_400_000;

function name(ageDays: number): string {
  return rotatedName("a.log", { nowMs: NOW_MS - ageDays * DAY_MS, taken: new Set() });
}

Deno.test("rotatedName() says the time in UTC, before the extension", () => {
  const taken = new Set<string>();
  assert.equal(rotatedName("a.b.log", { nowMs: NOW_MS, taken }), "a.b-2026-07-01T12-30-05.007.log");
  assert.equal(rotatedName("spider", { nowMs: NOW_MS, taken }), "spider-2026-07-01T12-30-05.007");
});

Deno.test("rotatedName() never gives a name that is taken", () => {
  const taken = new Set(["a-2026-07-01T12-30-05.007.log", "a-2026-07-01T12-30-05.008.log"]);
  assert.equal(rotatedName("a.log", { nowMs: NOW_MS, taken }), "a-2026-07-01T12-30-05.009.log");
});

Deno.test("pruneLogs() keeps the newest", () => {
  const names = [3, 1, 2, 4].map(name);
  const pruned = pruneLogs("a.log", {
    names,
    nowMs: NOW_MS,
    settings: { filesMax: 2, daysMax: 0 },
  });
  assert.deepEqual([...pruned].sort(), [name(4), name(3)]);
});

Deno.test("pruneLogs() drops what is older than so many days", () => {
  const names = [1, 2, 29, 30, 30.001, 31].map(name);
  const pruned = pruneLogs("a.log", {
    names,
    nowMs: NOW_MS,
    settings: { filesMax: 0, daysMax: 30 },
  });
  assert.deepEqual([...pruned].sort(), [name(31), name(30.001)].sort());
});

Deno.test("pruneLogs() drops nothing where nothing is bounded", () => {
  const names = [1, 1_000, 10_000].map(name);
  const settings = { filesMax: 0, daysMax: 0 };
  assert.deepEqual(pruneLogs("a.log", { names, nowMs: NOW_MS, settings }), []);
});

Deno.test("pruneLogs() drops compressed ones, and no other files", () => {
  const old = name(400);
  const names = [
    `${old}.gz`,
    "a.log",
    "b.log",
    "a-notes.log",
    "a-2020-01-01.log",
    "a-2020-99-99T99-99-99.999.log",
    "a-2020-01-01T00-00-00.000.txt",
    "ab-2020-01-01T00-00-00.000.log",
    "a-b-2020-01-01T00-00-00.000.log",
  ];
  const settings = { filesMax: 1, daysMax: 1 };
  assert.deepEqual(pruneLogs("a.log", { names, nowMs: NOW_MS, settings }), [`${old}.gz`]);
});
