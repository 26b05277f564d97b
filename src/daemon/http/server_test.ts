import assert from "node:assert/strict";
import {
  HTTP_ACCEPT_RETRY_MS,
  HTTP_STOP_SETTLE_MS,
  STOP_ABORT_MS,
  STOP_GRACE_MS,
} from "../../base/limits.ts";
import { SILENT_LOG } from "../../base/log.ts";
import { MemoryListener } from "../../../tests/support/byte_streams.ts";
import { HttpClient } from "../../../tests/support/http_client.ts";
import { ManualClock, settle } from "../../../tests/support/manual_clock.ts";
import type { HttpHandler } from "./connection.ts";
import type { HttpReply } from "./reply.ts";
import { HttpServer } from "./server.ts";

const GET = "GET /a HTTP/1.1\r\n\r\n";

interface Running {
  readonly clock: ManualClock;
  readonly listener: MemoryListener;
  readonly server: HttpServer;
  readonly running: Promise<void>;
  readonly logged: string[];
  readonly connect: () => HttpClient;
}

function start(handler: HttpHandler, { connectionsMax = 3 } = {}): Running {
  const clock = new ManualClock();
  const listener = new MemoryListener();
  const logged: string[] = [];
  const note = (text: string): number => logged.push(text);
  const log = { ...SILENT_LOG, warn: note, error: note };
  const server = new HttpServer(listener, { clock, log, handler, connectionsMax });
  const running = server.run();
  const connect = (): HttpClient => new HttpClient(listener.connect());
  return { clock, listener, server, running, logged, connect };
}

/** Stops a server whose requests end at once. */
async function stop({ server, clock, running }: Running): Promise<void> {
  const stopping = server.stop();
  await clock.advance(HTTP_STOP_SETTLE_MS);
  await stopping;
  await running;
  assert.equal(server.connectionCount, 0);
  assert.equal(clock.sleeperCount, 0);
}

function answerAtOnce(): Promise<HttpReply> {
  return Promise.resolve({ status: 200 });
}

