import assert from "node:assert/strict";
import {
  HTTP_AHEAD_BYTES_MAX,
  HTTP_BODY_BYTES_MAX,
  HTTP_IDLE_MS,
  HTTP_LINGER_BYTES_MAX,
  HTTP_LINGER_MS,
  HTTP_READ_BYTES,
  HTTP_REPLY_MS,
  HTTP_REQUEST_MS,
} from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import { SILENT_LOG } from "../../base/log.ts";
import { MemoryStream } from "../../../tests/support/byte_streams.ts";
import { HttpClient } from "../../../tests/support/http_client.ts";
import { ManualClock, settle } from "../../../tests/support/manual_clock.ts";
import { HttpConnection, type HttpHandler, RequestAborted } from "./connection.ts";
import type { HttpReply } from "./reply.ts";
import type { HttpRequest } from "./request_parser.ts";

const GET = "GET /a HTTP/1.1\r\n\r\n";

interface Served {
  readonly client: HttpClient;
  readonly clock: ManualClock;
  readonly connection: HttpConnection;
  readonly ended: Promise<void>;
  /** The server's side. */
  readonly stream: MemoryStream;
  readonly hasEnded: () => boolean;
}

function serve(handler: HttpHandler, { log = SILENT_LOG }: { readonly log?: Log } = {}): Served {
  const [mine, stream] = MemoryStream.pair();
  const clock = new ManualClock();
  const connection = new HttpConnection(stream, { clock, log, handler });
  let isOver = false;
  const ended = connection.run().then(() => {
    isOver = true;
    assert.equal(stream.isClosed, true, "a connection that ended is closed");
    assert.equal(clock.sleeperCount, 0, "a connection that ended leaves no timer");
  });
  const client = new HttpClient(mine);
  return { client, clock, connection, ended, stream, hasEnded: () => isOver };
}

function echo({ method, path, body }: HttpRequest): Promise<HttpReply> {
  const text = new TextDecoder().decode(body);
  return Promise.resolve({ status: 200, json: `${method} ${path} ${text}` });
}

