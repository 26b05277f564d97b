import assert from "node:assert/strict";
import fc from "fast-check";
import { type ParserStep, RequestParser } from "./request_parser.ts";

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly header: string;
  readonly body: Uint8Array;
  /** Sizes of chunks; empty: the body has a length. */
  readonly chunks: readonly number[];
}

const sent: fc.Arbitrary<Sent> = fc.record({
  method: fc.constantFrom("GET", "POST", "DELETE", "M-SEARCH"),
  path: fc.webPath().map((path) => `/${path.replace(/^\/*/, "")}`),
  header: fc.string({ unit: fc.constantFrom(..." aB~:\t\x80"), maxLength: 20 }),
  body: fc.uint8Array({ maxLength: 300 }),
  chunks: fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 5 }),
});

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function written({ method, path, header, body, chunks }: Sent): readonly Uint8Array[] {
  const head = `${method} ${path} HTTP/1.1\r\nHost: \r\nX-Header:${header}\r\n`;
  if (chunks.length === 0) {
    return [bytesOf(`${head}Content-Length: ${body.length}\r\n\r\n`), body];
  }
  const parts = [bytesOf(`${head}Transfer-Encoding: chunked\r\n\r\n`)];
  let offset = 0;
  for (let index = 0; offset < body.length; index++) {
    const chunk = body.subarray(offset, offset + (chunks[index % chunks.length] ?? 1));
    parts.push(bytesOf(`${chunk.length.toString(16)}\r\n`), chunk, bytesOf("\r\n"));
    offset += chunk.length;
  }
  return [...parts, bytesOf("0\r\n\r\n")];
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** What a parser says of bytes that come in pieces; the last step is no request. */
function stepsOf(pieces: readonly Uint8Array[]): readonly ParserStep[] {
  const parser = new RequestParser();
  const steps: ParserStep[] = [];
  let last = parser.next();
  for (const piece of pieces) {
    parser.push(piece);
    for (last = parser.next(); last.kind === "request"; last = parser.next()) steps.push(last);
  }
  return [...steps, last];
}

function piecesOf(bytes: Uint8Array, cuts: readonly number[]): readonly Uint8Array[] {
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  const starts = [0, ...places];
  return starts.map((start, index) => bytes.slice(start, places[index] ?? bytes.length));
}

Deno.test("property: what was sent is read, wherever the bytes were split", () => {
  fc.assert(fc.property(
    fc.array(sent, { minLength: 1, maxLength: 4 }),
    fc.array(fc.nat(5_000), { maxLength: 40 }),
    (requests, cuts) => {
      const bytes = joined(requests.flatMap(written));
      const steps = stepsOf(piecesOf(bytes, cuts));
      assert.deepEqual(steps, stepsOf([bytes]));
      const end = steps.at(-1);
      assert.deepEqual(end, { kind: "incomplete", isIdle: true, awaitsContinue: false });
      const read = steps.flatMap((step) => step.kind === "request" ? [step.request] : []);
      assert.equal(read.length, requests.length);
      for (const [index, { method, path, header, body }] of requests.entries()) {
        const request = read[index];
        assert.equal(request?.method, method);
        assert.equal(request?.path, path);
        assert.deepEqual(request?.body, body);
        assert.equal(request?.headers.get("x-header")?.length, header.trim().length);
      }
    },
  ));
});

Deno.test("property: any bytes are read alike wherever they were split, and nothing throws", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "GET / HTTP/1.1\r\n",
      "Content-Length: 3\r\n",
      "Transfer-Encoding: chunked\r\n",
      "Expect: 100-continue\r\n",
      "\r\n",
      "\r",
      "\n",
      "3\r\nabc\r\n",
      "0\r\n",
      ":",
    ).map(bytesOf),
    fc.uint8Array({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 12 }).map(joined),
      fc.array(fc.nat(200), { maxLength: 20 }),
      (bytes, cuts) => {
        assert.deepEqual(stepsOf(piecesOf(bytes, cuts)), stepsOf([bytes]));
      },
    ),
    { numRuns: 1_000 },
  );
});