/** A handler that answers when its request's turn comes, and gives up when it is told to. */
function heldHandler(): { readonly handler: HttpHandler; readonly ends: (() => void)[] } {
  const ends: (() => void)[] = [];
  const handler: HttpHandler = (_request, { signal }) =>
    new Promise((resolve, reject) => {
      ends.push(() => resolve({ status: 200 }));
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  return { handler, ends };
}

Deno.test("a server serves connections side by side", async () => {
  const { handler, ends } = heldHandler();
  const running = start(handler);
  const clients = [running.connect(), running.connect()];
  for (const client of clients) await client.send(GET);
  await settle();
  assert.equal(ends.length, 2);
  ends[1]?.();
  assert.equal((await clients[1]?.reply())?.status, 200);
  ends[0]?.();
  assert.equal((await clients[0]?.reply())?.status, 200);
  await stop(running);
});

Deno.test("a new connection takes the place of the one that has been idle longest", async () => {
  const running = start(answerAtOnce, { connectionsMax: 3 });
  const { clock, connect, server } = running;
  const first = connect();
  await clock.advance(10);
  const second = connect();
  const third = connect();
  await clock.advance(10);
  await first.ask("GET", "/"); // Now the second one has been idle longest.
  await third.send("GET /half");
  const late = connect();
  assert.equal((await late.ask("GET", "/")).status, 200);
  const { status, body } = await second.reply();
  assert.equal(status, 503);
  assert.match(body, /Cannot keep the connection: 4 are open, and others ask: connect again/);
  assert.equal(await second.end(), "");
  assert.equal(server.connectionCount, 3);
  await third.send(" HTTP/1.1\r\n\r\n");
  assert.equal((await third.reply()).status, 200);
  assert.equal((await first.ask("GET", "/")).status, 200);
  await stop(running);
});

Deno.test("a request that is on its way gives way when no connection is idle", async () => {
  const { handler, ends } = heldHandler();
  const running = start(handler, { connectionsMax: 2 });
  const slow = running.connect();
  await slow.send("GET /slow");
  const busy = running.connect();
  await busy.send(GET);
  await settle();
  const late = running.connect();
  await late.send(GET);
  assert.equal((await slow.reply()).status, 503);
  await settle();
  for (const end of ends) end();
  assert.equal((await busy.reply()).status, 200);
  assert.equal((await late.reply()).status, 200);
  await stop(running);
});

Deno.test("when every connection is worked on, a new one is refused with a sentence", async () => {
  const { handler, ends } = heldHandler();
  const running = start(handler, { connectionsMax: 2 });
  const busy = [running.connect(), running.connect()];
  for (const client of busy) await client.send(GET);
  await settle();
  const refused = running.connect();
  const { status, body } = await refused.reply();
  assert.equal(status, 503);
  assert.match(body, /Cannot take the connection: 2 requests are worked on: ask later/);
  assert.equal(await refused.end(), "");
  for (const end of ends) end();
  for (const client of busy) assert.equal((await client.reply()).status, 200);
  await stop(running);
});

Deno.test("1,000 idle connections leave room for requests", async () => {
  const running = start(answerAtOnce, { connectionsMax: 100 });
  const idle = Array.from({ length: 1_000 }, () => running.connect());
  const client = running.connect();
  assert.equal((await client.ask("GET", "/")).status, 200);
  assert.equal(running.server.connectionCount, 100);
  const replies = await Promise.all(idle.slice(0, 901).map((one) => one.reply()));
  assert.deepEqual(new Set(replies.map(({ status }) => status)), new Set([503]));
  await stop(running);
});

Deno.test("a listener that fails for a while is asked again", async () => {
  const running = start(answerAtOnce);
  running.listener.fail(new Error("Too many open files (os error 24)"));
  await settle();
  const client = running.connect();
  await client.send(GET);
  await settle();
  assert.equal(running.server.connectionCount, 0);
  await running.clock.advance(HTTP_ACCEPT_RETRY_MS);
  assert.equal((await client.reply()).status, 200);
  assert.deepEqual(running.logged, ["cannot accept a connection"]);
  await stop(running);
});

Deno.test("a server ends with an error when its listener is closed behind its back", async () => {
  const running = start(answerAtOnce);
  running.listener.close();
  await assert.rejects(running.running, Deno.errors.BadResource);
});

Deno.test("stop() takes what was sent before, lets requests end, and takes no more", async () => {
  const { handler, ends } = heldHandler();
  const running = start(handler);
  const before = running.connect();
  await before.send(GET);
  const stopping = running.server.stop();
  const meanwhile = running.connect();
  await meanwhile.send(GET);
  await running.clock.advance(HTTP_STOP_SETTLE_MS);
  assert.equal(running.listener.isClosed, true);
  assert.equal(ends.length, 2);
  await running.clock.advance(STOP_GRACE_MS - 1);
  for (const end of ends) end();
  for (const client of [before, meanwhile]) {
    const { status, headers } = await client.reply();
    assert.deepEqual([status, headers.get("connection")], [200, "close"]);
    assert.equal(await client.end(), "");
  }
  await stopping;
  await running.running;
  assert.equal(running.clock.sleeperCount, 0);
});

Deno.test("stop() aborts what takes longer than its grace, and says so", async () => {
  const { handler } = heldHandler();
  const running = start(handler);
  const client = running.connect();
  await client.send(GET);
  const stopping = running.server.stop();
  await running.clock.advance(HTTP_STOP_SETTLE_MS + STOP_GRACE_MS);
  const { status, body } = await client.reply();
  assert.equal(status, 503);
  assert.match(body, /the program stops: ask again when it is back/);
  await stopping;
  await running.running;
  assert.deepEqual(running.logged, ["requests in flight do not end in time"]);
});

Deno.test("stop() cuts off what ignores even that", async () => {
  const deaf = Promise.withResolvers<HttpReply>();
  const running = start(() => deaf.promise);
  const client = running.connect();
  await client.send(GET);
  const stopping = running.server.stop();
  await running.clock.advance(HTTP_STOP_SETTLE_MS + STOP_GRACE_MS + STOP_ABORT_MS);
  await stopping;
  assert.equal(await client.end(), "");
  await running.running;
  deaf.resolve({ status: 200 });
});