/** A handler whose requests a test ends one by one. */
function heldHandler(): {
  readonly handler: HttpHandler;
  readonly asked: { readonly path: string; readonly signal: AbortSignal; end: () => void }[];
} {
  const asked: { readonly path: string; readonly signal: AbortSignal; end: () => void }[] = [];
  const handler: HttpHandler = ({ path }, { signal }) =>
    new Promise((resolve, reject) => {
      asked.push({ path, signal, end: () => resolve({ status: 200, json: path }) });
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  return { handler, asked };
}

Deno.test("a connection carries one request after another", async () => {
  const { client, ended } = serve(echo);
  const first = await client.ask("GET", "/a", { json: { x: 1 } });
  assert.equal(first.status, 200);
  assert.equal(first.body, '"GET /a {\\"x\\":1}"\n');
  assert.equal(first.headers.get("content-type"), "application/json");
  assert.equal(first.headers.get("date"), "Wed, 01 Jan 2025 00:00:00 GMT");
  assert.equal(first.headers.has("connection"), false);
  assert.equal((await client.ask("DELETE", "/b")).body, '"DELETE /b "\n');
  client.close();
  await ended;
});

Deno.test("a connection ends after its request when the asker says so", async () => {
  const { client, ended } = serve(echo);
  const { headers } = await client.ask("GET", "/a", { headers: "Connection: close\r\n" });
  assert.equal(headers.get("connection"), "close");
  assert.equal(await client.end(), "");
  await ended;
});

Deno.test("a reply without a body says so, and HEAD gets no body", async () => {
  const { client, ended } = serve(({ path }) =>
    Promise.resolve(path === "/empty" ? { status: 200 } : { status: 200, json: "äöü" })
  );
  const empty = await client.ask("GET", "/empty");
  assert.equal(empty.headers.get("content-length"), "0");
  assert.equal(empty.headers.has("content-type"), false);
  const head = await client.ask("HEAD", "/");
  assert.equal(head.headers.get("content-length"), "9");
  assert.equal((await client.ask("GET", "/")).body, '"äöü"\n');
  client.close();
  await ended;
});

Deno.test("pipelined requests are worked on one by one and answered in order", async () => {
  const { handler, asked } = heldHandler();
  const { client, ended } = serve(handler);
  await client.send("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
  const replies: string[] = [];
  for (let index = 0; index < 3; index++) {
    await settle();
    assert.equal(asked.length, index + 1);
    asked[index]?.end();
    replies.push((await client.reply()).body);
  }
  assert.deepEqual(replies, ['"/a"\n', '"/b"\n', '"/c"\n']);
  client.close();
  await ended;
});

Deno.test("what is sent ahead is taken in up to a bound, and read on later", async () => {
  const { handler, asked } = heldHandler();
  const { client, ended, stream } = serve(handler);
  await client.send(GET);
  const flood = 4_000;
  const sending = client.send(GET.repeat(flood));
  await settle();
  assert.ok(GET.length * flood > HTTP_AHEAD_BYTES_MAX + HTTP_READ_BYTES);
  assert.ok(stream.bytesRead <= HTTP_AHEAD_BYTES_MAX + HTTP_READ_BYTES, String(stream.bytesRead));
  for (let index = 0; index <= flood; index++) {
    asked[index]?.end();
    await client.reply();
  }
  await sending;
  client.close();
  await ended;
});

Deno.test("a body is asked for when its sender waits for that", async () => {
  const { client, ended } = serve(echo);
  await client.send("POST /a HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  assert.equal((await client.reply()).status, 100);
  await client.send("abc");
  assert.equal((await client.reply()).body, '"POST /a abc"\n');
  client.close();
  await ended;
});

Deno.test("an asker that goes aborts the work for it", async () => {
  const { handler, asked } = heldHandler();
  const { client, ended } = serve(handler);
  await client.send(GET);
  await settle();
  assert.equal(asked[0]?.signal.aborted, false);
  client.close();
  await ended;
  assert.ok(asked[0]?.signal.reason instanceof RequestAborted);
});

Deno.test("an asker that closes its half is told that its work was aborted", async () => {
  const { handler, asked } = heldHandler();
  const { client, ended } = serve(handler);
  await client.send(GET);
  await client.closeWrite();
  const { status, body } = await client.reply();
  assert.equal(status, 400);
  assert.deepEqual(JSON.parse(body), {
    code: 400,
    message: "Gave up on GET /a: the asker closed its side of the connection before the answer: " +
      "keep it open until then",
  });
  assert.equal(asked[0]?.signal.aborted, true);
  await ended;
});

Deno.test("an asker that closes its half gets what is answered at once", async () => {
  const { client, ended } = serve(echo);
  await client.send(GET);
  await client.closeWrite();
  const { status, headers } = await client.reply();
  assert.equal(status, 200);
  assert.equal(headers.get("connection"), "close");
  await ended;
});

Deno.test("a request that ends half-way is refused", async () => {
  const { client, ended } = serve(echo);
  await client.send("GET /a HT");
  await client.closeWrite();
  const { status, body } = await client.reply();
  assert.equal(status, 400);
  assert.match(body, /Cannot read the request: the connection ended within it/);
  await ended;
  const idle = serve(echo);
  await idle.client.closeWrite();
  assert.equal(await idle.client.end(), "");
  await idle.ended;
});

Deno.test("a connection without a request ends with a word, after its time", async () => {
  const { client, ended, clock, hasEnded } = serve(echo);
  await clock.advance(HTTP_IDLE_MS - 1);
  assert.equal(hasEnded(), false);
  await clock.advance(1);
  const { status, body } = await client.reply();
  assert.equal(status, 408);
  assert.match(body, /no request came within 60000 ms/);
  assert.equal(await client.end(), "");
  await ended;
});

Deno.test("a connection that was used ends without a word", async () => {
  const { client, ended, clock } = serve(echo);
  await client.ask("GET", "/a");
  await clock.advance(HTTP_IDLE_MS);
  assert.equal(await client.end(), "");
  await ended;
});

Deno.test("empty lines do not keep a connection open", async () => {
  const { client, ended, clock } = serve(echo);
  for (let sent = 0; sent < 3; sent++) {
    await client.send("\r\n");
    await clock.advance(HTTP_IDLE_MS / 3);
  }
  assert.equal((await client.reply()).status, 408);
  await ended;
});

Deno.test("a slow request is refused after its time, however steadily it comes", async () => {
  for (const text of ["GET /a HTTP/1.1\r\nA: ", "POST / HTTP/1.1\r\nContent-Length: 99\r\n\r\n"]) {
    const { client, ended, clock, hasEnded } = serve(echo);
    await client.send(text);
    for (let sent = 0; sent < 10; sent++) {
      assert.equal(hasEnded(), false);
      await clock.advance(HTTP_REQUEST_MS / 10);
      if (sent < 9) await client.send("x");
    }
    const { status, body } = await client.reply();
    assert.equal(status, 408);
    assert.match(body, /did not come whole within 30000 ms/);
    await ended;
  }
});

Deno.test("a request may take its time to be answered", async () => {
  const { handler, asked } = heldHandler();
  const { client, ended, clock } = serve(handler);
  await client.send(GET);
  await clock.advance(10 * (HTTP_IDLE_MS + HTTP_REQUEST_MS));
  asked[0]?.end();
  assert.equal((await client.reply()).status, 200);
  client.close();
  await ended;
});

Deno.test("a peer that does not take its reply is cut off", async () => {
  const { client, ended, clock, hasEnded } = serve(() =>
    Promise.resolve({ status: 200, json: "x".repeat(100_000) })
  );
  await client.send(GET);
  await clock.advance(HTTP_REPLY_MS - 1);
  assert.equal(hasEnded(), false);
  await clock.advance(1);
  await ended;
});

Deno.test("a body of 10 MB is refused without being read", async () => {
  const { client, ended, stream } = serve(echo);
  const size = 10 * 1_048_576;
  await client.send(`POST /v1/ipam/ip HTTP/1.1\r\nContent-Length: ${size}\r\n\r\n`);
  const sending = client.send("x".repeat(size));
  const { status, body, headers } = await client.reply();
  assert.equal(status, 413);
  assert.equal(headers.get("connection"), "close");
  assert.deepEqual(JSON.parse(body), {
    code: 413,
    message: `Cannot take a body of ${size} bytes: send at most ${HTTP_BODY_BYTES_MAX}`,
  });
  await assert.rejects(sending, Deno.errors.BrokenPipe);
  await ended;
  assert.ok(stream.bytesRead <= HTTP_LINGER_BYTES_MAX + 2 * HTTP_READ_BYTES);
});

Deno.test("a refused peer that sends nothing more is waited for only a moment", async () => {
  const { client, ended, clock, hasEnded } = serve(echo);
  await client.send("nonsense\r\n\r\n");
  assert.equal((await client.reply()).status, 400);
  assert.equal(await client.end(), "", "the peer sees the end at once");
  assert.equal(hasEnded(), false);
  await clock.advance(HTTP_LINGER_MS);
  await ended;
});

Deno.test("stop() ends an idle connection at once and a busy one after its reply", async () => {
  const idle = serve(echo);
  await settle();
  idle.connection.stop();
  assert.equal(await idle.client.end(), "");
  await idle.ended;
  const { handler, asked } = heldHandler();
  const busy = serve(handler);
  await busy.client.send(GET + GET);
  await settle();
  busy.connection.stop();
  await settle();
  assert.equal(busy.hasEnded(), false);
  asked[0]?.end();
  const { status, headers } = await busy.client.reply();
  assert.deepEqual([status, headers.get("connection")], [200, "close"]);
  assert.equal(await busy.client.end(), "");
  await busy.ended;
  assert.equal(asked.length, 1);
});

Deno.test("stop() lets a request come whole that has begun", async () => {
  const { client, ended, connection } = serve(echo);
  await client.send("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\na");
  await settle();
  connection.stop();
  await settle();
  await client.send("bc");
  assert.equal((await client.reply()).body, '"POST /a abc"\n');
  await ended;
});

Deno.test("abort() gives up a request, and says why", async () => {
  const { handler, asked } = heldHandler();
  const { client, ended, connection } = serve(handler);
  await client.send(GET);
  await settle();
  connection.abort();
  const { status, body } = await client.reply();
  assert.equal(status, 503);
  assert.match(body, /Gave up on GET \/a: the program stops: ask again when it is back/);
  assert.equal(asked[0]?.signal.aborted, true);
  await ended;
  const half = serve(handler);
  await half.client.send("GET /a");
  await settle();
  half.connection.abort();
  assert.match((await half.client.reply()).body, /Gave up on the request: the program stops/);
  await half.ended;
});

Deno.test("work that fails otherwise when it is aborted is logged", async () => {
  const logged: string[] = [];
  const log = { ...SILENT_LOG, warn: (text: string) => logged.push(text) };
  const { client, ended } = serve((_request, { signal }) =>
    new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(new Error("broken")), { once: true });
    }), { log });
  await client.send(GET);
  await client.closeWrite();
  assert.match((await client.reply()).body, /Gave up on GET \/a: the asker closed its side/);
  assert.deepEqual(logged, ["work that was aborted failed"]);
  await ended;
});

Deno.test("cut() ends even a connection whose handler does not", async () => {
  const deaf = Promise.withResolvers<HttpReply>();
  const { client, ended, connection } = serve(() => deaf.promise);
  await client.send(GET);
  await settle();
  connection.abort();
  connection.cut();
  assert.equal(await client.end(), "");
  deaf.resolve({ status: 200 });
  await ended;
});

Deno.test("a bug of a handler is logged, answered with 500, and ends nothing", async () => {
  const logged: unknown[] = [];
  const log = {
    ...SILENT_LOG,
    error: (text: string, fields: unknown) => logged.push(text, fields),
  };
  const bug = new Error("broken");
  const { client, ended } = serve(({ path }) => {
    if (path === "/bug") throw bug;
    return Promise.resolve({ status: 200 });
  }, { log });
  const { status, body } = await client.ask("GET", "/bug");
  assert.equal(status, 500);
  assert.equal(JSON.parse(body), "Cannot answer GET /bug: the program has a bug: see its log");
  assert.deepEqual(logged, ["a request met a bug", { what: "GET /bug", error: bug }]);
  assert.equal((await client.ask("GET", "/")).status, 200);
  client.close();
  await ended;
});
