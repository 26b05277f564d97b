import assert from "node:assert/strict";
import { makeAuthority } from "../../tests/support/authority.ts";
import {
  ImpatientClock,
  kubeStatus,
  messageOf,
  READ,
  transportTo,
  WRITE,
} from "../../tests/support/kube_transport.ts";
import {
  closedPort,
  listenOnLoopback,
  type LoggedRequest,
  serveOnLoopback,
} from "../../tests/support/loopback_server.ts";
import { ManualClock } from "../../tests/support/manual_clock.ts";
import { seededRandom } from "../base/random.ts";
import { Transport } from "./transport.ts";

const never = new AbortController().signal;

Deno.test("a few calls at a time have connections of their own, many share one", async () => {
  const authority = await makeAuthority();
  const pair = await authority.issue({ commonName: "s", hosts: ["127.0.0.1"] });
  const all = Promise.withResolvers<void>();
  const ports: number[] = [];
  let count = 0;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, ...pair, onListen() {} },
    async (_, { remoteAddr: { port } }) => {
      ports.push(port);
      if (ports.length === count) all.resolve();
      await all.promise;
      return Response.json({});
    },
  );
  const { port } = server.addr;
  using transport = transportTo(`https://127.0.0.1:${port}`, { authority });
  count = 60;
  const calls = Array.from({ length: count }, () => transport.call(WRITE, { signal: never }));
  assert.ok((await Promise.all(calls)).every(({ ok }) => ok));
  assert.equal(new Set(ports).size, 9, "eight have their own, the others share one");
  await server.shutdown();
});

Deno.test("a call is HTTP/1.1, where no packet waits for the last one's receipt", async () => {
  const authority = await makeAuthority();
  const pair = await authority.issue({ commonName: "s", hosts: ["127.0.0.1"] });
  const alpnProtocols = ["h2", "http/1.1"];
  const options = { hostname: "127.0.0.1", port: 0, ...pair, alpnProtocols };
  const listener = Deno.listenTls(options);
  const accept = async (): Promise<string | null> => {
    using held = await listener.accept();
    return (await held.handshake()).alpnProtocol;
  };
  using transport = transportTo(`https://127.0.0.1:${listener.addr.port}`, { authority });
  const call = transport.call(WRITE, { signal: never });
  assert.equal(await accept(), "http/1.1");
  const watch = transport.open(READ, { signal: never });
  assert.equal(await accept(), "h2");
  listener.close();
  await Promise.all([call, watch]);
});

Deno.test("call() sends credentials and reads JSON", async () => {
  const authority = await makeAuthority();
  const pair = await authority.issue({ commonName: "s", hosts: ["127.0.0.1"] });
  await using server = serveOnLoopback(() => Response.json({ a: 1 }), { pair });
  using second = transportTo(server.url, {
    authority,
    identity: { token: { kind: "text", text: "secret\n" }, impersonateUser: "joe" },
  });
  assert.deepEqual(await second.call(WRITE, { signal: never }), { ok: true, value: { a: 1 } });
  const [request] = server.requests;
  assert.equal(request?.headers.get("authorization"), "Bearer secret");
  assert.equal(request?.headers.get("impersonate-user"), "joe");
  assert.equal(request?.headers.get("user-agent"), "test");
  assert.equal(request?.body, "{}");
});

Deno.test("call() repeats a read after a cut connection, never a write", async () => {
  let connections = 0;
  await using server = listenOnLoopback(async (connection) => {
    await connection.read(new Uint8Array(65_536));
    if (++connections < 3) return;
    const reply = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{"a":1}';
    await connection.write(new TextEncoder().encode(reply));
  });
  using transport = transportTo(`http://${server.host}`);
  assert.deepEqual(await transport.call(READ, { signal: never }), { ok: true, value: { a: 1 } });
  assert.equal(server.connectionCount, 3);

  await using cutter = listenOnLoopback(async (connection) => {
    await connection.read(new Uint8Array(65_536));
  });
  using second = transportTo(`http://${cutter.host}`);
  const result = await second.call(WRITE, { signal: never });
  assert.equal(cutter.connectionCount, 1);
  assert.equal(
    result.ok || result.error.code === "unavailable" && result.error.outcomeUnknown,
    true,
  );
  assert.match(
    messageOf(result),
    /^Cannot create pods "default\/web-0" at http.*connection was cut/,
  );
});

Deno.test("call() says that a refused write was not done", async () => {
  const clock = new ImpatientClock();
  using transport = transportTo(`https://127.0.0.1:${closedPort()}`, { clock });
  const result = await transport.call(WRITE, { signal: never });
  assert.ok(!result.ok && result.error.code === "unavailable");
  assert.equal(result.error.outcomeUnknown, false);
  assert.match(
    result.error.message,
    /^Cannot create pods .* the connection was refused: check that the API server runs and that /,
  );
  assert.equal(clock.sleptMs.length, 3, "tried four times: nothing can have been done");
});

