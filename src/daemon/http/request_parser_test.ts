import assert from "node:assert/strict";
import { HTTP_BODY_BYTES_MAX, HTTP_HEAD_BYTES_MAX } from "../../base/limits.ts";
import { type HttpRequest, type ParserStep, RequestParser } from "./request_parser.ts";

const CRLF = "\r\n";

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Everything the parser says of a text, given whole, then byte by byte: both must be the same. */
function stepsOf(text: string): readonly ParserStep[] {
  const whole = new RequestParser();
  whole.push(bytesOf(text));
  const steps = stepsIn(whole);
  const slow = new RequestParser();
  const slowSteps: ParserStep[] = [];
  for (const byte of bytesOf(text)) {
    slow.push(Uint8Array.of(byte));
    const found = stepsIn(slow);
    slowSteps.push(...found.filter(({ kind }) => kind !== "incomplete"));
    if (found.at(-1)?.kind === "refused") break;
  }
  assert.deepEqual(slowSteps, steps.filter(({ kind }) => kind !== "incomplete"));
  return steps;
}

function stepsIn(parser: RequestParser): readonly ParserStep[] {
  const steps: ParserStep[] = [];
  for (;;) {
    const step = parser.next();
    steps.push(step);
    if (step.kind !== "request") return steps;
  }
}

function requestOf(text: string): HttpRequest {
  const [step] = stepsOf(text);
  assert.equal(step?.kind, "request");
  return step.request;
}

function refusalOf(text: string): string {
  const step = stepsOf(text).at(-1);
  return step?.kind === "refused"
    ? `${step.refusal.status} ${step.refusal.message}`
    : "not refused";
}

function bodyText(request: HttpRequest): string {
  return new TextDecoder().decode(request.body);
}

Deno.test("a GET has its body, whatever Host says", () => {
  for (const host of ["Host: \r\n", "Host: a:80\r\n", "host:\r\n", ""]) {
    const request = requestOf(
      `GET /v1/coordinator/config HTTP/1.1\r\n${host}Content-Length: 2\r\n\r\n{}`,
    );
    assert.equal(request.method, "GET");
    assert.equal(request.path, "/v1/coordinator/config");
    assert.equal(bodyText(request), "{}");
    assert.equal(request.keepsAlive, true);
  }
});

Deno.test("the query is read, the path is not decoded", () => {
  const request = requestOf("GET /a%2Fb?x=1&y=a%20b&x=2 HTTP/1.1\r\n\r\n");
  assert.equal(request.path, "/a%2Fb");
  assert.deepEqual([...request.query], [["x", "1"], ["y", "a b"], ["x", "2"]]);
});

Deno.test("a target may be a whole URL", () => {
  const request = requestOf("GET http://x:1/v1/a?b=c HTTP/1.1\r\n\r\n");
  assert.deepEqual([request.path, request.query.get("b")], ["/v1/a", "c"]);
});

Deno.test("header names have no case, fields of one name are joined", () => {
  const request = requestOf("GET / HTTP/1.1\r\nAccept: a\r\nX-y:  b \t\r\naccept: c\r\n\r\n");
  assert.equal(request.headers.get("accept"), "a, c");
  assert.equal(request.headers.get("x-y"), "b");
});

