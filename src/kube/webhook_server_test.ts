import assert from "node:assert/strict";
import { type Authority, makeAuthority } from "../../tests/support/authority.ts";
import { untilTrue } from "../../tests/support/hang_limit.ts";
import { openWebhookServer, type WebhookRequest } from "./webhook_server.ts";

async function textOf({ body }: WebhookRequest): Promise<string> {
  return new TextDecoder().decode((await Array.fromAsync(body)).reduce(joined, new Uint8Array()));
}

function joined(
  one: Uint8Array<ArrayBufferLike>,
  other: Uint8Array<ArrayBufferLike>,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(one.length + other.length);
  bytes.set(one);
  bytes.set(other, one.length);
  return bytes;
}

async function echo(request: WebhookRequest) {
  return { status: 200, json: JSON.stringify(await textOf(request)) };
}

interface Asking extends Disposable {
  ask(body: string, path?: string): Promise<{ readonly status: number; readonly text: string }>;
}

/** @param options.keepsConnections Whether requests share connections. */
function clientOf(
  { cert }: Pick<Authority, "cert">,
  { port, keepsConnections = true }: { readonly port: number; readonly keepsConnections?: boolean },
): Asking {
  const client = Deno.createHttpClient({
    caCerts: [cert],
    http2: false,
    ...keepsConnections ? {} : { poolMaxIdlePerHost: 0 },
  });
  return {
    ask: async (body, path = "/") => {
      const url = `https://localhost:${port}${path}`;
      const reply = await fetch(url, { method: "POST", body, client });
      return { status: reply.status, text: await reply.text() };
    },
    [Symbol.dispose]: () => client.close(),
  };
}

async function issue(
  authority: Authority,
): Promise<{ readonly cert: string; readonly key: string }> {
  return await authority.issue({ commonName: "webhook", hosts: ["localhost"] });
}

const LOCAL = { hostname: "localhost", port: 0, connectionsMax: 2_048 } as const;

Deno.test("openWebhookServer() answers 1,000 requests at a time", async () => {
  const authority = await makeAuthority();
  const certificate = await issue(authority);
  const waiting = Promise.withResolvers<void>();
  let count = 0;
  await using server = await openWebhookServer({
    ...LOCAL,
    certificate,
    answer: async (request) => {
      const text = await textOf(request);
      if (++count === 1_000) waiting.resolve();
      await waiting.promise; // All are there before the first is answered.
      return { status: 200, json: text };
    },
  });
  using client = clientOf(authority, { port: server.port });
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, (_, index) => client.ask(String(index))),
  );
  assert.deepEqual(answers.map(({ text }) => Number(text)), [...answers.keys()]);
});

Deno.test("openWebhookServer() drops nothing while its certificate changes", async () => {
  const [old, next] = [await makeAuthority("old"), await makeAuthority("next")];
  const pairs = [await issue(old), await issue(next)] as const;
  await using server = await openWebhookServer({ ...LOCAL, certificate: pairs[0], answer: echo });
  // Trusts both, as the bundle of a webhook configuration does meanwhile.
  const both = { cert: `${old.cert}${next.cert}` };
  using fresh = clientOf(both, { port: server.port, keepsConnections: false });
  using kept = clientOf(both, { port: server.port });
  using onlyNext = clientOf(next, { port: server.port, keepsConnections: false });
  await assert.rejects(onlyNext.ask("x"), "the old certificate is not of this authority");
  for (let turn = 0; turn < 20; turn++) {
    const asked = Array.from({ length: 10 }, (_, index) => [fresh.ask(`f${index}`), kept.ask("k")]);
    server.useCertificate(pairs[(turn + 1) % 2 === 1 ? 1 : 0] ?? pairs[0]);
    const answers = await Promise.all(asked.flat());
    assert.ok(answers.every(({ status }) => status === 200));
  }
  server.useCertificate(pairs[1]);
  assert.equal((await onlyNext.ask("new")).text, '"new"');
  assert.throws(() => server.useCertificate({ cert: pairs[0].cert, key: "no key" }), /is no PEM$/);
  const mixed = { cert: pairs[0].cert, key: pairs[1].key };
  assert.throws(() => server.useCertificate(mixed), /the key is not of this certificate$/);
  assert.equal((await onlyNext.ask("still")).text, '"still"');
});