Deno.test("call() waits as long as a 429 asks, for writes too, within its time", async () => {
  const clock = new ImpatientClock();
  await using server = serveOnLoopback((_request, index) =>
    index < 6
      ? new Response("", { status: 429, headers: { "retry-after": "2" } })
      : Response.json(1)
  );
  using transport = transportTo(server.url, { clock });
  assert.deepEqual(await transport.call(WRITE, { signal: never }), { ok: true, value: 1 });
  assert.equal(clock.sleptMs.length, 6);
  assert.ok(clock.sleptMs.every((ms) => ms >= 2_000 && ms < 2_500), clock.sleptMs.join());

  await using busy = serveOnLoopback(() =>
    new Response("", { status: 429, headers: { "retry-after": "40" } })
  );
  using second = transportTo(busy.url);
  const result = await second.call(WRITE, { signal: never });
  assert.ok(!result.ok && result.error.code === "throttled");
  assert.equal(result.error.retryAfterMs, 40_000);
  assert.equal(busy.requests.length, 1);
});

Deno.test("call() repeats a read after a server error, never a write", async () => {
  await using server = serveOnLoopback(() => kubeStatus(503));
  using transport = transportTo(server.url);
  const read = await transport.call(READ, { signal: never });
  assert.deepEqual(read.ok ? "" : read.error.code, "unavailable");
  assert.equal(server.requests.length, 4);
  const write = await transport.call(WRITE, { signal: never });
  assert.ok(!write.ok && write.error.code === "unavailable" && write.error.outcomeUnknown);
  assert.equal(server.requests.length, 5);
});

