import assert from "node:assert/strict";
import { NAMESPACES } from "../../src/api/kubernetes/node.ts";
import { seededRandom } from "../../src/base/random.ts";
import { ApiClient } from "./api_client.ts";
import { ApiServer } from "./api_server.ts";
import { Dice } from "./dice.ts";
import { Life } from "./life.ts";
import { clockOf, Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";

const { signal } = new AbortController();

Deno.test("a paused program hears of what it missed in order, then of what is new", () => {
  const life = new Life();
  const heard: string[] = [];
  const later: (() => void)[] = [];
  const deliver = (text: string): void => life.deliver(() => void heard.push(text));
  deliver("before");
  life.pause();
  deliver("first");
  deliver("second");
  assert.deepEqual(heard, ["before"]);
  life.resume((run) => later.push(run));
  deliver("third");
  assert.deepEqual(heard, ["before", "first"], "one thing a step");
  while (later.length > 0) later.shift()?.();
  assert.deepEqual(heard, ["before", "first", "second", "third"]);
  assert.equal(life.isPaused, false);
});

Deno.test("a program that dies in a pause hears of nothing", () => {
  const life = new Life();
  const heard: string[] = [];
  life.pause();
  life.deliver(() => void heard.push("missed"));
  life.end();
  life.resume((run) => run());
  life.deliver(() => void heard.push("late"));
  assert.deepEqual(heard, []);
});

Deno.test("a pause holds sleeps and answers back, and not what was asked for", async () => {
  const scheduler = new Scheduler();
  const dice = new Dice(seededRandom(3));
  const server = new ApiServer({ scheduler, trace: new Trace(scheduler), dice });
  const life = new Life();
  const client = new ApiClient(server, { life, name: "a", dice, link: { isCut: false } });
  const ends: string[] = [];
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "x" } };
  client.create(NAMESPACES, namespace, { signal }).then(() => ends.push("created"));
  clockOf(scheduler, { life }).sleep(1_000, { signal }).then(() => ends.push("slept"));
  life.pause();
  await scheduler.runUntil(5_000);
  assert.equal(server.engine.get(NAMESPACES, { key: { name: "x" } }).ok, true);
  assert.deepEqual(ends, []);
  life.resume((run) => scheduler.after(0, run));
  await scheduler.runUntil(5_000);
  assert.deepEqual(ends, ["created", "slept"]);
});