Deno.test("openWebhookServer() answers once more on each connection that is to end", async () => {
  const authority = await makeAuthority();
  const certificate = await issue(authority);
  await using server = await openWebhookServer({ ...LOCAL, certificate, answer: echo });
  const caCerts = [authority.cert];
  using one = await Deno.connectTls({ hostname: "localhost", port: server.port, caCerts });
  const reader = one.readable.pipeThrough(new TextDecoderStream()).getReader();
  const ask = async (): Promise<string> => {
    const body = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\na";
    await one.write(new TextEncoder().encode(body));
    let text = "";
    while (!text.endsWith('"a"') && !text.endsWith("0\r\n\r\n")) {
      text += (await reader.read()).value ?? "";
    }
    return text;
  };
  assert.doesNotMatch(await ask(), /connection: close/i);
  server.endConnections();
  assert.match(await ask(), /^HTTP\/1\.1 200 .*connection: close/is);
  assert.equal((await reader.read()).done, true);
  using other = clientOf(authority, { port: server.port });
  assert.equal((await other.ask("late")).text, '"late"', "who comes late is answered too");
});

Deno.test("openWebhookServer() lets a refused sender of a large body read why", async () => {
  const authority = await makeAuthority();
  const certificate = await issue(authority);
  await using server = await openWebhookServer({
    ...LOCAL,
    certificate,
    answer: ({ bodyBytes }) => Promise.resolve({ status: 413, text: `${bodyBytes} bytes` }),
  });
  using client = clientOf(authority, { port: server.port });
  const { status, text } = await client.ask("x".repeat(200_000));
  assert.deepEqual([status, text], [413, "200000 bytes"]);
  assert.equal((await client.ask("")).status, 413, "it serves on");
});

Deno.test("openWebhookServer() has room for so many connections, and no more", async () => {
  const authority = await makeAuthority();
  const certificate = await issue(authority);
  const options = { ...LOCAL, certificate, connectionsMax: 1, answer: echo };
  await using server = await openWebhookServer(options);
  async function connected(): Promise<Deno.TlsConn> {
    const caCerts = [authority.cert];
    const one = await Deno.connectTls({ hostname: "localhost", port: server.port, caCerts });
    await one.handshake().catch((error) => {
      one.close();
      throw error;
    });
    return one;
  }
  {
    using _first = await connected();
    await assert.rejects(connected());
  }
  await untilTrue(async () => {
    const again = await connected().catch(() => undefined);
    again?.close();
    return again !== undefined;
  });
});

Deno.test("openWebhookServer() survives who speaks no TLS, and stops when told to", async () => {
  const authority = await makeAuthority();
  const certificate = await issue(authority);
  const server = await openWebhookServer({ ...LOCAL, certificate, answer: echo });
  {
    using stranger = await Deno.connect({ hostname: "localhost", port: server.port });
    await stranger.write(new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"));
    const buffer = new Uint8Array(1_024);
    while (await stranger.read(buffer).catch(() => null) !== null) { /* until it is closed */ }
    using rude = await Deno.connectTls({
      ...{ hostname: "localhost", port: server.port, caCerts: [authority.cert] },
    });
    await rude.write(new TextEncoder().encode("no request at all\r\n\r\n"));
    while (await rude.read(buffer).catch(() => null) !== null) { /* until it is closed */ }
    using client = clientOf(authority, { port: server.port });
    assert.equal((await client.ask("x", "/path?timeout=1s")).text, '"x"');
  }
  const { signal } = new AbortController();
  assert.equal(await server.ask("/", { signal }), 200);
  await server[Symbol.asyncDispose]();
  await assert.rejects(server.ask("/", { signal }));
  using late = clientOf(authority, { port: server.port });
  await assert.rejects(late.ask("x"));
});

Deno.test("openWebhookServer() ends kept connections, and answers what was asked", async () => {
  const authority = await makeAuthority();
  const certificate = await issue(authority);
  const [asked, late] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const server = await openWebhookServer({
    ...LOCAL,
    certificate,
    answer: async ({ target }) => {
      if (target === "/late") {
        asked.resolve();
        await late.promise;
      }
      return { status: 200, text: target };
    },
  });
  async function connected(path?: string): Promise<Deno.TlsConn> {
    const caCerts = [authority.cert];
    const one = await Deno.connectTls({ hostname: "localhost", port: server.port, caCerts });
    await one.handshake();
    if (path === undefined) return one;
    await one.write(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`));
    return one;
  }
  async function readFrom(one: Deno.TlsConn): Promise<string | null> {
    const buffer = new Uint8Array(1_024);
    const count = await one.read(buffer).catch(() => null);
    return count === null ? null : new TextDecoder().decode(buffer.subarray(0, count));
  }
  using silent = await connected();
  using kept = await connected("/kept");
  assert.match(await readFrom(kept) ?? "", /^HTTP\/1\.1 200 /);
  using busy = await connected("/late");
  await asked.promise;
  const ended = server[Symbol.asyncDispose]();
  let rest: string | null = "";
  while (rest !== null) rest = await readFrom(kept); // It may have had a part of the answer.
  assert.equal(await readFrom(silent), null);
  late.resolve();
  let answer = "";
  for (let part = await readFrom(busy); part !== null; part = await readFrom(busy)) answer += part;
  assert.match(answer, /^HTTP\/1\.1 200 [^]*\/late/);
  await ended;
});
