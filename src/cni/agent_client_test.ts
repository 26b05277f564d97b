import assert from "node:assert/strict";
import fc from "fast-check";
import { type Piece, ScriptedConnection } from "../../tests/support/agent_connection.ts";
import { type AgentQuestion, ANSWER_BYTES_MAX, ask } from "./agent_client.ts";

const HEALTHY: AgentQuestion = { method: "GET", target: "/v1/ipam/healthy" };

async function answerTo(pieces: readonly Piece[], question: AgentQuestion = HEALTHY) {
  const connection = new ScriptedConnection(pieces);
  const answer = await ask(connection, question, { signal: new AbortController().signal });
  return { answer, asked: connection.asked };
}

async function answer(...pieces: readonly Piece[]) {
  return (await answerTo(pieces)).answer;
}

function lines(...all: readonly string[]): string {
  return `${all.join("\r\n")}\r\n`;
}

const OK = "HTTP/1.1 200 OK";

Deno.test("ask() sends a question of HTTP/1.1 that wants the connection closed", async () => {
  const get = await answerTo([lines(OK, "")]);
  assert.equal(
    get.asked,
    lines(
      "GET /v1/ipam/healthy HTTP/1.1",
      "Host: spiderpool-agent",
      "Accept: application/json",
      "Connection: close",
      "",
    ),
  );
  const body = JSON.stringify({ podName: "ä", ifName: "eth0" });
  const post = await answerTo([lines(OK, "")], { method: "DELETE", target: "/v1/ipam/ip", body });
  assert.match(post.asked, /^DELETE \/v1\/ipam\/ip HTTP\/1\.1\r\n/);
  assert.match(post.asked, /\r\nContent-Type: application\/json\r\nContent-Length: 32\r\n\r\n/);
  assert.ok(post.asked.endsWith(`\r\n\r\n${body}`));
});

Deno.test("ask() says the length of a POST without a body", async () => {
  const { asked } = await answerTo([lines(OK, "")], { method: "POST", target: "/v1/ipam/ips" });
  assert.match(asked, /\r\nContent-Length: 0\r\n\r\n$/);
});

const TAKEN: readonly (readonly [string, string, number, string])[] = [
  ["a length", lines(OK, "Content-Length: 4", "") + "ok!?", 200, "ok!?"],
  ["a length in any case", lines(OK, "content-LENGTH:4 ", "") + "ok!?", 200, "ok!?"],
  ["bytes after the length", lines(OK, "Content-Length: 2", "") + "ok!?", 200, "ok"],
  ["no length", lines(OK, "Connection: close", "") + "to the end", 200, "to the end"],
  ["no body", lines(OK, "Content-Length: 0", ""), 200, ""],
  ["204", lines("HTTP/1.1 204 No Content", ""), 204, ""],
  ["304 with a length", lines("HTTP/1.1 304 Not Modified", "Content-Length: 9", ""), 304, ""],
  ["HTTP/1.0", lines("HTTP/1.0 500 Internal Server Error", "") + '"no"', 500, '"no"'],
  ["no reason", lines("HTTP/1.1 521", "Content-Length: 1", "") + "x", 521, "x"],
  ["lines that end in LF", `${OK}\nContent-Length: 1\n\nx`, 200, "x"],
  [
    "an interim answer",
    lines("HTTP/1.1 100 Continue", "", OK, "Content-Length: 1", "") + "x",
    200,
    "x",
  ],
  [
    "chunks",
    lines(OK, "Transfer-Encoding: chunked", "", "4", "wiki", "6;ext=1", "pedia ", "0", ""),
    200,
    "wikipedia ",
  ],
  [
    "chunks and trailers",
    lines(
      OK,
      "Transfer-Encoding: Chunked",
      "Content-Length: 3",
      "",
      "A",
      "0123456789",
      "0",
      "T: 1",
      "",
    ),
    200,
    "0123456789",
  ],
];

for (const [what, text, status, body] of TAKEN) {
  Deno.test(`ask() reads an answer with ${what}, however it is cut`, async () => {
    assert.deepEqual(await answer(text), { ok: true, value: { status, body } });
    const bytes = [...text].map((one) => one);
    assert.deepEqual(await answer(...bytes), { ok: true, value: { status, body } });
  });
}

Deno.test("ask() reads text that is cut inside a character", async () => {
  const bytes = new TextEncoder().encode(lines(OK, "Content-Length: 5", "") + "ä€");
  const pieces = Array.from(bytes, (byte) => new Uint8Array([byte]));
  assert.deepEqual(await answer(...pieces), { ok: true, value: { status: 200, body: "ä€" } });
  const head = lines(OK, "Transfer-Encoding: chunked", "", "1");
  const euro = new TextEncoder().encode("€");
  const chunks = [head, euro.slice(0, 1), "\r\n2\r\n", euro.slice(1), "\r\n0\r\n\r\n"];
  assert.deepEqual(await answer(...chunks), { ok: true, value: { status: 200, body: "€" } });
});

const CUT: readonly (readonly [string, string])[] = [
  ["nothing", ""],
  ["half a line", "HTTP/1.1 20"],
  ["half a head", `${OK}\r\nContent-`],
  ["half a body", lines(OK, "Content-Length: 4", "") + "ok"],
  ["half a chunk", lines(OK, "Transfer-Encoding: chunked", "", "4") + "wi"],
  ["no last chunk", lines(OK, "Transfer-Encoding: chunked", "", "4", "wiki")],
];

