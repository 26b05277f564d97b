import assert from "node:assert/strict";
import { PROBE_MS } from "../base/limits.ts";
import type { Result } from "../base/result.ts";
import { MemoryStream } from "../../tests/support/byte_streams.ts";
import { HttpClient } from "../../tests/support/http_client.ts";
import { ManualClock, settle } from "../../tests/support/manual_clock.ts";
import { askHealthy } from "./socket_health.ts";

const NEVER = new AbortController().signal;

/** Asks; the server's side of the connection answers with a text. */
async function ask(text: string): Promise<{ answer: Result<void, string>; asked: string }> {
  const [mine, server] = MemoryStream.pair();
  const sockets = { connect: () => Promise.resolve(mine) };
  const asking = askHealthy("/x.sock", { sockets, clock: new ManualClock(), signal: NEVER });
  const peer = new HttpClient(server);
  await settle();
  await peer.send(text);
  await peer.closeWrite();
  const answer = await asking;
  assert.equal(mine.isClosed, true);
  return { answer, asked: await peer.end() };
}

Deno.test("askHealthy() asks as a plugin does", async () => {
  const { answer, asked } = await ask("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  assert.deepEqual(answer, { ok: true, value: undefined });
  assert.match(asked, /^GET \/v1\/ipam\/healthy HTTP\/1\.1\r\n/);
});

Deno.test("askHealthy() says what else was answered", async () => {
  const cases = [
    ["HTTP/1.1 503 No\r\n\r\n", "it answers 503 to whether it serves"],
    ["", "the connection ended before the answer (no error)"],
    ["SSH-2.0\r\n", 'its answer is no HTTP: it begins with "SSH-2.0"'],
    ["HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n", "its answer is too long"],
  ];
  for (const [text = "", why] of cases) {
    const { answer } = await ask(text);
    assert.deepEqual(answer, { ok: false, error: `Cannot use the agent on "/x.sock": ${why}` });
  }
});

Deno.test("askHealthy() says why it cannot connect", async () => {
  const connect = () => Promise.reject(new Deno.errors.NotFound("No such file or directory"));
  const options = { sockets: { connect }, clock: new ManualClock(), signal: NEVER };
  assert.deepEqual(await askHealthy("/x.sock", options), {
    ok: false,
    error: 'Cannot reach the agent on "/x.sock": No such file or directory',
  });
});

Deno.test("askHealthy() gives up on an agent that accepts and says nothing", async () => {
  const [mine, server] = MemoryStream.pair();
  const clock = new ManualClock();
  const sockets = { connect: () => Promise.resolve(mine) };
  const asking = askHealthy("/x.sock", { sockets, clock, signal: NEVER });
  await clock.advance(PROBE_MS);
  assert.deepEqual(await asking, {
    ok: false,
    error: `Cannot use the agent on "/x.sock": Gave up on the agent's answer after ${PROBE_MS} ms`,
  });
  assert.equal(mine.isClosed, true);
  server.close();
});

Deno.test("askHealthy() closes a connection that comes too late", async () => {
  const [mine] = MemoryStream.pair();
  const late = Promise.withResolvers<MemoryStream>();
  const gone = new AbortController();
  const sockets = { connect: () => late.promise };
  const options = { sockets, clock: new ManualClock(), signal: gone.signal };
  const asking = askHealthy("/x.sock", options);
  gone.abort(new Error("the prober has gone"));
  assert.equal((await asking).ok, false);
  late.resolve(mine);
  await settle();
  assert.equal(mine.isClosed, true);
});