Deno.test("a connection is kept unless version or header say otherwise", () => {
  const cases: readonly [string, boolean][] = [
    ["HTTP/1.1\r\n\r\n", true],
    ["HTTP/1.1\r\nConnection: close\r\n\r\n", false],
    ["HTTP/1.1\r\nConnection: x, CLOSE\r\n\r\n", false],
    ["HTTP/1.0\r\n\r\n", false],
    ["HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true],
  ];
  for (const [rest, keepsAlive] of cases) {
    assert.equal(requestOf(`GET / ${rest}`).keepsAlive, keepsAlive, rest);
  }
});

Deno.test("a chunked body is put together, extensions and trailers are dropped", () => {
  const request = requestOf(
    "POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n" +
      "3;a=b\r\nabc\r\n0A \r\n0123456789\r\n0\r\nDigest: x\r\n\r\n",
  );
  assert.equal(bodyText(request), "abc0123456789");
});

Deno.test("requests that come together are told apart", () => {
  const text = "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\r\n" +
    "POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n" +
    "GET /c HTTP/1.1\r\n\r\nGET /d HT";
  const steps = stepsOf(text);
  const found = steps.map((step) =>
    step.kind === "request" ? `${step.request.path} ${bodyText(step.request)}` : step.kind
  );
  assert.deepEqual(found, ["/a abc", "/b x", "/c ", "incomplete"]);
});

Deno.test("what is incomplete says whether anything came", () => {
  const cases: readonly [string, boolean, boolean][] = [
    ["", true, false],
    [CRLF, true, false],
    ["\r", false, false],
    ["G", false, false],
    ["POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", false, false],
    ["POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", false, true],
    ["POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\na", false, false],
    ["POST / HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", false, false],
    ["POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n", false, true],
  ];
  for (const [text, isIdle, awaitsContinue] of cases) {
    assert.deepEqual(stepsOf(text), [{ kind: "incomplete", isIdle, awaitsContinue }], text);
  }
});

Deno.test("what is no request is refused in one sentence", () => {
  const cases: readonly [string, RegExp][] = [
    ["GET /\r\n\r\n", /^400 Cannot read the request line "GET \/": write a method, a path and /],
    ["GET / x HTTP/1.1\r\n\r\n", /^400 .* line "GET \/ x HTTP\/1.1"/],
    ["G(T / HTTP/1.1\r\n\r\n", /^400 .* line /],
    ["GET  / HTTP/1.1\r\n\r\n", /^400 .* line /],
    ["GET /\x7f HTTP/1.1\r\n\r\n", /^400 .* line /],
    ["GET / FTP/1.1\r\n\r\n", /^400 .* line /],
    ["GET / HTTP/2.0\r\n\r\n", /^505 Cannot speak "HTTP\/2.0": speak HTTP\/1.1$/],
    ["GET * HTTP/1.1\r\n\r\n", /^400 .* target "\*": write a path that begins with a slash$/],
    ["GET a/b HTTP/1.1\r\n\r\n", /^400 .* target "a\/b"/],
    ["GET / HTTP/1.1\r\nno colon\r\n\r\n", /^400 .* header "no colon": write "name: value"/],
    ["GET / HTTP/1.1\r\nA : b\r\n\r\n", /^400 .* header "A : b"/],
    ["GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", /^400 .* header " folded"/],
    ["GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n", /^400 .* header "A: b\\nB: c"/],
    ["GET / HTTP/1.1\r\nA: \0\r\n\r\n", /^400 .* header /],
    ["GET / HTTP/1.1\r\n: x\r\n\r\n", /^400 .* header ": x"/],
    ["\x16\x03\x01", /^400 Cannot read the request: it begins with byte 22: speak HTTP\/1.1$/],
    ["\rGET", /^400 .* begins with byte 13/],
    ["GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", /^400 .* content-length "x": write one number/],
    ["GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", /^400 .* content-length "-1"/],
    ["GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", /^400 .* "1, 2"/],
    ["GET / HTTP/1.1\r\nContent-Length: 9999999999999999\r\n\r\n", /^400 .* content-length/],
    [
      "GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      /^400 .* not both$/,
    ],
    ["GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", /^501 .* "gzip": send "chunked" or a /],
    ["GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", /^400 .* chunked body: a chunk/],
    [
      "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc",
      /^400 .* longer than it says$/,
    ],
  ];
  for (const [text, sentence] of cases) assert.match(refusalOf(text), sentence, text);
});

Deno.test("equal lengths that are said twice are one length", () => {
  const head = "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n";
  assert.equal(bodyText(requestOf(`${head}x`)), "x");
});

Deno.test("nothing is read after a refusal", () => {
  const parser = new RequestParser();
  parser.push(bytesOf("bad\r\n\r\nGET / HTTP/1.1\r\n\r\n"));
  assert.equal(parser.next().kind, "refused");
  parser.push(bytesOf("GET / HTTP/1.1\r\n\r\n"));
  assert.equal(parser.next().kind, "refused");
});

Deno.test("head, chunk line and trailer may have exactly so many bytes", () => {
  const line = "GET / HTTP/1.1\r\nA: ";
  const room = HTTP_HEAD_BYTES_MAX - line.length;
  const value = requestOf(`${line}${"x".repeat(room)}\r\n\r\n`).headers.get("a");
  assert.equal(value?.length, room);
  assert.match(
    refusalOf(`${line}${"x".repeat(room + 1)}\r\n\r\n`),
    /^431 .* more than 16384 bytes/,
  );
  const chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  const chunkLine = `1;${"x".repeat(254)}`;
  assert.equal(bodyText(requestOf(`${chunked}${chunkLine}\r\na\r\n0\r\n\r\n`)), "a");
  assert.match(refusalOf(`${chunked}${chunkLine}x\r\na\r\n0\r\n\r\n`), /^400 .* chunked body/);
  const trailer = `A: ${"x".repeat(HTTP_HEAD_BYTES_MAX - 3)}`;
  assert.equal(bodyText(requestOf(`${chunked}0\r\n${trailer}\r\n\r\n`)), "");
  assert.match(refusalOf(`${chunked}0\r\n${trailer}x\r\n\r\n`), /^431 .* trailer/);
});

Deno.test("a body larger than the limit is refused before it comes", () => {
  const parser = new RequestParser();
  parser.push(bytesOf(`POST / HTTP/1.1\r\nContent-Length: ${HTTP_BODY_BYTES_MAX + 1}\r\n\r\n`));
  const step = parser.next();
  assert.equal(step.kind === "refused" && step.refusal.status, 413);
  const least = new RequestParser();
  least.push(bytesOf(`POST / HTTP/1.1\r\nContent-Length: ${HTTP_BODY_BYTES_MAX}\r\n\r\n`));
  least.push(new Uint8Array(HTTP_BODY_BYTES_MAX));
  const whole = least.next();
  assert.equal(whole.kind === "request" && whole.request.body.length, HTTP_BODY_BYTES_MAX);
});

Deno.test("a chunked body is refused at the chunk that makes it too large", () => {
  const parser = new RequestParser();
  parser.push(bytesOf("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"));
  parser.push(bytesOf(`${HTTP_BODY_BYTES_MAX.toString(16)}\r\n`));
  parser.push(new Uint8Array(HTTP_BODY_BYTES_MAX));
  parser.push(bytesOf("\r\n"));
  assert.equal(parser.next().kind, "incomplete");
  parser.push(bytesOf("1\r\n"));
  const step = parser.next();
  assert.equal(step.kind === "refused" && step.refusal.status, 413);
  assert.equal(parser.bytesWaiting, 0);
});