Deno.test("call() names a page, a redirect and broken JSON where an answer should be", async () => {
  const page = "<html><body>Please log in</body></html>";
  const cases: readonly (readonly [() => Response, RegExp])[] = [
    [
      () => new Response(page, { headers: { "content-type": "text/html" } }),
      /^Cannot list pods at http.* answered 200 with an HTML page: check that this is the address/,
    ],
    [
      () => new Response(page, { status: 404 }),
      /answered 404 with an HTML page: check that this is the address of a Kubernetes API server$/,
    ],
    [
      () => new Response(null, { status: 302, headers: { location: "https://login.test/" } }),
      /answered 302, a redirect to "https:\/\/login\.test\/": check that this is the address/,
    ],
    [() => new Response('{"items":['), /answered 200 with broken JSON \(/],
  ];
  for (const [answer, expected] of cases) {
    await using server = serveOnLoopback(answer);
    using transport = transportTo(server.url);
    const result = await transport.call(READ, { signal: never });
    assert.equal(result.ok ? "" : result.error.code, "unavailable");
    assert.match(messageOf(result), expected);
    const write = await transport.call(WRITE, { signal: never });
    assert.equal(write.ok, false);
  }
});

Deno.test("call() counts a write whose answer broke off as unknown", async () => {
  await using server = serveOnLoopback(() => new Response('{"kind":"Po', { status: 201 }));
  using transport = transportTo(server.url);
  const result = await transport.call(WRITE, { signal: never });
  assert.ok(!result.ok && result.error.code === "unavailable" && result.error.outcomeUnknown);
  assert.equal(server.requests.length, 1);
});

Deno.test("call() gives up on a silent server, and leaves its connection", async () => {
  const clock = new ManualClock();
  const arrived = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const gone = Promise.withResolvers<void>();
  let connections = 0;
  await using server = listenOnLoopback(async (connection) => {
    await connection.read(new Uint8Array(65_536));
    arrived[connections++]?.resolve();
    await gone.promise;
  });
  using transport = transportTo(`http://${server.host}`, { clock });
  const call = transport.call(READ, { signal: never });
  await arrived[0]?.promise;
  await clock.advance(15_000);
  await clock.advance(200); // The back-off.
  await arrived[1]?.promise;
  assert.equal(server.connectionCount, 2, "the second try does not trust the first connection");
  await clock.advance(15_000);
  const result = await call;
  assert.equal(result.ok ? "" : result.error.code, "timeout");
  assert.match(messageOf(result), /^Cannot list pods at .*: the server did not answer in time: /);
  gone.resolve();
});

Deno.test("call() counts a write without an answer as unknown, once sent", async () => {
  const clock = new ManualClock();
  const arrived = Promise.withResolvers<void>();
  await using server = listenOnLoopback(async (connection) => {
    await connection.read(new Uint8Array(65_536));
    arrived.resolve();
    await connection.read(new Uint8Array(1));
  });
  using transport = transportTo(`http://${server.host}`, { clock });
  const call = transport.call(WRITE, { signal: never, timeoutMs: 3_000 });
  await arrived.promise;
  await clock.advance(3_000);
  const result = await call;
  assert.ok(!result.ok && result.error.code === "timeout" && result.error.outcomeUnknown);
  assert.equal(server.connectionCount, 1);
});

Deno.test("call() rejects with the caller's reason, before, during and between tries", async () => {
  const before = AbortSignal.abort(new Error("enough"));
  using transport = transportTo(`http://127.0.0.1:${closedPort()}`);
  await assert.rejects(transport.call(READ, { signal: before }), /enough/);

  const during = new AbortController();
  const clock = new ManualClock();
  const arrived = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  await using server = serveOnLoopback(async () => {
    arrived.resolve();
    await release.promise;
    return Response.json(1);
  });
  using second = transportTo(server.url, { clock });
  const call = second.call(READ, { signal: during.signal });
  await arrived.promise;
  during.abort(new Error("stop now"));
  await assert.rejects(call, /stop now/);
  release.resolve();

  const between = new AbortController();
  using third = transportTo(`http://127.0.0.1:${closedPort()}`, { clock });
  const waiting = assert.rejects(third.call(READ, { signal: between.signal }), /no more/);
  while (clock.nextWakeMs === undefined || clock.nextWakeMs > 1_000) {
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  between.abort(new Error("no more"));
  await waiting;
});

Deno.test("open() waits as long as a 429 asks, and for a server that comes back", async () => {
  const clock = new ImpatientClock();
  await using server = serveOnLoopback((_request, index) => {
    if (index === 0) return new Response("", { status: 429, headers: { "retry-after": "2" } });
    return index === 1 ? kubeStatus(503) : new Response("{}\n");
  });
  using transport = transportTo(server.url, { clock });
  const opened = await transport.open(READ, { signal: never });
  assert.ok(opened.ok);
  using stream = opened.value;
  const chunks = await Array.fromAsync(stream.chunks);
  assert.equal(new TextDecoder().decode(chunks[0]), "{}\n");
  assert.deepEqual(clock.sleptMs.map((ms) => Math.floor(ms / 1_000)), [2, 0]);
});

Deno.test("call() goes through an HTTP proxy", async () => {
  const authority = await makeAuthority();
  await using server = serveOnLoopback(() => Response.json(1), {
    pair: await authority.issue({ commonName: "s", hosts: ["127.0.0.1"] }),
  });
  const { port } = new URL(server.url);
  let head = "";
  await using proxy = listenOnLoopback(async (connection) => {
    const buffer = new Uint8Array(65_536);
    const bytesRead = await connection.read(buffer);
    head = new TextDecoder().decode(buffer.slice(0, bytesRead ?? 0));
    using target = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    await connection.write(new TextEncoder().encode("HTTP/1.1 200 OK\r\n\r\n"));
    await Promise.race([
      connection.readable.pipeTo(target.writable, { preventClose: true }),
      target.readable.pipeTo(connection.writable, { preventClose: true }),
    ]);
  });
  using transport = new Transport({
    server: server.url,
    certificateAuthority: { kind: "text", text: authority.cert },
    proxyUrl: `http://joe:pass@${proxy.host}`,
    identity: {},
    namespace: "default",
    origin: "a test",
  }, { clock: new ImpatientClock(), random: seededRandom(1), userAgent: "test" });
  assert.deepEqual(await transport.call(READ, { signal: never }), { ok: true, value: 1 });
  assert.match(head, new RegExp(`^CONNECT 127\\.0\\.0\\.1:${port} HTTP/1\\.1\r\n`));
  assert.match(head, /proxy-authorization: basic am9lOnBhc3M=/i);
});

Deno.test("serverTimeMs() is the Date of the newest reply, also of a refusal", async () => {
  const dates = ["Tue, 24 Nov 2026 08:37:09 GMT", "Tue, 24 Nov 2026 08:37:19 GMT"];
  await using server = serveOnLoopback((_request: LoggedRequest, index) =>
    new Response("{}", { status: index === 0 ? 200 : 409, headers: { date: dates[index] ?? "" } })
  );
  using transport = transportTo(server.url);
  assert.equal(transport.serverTimeMs(), undefined);
  await transport.call(WRITE, { signal: never });
  assert.equal(transport.serverTimeMs(), Date.UTC(2026, 10, 24, 8, 37, 9));
  await transport.call(WRITE, { signal: never });
  assert.equal(transport.serverTimeMs(), Date.UTC(2026, 10, 24, 8, 37, 19));
});