for (const [what, text] of CUT) {
  Deno.test(`ask() says that an answer was cut: ${what}`, async () => {
    assert.deepEqual(await answer(text), { ok: false, error: { code: "cut", cause: undefined } });
    const cause = new Deno.errors.ConnectionReset("Connection reset by peer");
    assert.deepEqual(await answer(text, cause), { ok: false, error: { code: "cut", cause } });
  });
}

const GARBAGE: readonly (readonly [string, string, RegExp])[] = [
  ["another protocol", "SSH-2.0-OpenSSH\r\n\r\n", /^it begins with "SSH-2\.0-OpenSSH"$/],
  ["zeros", "\0\0\0\n", /^it begins with /],
  ["HTTP/2", "HTTP/2 200 OK\r\n\r\n", /^it begins with "HTTP\/2 200 OK"$/],
  ["a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", /^it begins with /],
  ["a head without colon", lines(OK, "Content-Length", ""), /^its head has the line "Content-Le/],
  ["a negative length", lines(OK, "Content-Length: -1", ""), /^its content length is "-1"$/],
  ["two lengths", lines(OK, "Content-Length: 1", "Content-Length: 2", ""), /length is "1, 2"$/],
  ["gzip", lines(OK, "Transfer-Encoding: gzip", ""), /^its transfer encoding is "gzip"$/],
  ["a bad chunk", lines(OK, "Transfer-Encoding: chunked", "", "x"), /^a chunk has the size "x"$/],
  [
    "a chunk that is too long",
    lines(OK, "Transfer-Encoding: chunked", "", "2", "wiki"),
    /^a chunk is longer than its size$/,
  ],
  ["a line without end", "x".repeat(20_000), /^its head has a line without end$/],
  ["a head without end", lines(OK, ...Array<string>(300).fill("A: b")), /^its head does not end$/],
  ["interim answers only", lines("HTTP/1.1 100 Go", "").repeat(200), /^its head does not end$/],
];

for (const [what, text, expected] of GARBAGE) {
  Deno.test(`ask() says what is no HTTP: ${what}`, async () => {
    const refused = await answer(text, "hang");
    assert.ok(!refused.ok && refused.error.code === "not_http");
    assert.match(refused.error.what, expected);
  });
}

Deno.test("ask() refuses an answer that is too long, in each framing", async () => {
  const big = "x".repeat(ANSWER_BYTES_MAX);
  const tooLong = { ok: false, error: { code: "too_long" } };
  assert.deepEqual(await answer(lines(OK, "Content-Length: 1048577", ""), "hang"), tooLong);
  assert.deepEqual(await answer(lines(OK, "") + big, "x", "hang"), tooLong);
  const chunked = lines(OK, "Transfer-Encoding: chunked", "", "fffff");
  assert.deepEqual(await answer(chunked, big.slice(1), "\r\n2\r\n", "hang"), tooLong);
  const whole = await answer(lines(OK, "Content-Length: 1048576", "") + big);
  assert.equal(whole.ok && whole.value.body.length, ANSWER_BYTES_MAX);
});

Deno.test("ask() takes the answer of an agent that does not read it all", async () => {
  const text = lines("HTTP/1.1 422 Unprocessable", "Content-Length: 2", "") + "{}";
  const connection = new ScriptedConnection([text], {
    writeError: new Deno.errors.BrokenPipe("Broken pipe"),
  });
  const answered = await ask(connection, HEALTHY, { signal: new AbortController().signal });
  assert.deepEqual(answered, { ok: true, value: { status: 422, body: "{}" } });
});

Deno.test("ask() ends when its signal aborts, and closes the connection", async () => {
  const ended = new AbortController();
  const connection = new ScriptedConnection([lines(OK), "hang"]);
  const asked = ask(connection, HEALTHY, { signal: ended.signal });
  ended.abort();
  assert.deepEqual(await asked, { ok: false, error: { code: "aborted" } });
  assert.ok(connection.isClosed);
});

Deno.test("ask() with a signal that has aborted asks nothing", async () => {
  const connection = new ScriptedConnection(["hang"]);
  const aborted = AbortSignal.abort();
  const answered = await ask(connection, HEALTHY, { signal: aborted });
  assert.deepEqual(answered, { ok: false, error: { code: "aborted" } });
  assert.equal(connection.asked, "");
});

Deno.test("ask() leaves no listener behind: a timeout's timer would keep the process", async () => {
  const { signal } = new AbortController();
  const listening = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listening.add(args[1]);
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listening.delete(args[1]);
    removeEventListener.apply(signal, args);
  };
  for (const pieces of [[lines(OK, "")], ["garbage\n"], []]) {
    await ask(new ScriptedConnection(pieces), HEALTHY, { signal });
    assert.equal(listening.size, 0);
  }
});

Deno.test("property: whatever is sent, there is an answer or a refusal", async () => {
  const codes = new Set(["aborted", "cut", "not_http", "too_long"]);
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom(OK, "\r\n", "\n", "Content-Length: ", "Transfer-Encoding: chunked", "3", "0"),
  );
  await fc.assert(fc.asyncProperty(fc.array(part), async (parts) => {
    const answered = await answer(...parts.filter((one) => one !== "hang"));
    assert.ok(answered.ok || codes.has(answered.error.code));
  }));
});
