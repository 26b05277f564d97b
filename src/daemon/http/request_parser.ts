/**
 * HTTP/1.1 requests out of bytes (RFC 9112). Pure: bytes go in as they come, requests come out. A
 * body is delivered whatever the method is: coordinators send one with GET.
 */
import { unreachable } from "../../base/assert.ts";
import { HTTP_BODY_BYTES_MAX, HTTP_HEAD_BYTES_MAX } from "../../base/limits.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { ByteBuffer } from "./byte_buffer.ts";
import { type HttpRefusal, readHead, type RequestHead } from "./request_head.ts";

/** One request. */
export interface HttpRequest {
  readonly method: string;
  /** As it was sent, up to the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case; fields of one name are joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
  /** Whether the connection may carry another request after the reply. */
  readonly keepsAlive: boolean;
}

/** What the bytes so far are. */
export type ParserStep =
  | { readonly kind: "request"; readonly request: HttpRequest }
  | { readonly kind: "refused"; readonly refusal: HttpRefusal }
  | {
    readonly kind: "incomplete";
    /** Whether nothing of the next request has come yet. */
    readonly isIdle: boolean;
    /** Whether the sender waits for `100 Continue` before it sends the body. */
    readonly awaitsContinue: boolean;
  };

/** Bytes of the line that begins a chunk. */
const CHUNK_LINE_BYTES_MAX = 256;

const ONE_BYTE = new TextDecoder("latin1");
const CR = 0x0d;
const LF = 0x0a;
const LINE_END = "\r\n";
const EMPTY_LINE = "\r\n\r\n";

type Phase =
  | { readonly kind: "head" }
  | { readonly kind: "fixed"; readonly head: RequestHead; readonly size: number }
  | { readonly kind: "chunkLine"; readonly head: RequestHead }
  | { readonly kind: "chunk"; readonly head: RequestHead; readonly size: number }
  | { readonly kind: "trailer"; readonly head: RequestHead }
  | { readonly kind: "refused"; readonly refusal: HttpRefusal };

/**
 * The requests of one connection. Where the bytes were split does not matter.
 *
 * Takes CRLF only, no folded headers, one framing: what is ambiguous is refused. `Host` is not
 * looked at: a Go client sends an empty one over a unix socket.
 */
export class RequestParser {
  readonly #buffer = new ByteBuffer();
  #phase: Phase = { kind: "head" };
  #parts: Uint8Array[] = [];
  #bodyBytes = 0;

  /** Bytes that came and belong to no request yet. */
  get bytesWaiting(): number {
    return this.#buffer.size;
  }

  /** Takes bytes; they are copied. */
  push(bytes: Uint8Array): void {
    this.#buffer.push(bytes);
  }

  /** The next whole request, if it is there. Call it until it is not. */
  next(): ParserStep {
    for (;;) {
      const done = this.#step();
      if (done !== undefined) return done;
    }
  }

  /** One phase; `undefined` when the next one can go on. */
  #step(): ParserStep | undefined {
    const phase = this.#phase;
    switch (phase.kind) {
      case "head":
        return this.#readHead();
      case "fixed":
        this.#take(phase.size - this.#bodyBytes);
        return this.#bodyBytes === phase.size ? this.#finish(phase.head) : this.#wait(phase.head);
      case "chunkLine":
        return this.#readChunkLine(phase.head);
      case "chunk":
        return this.#readChunk(phase);
      case "trailer":
        return this.#readTrailer(phase.head);
      case "refused":
        return phase;
      default:
        return unreachable(phase);
    }
  }

  #readHead(): ParserStep | undefined {
    const buffer = this.#buffer;
    // Some old clients end a body with an empty line that they do not count.
    while (buffer.at(0) === CR && buffer.at(1) === LF) buffer.take(2);
    if (buffer.size === 0) return { kind: "incomplete", isIdle: true, awaitsContinue: false };
    if (buffer.at(0) === CR && buffer.size === 1) return this.#wait();
    const other = this.#otherProtocol();
    if (other !== undefined) return other;
    const end = buffer.find(EMPTY_LINE);
    if ((end ?? leastBefore(EMPTY_LINE, buffer)) > HTTP_HEAD_BYTES_MAX) {
      return this.#refuse({
        status: 431,
        message: `Cannot read the request: its head has more than ${HTTP_HEAD_BYTES_MAX} bytes: ` +
          `send fewer headers, or shorter ones`,
      });
    }
    if (end === undefined) return this.#wait();
    const head = readHead(textOf(buffer.take(end)));
    buffer.take(4);
    if (!head.ok) return this.#refuse(head.error);
    const phase = bodyPhase(head.value);
    if (!phase.ok) return this.#refuse(phase.error);
    this.#phase = phase.value;
    return undefined;
  }

  /** What is no HTTP at all, such as TLS, is not waited for. */
  #otherProtocol(): ParserStep | undefined {
    const first = this.#buffer.at(0) ?? 0;
    if (/[!#$%&'*+.^_`|~\w-]/.test(String.fromCharCode(first))) return undefined;
    return this.#refuse({
      status: 400,
      message: `Cannot read the request: it begins with byte ${first}: speak HTTP/1.1`,
    });
  }

  #readChunkLine(head: RequestHead): ParserStep | undefined {
    const end = this.#buffer.find(LINE_END);
    const isLong = (end ?? leastBefore(LINE_END, this.#buffer)) > CHUNK_LINE_BYTES_MAX;
    if (end === undefined && !isLong) return this.#wait(head);
    const line = isLong ? "" : textOf(this.#buffer.take(end ?? 0));
    const digits = /^([0-9A-Fa-f]{1,12})[ \t]*(?:;|$)/.exec(line)?.[1];
    if (digits === undefined) {
      return this.#refuse({
        status: 400,
        message: `Cannot read the chunked body: a chunk begins with its size in hexadecimal digits`,
      });
    }
    this.#buffer.take(2);
    const size = parseInt(digits, 16);
    if (this.#bodyBytes + size > HTTP_BODY_BYTES_MAX) return this.#refuse(tooLarge());
    this.#phase = size === 0 ? { kind: "trailer", head } : {
      kind: "chunk",
      head,
      size: this.#bodyBytes + size,
    };
    return undefined;
  }

  #readChunk(
    { head, size }: { readonly head: RequestHead; readonly size: number },
  ): ParserStep | undefined {
    this.#take(size - this.#bodyBytes);
    if (this.#bodyBytes < size || this.#buffer.size < 2) return this.#wait(head);
    const end = this.#buffer.take(2);
    if (end[0] !== CR || end[1] !== LF) {
      return this.#refuse({
        status: 400,
        message: "Cannot read the chunked body: a chunk is longer than it says",
      });
    }
    this.#phase = { kind: "chunkLine", head };
    return undefined;
  }

  /** Fields after the body: read to their end, and not used. */
  #readTrailer(head: RequestHead): ParserStep | undefined {
    const isEmpty = this.#buffer.at(0) === CR && this.#buffer.at(1) === LF;
    const end = isEmpty ? 0 : this.#buffer.find(EMPTY_LINE);
    if ((end ?? leastBefore(EMPTY_LINE, this.#buffer)) > HTTP_HEAD_BYTES_MAX) {
      return this.#refuse({
        status: 431,
        message: `Cannot read the request: its trailer has more than ${HTTP_HEAD_BYTES_MAX} bytes`,
      });
    }
    if (end === undefined) return this.#wait(head);
    this.#buffer.take(isEmpty ? 2 : end + 4);
    return this.#finish(head);
  }

  /** Moves at most so many bytes of the buffer to the body. */
  #take(bytesMax: number): void {
    const size = Math.min(bytesMax, this.#buffer.size);
    if (size === 0) return;
    this.#parts.push(this.#buffer.take(size));
    this.#bodyBytes += size;
  }

  #finish(head: RequestHead): ParserStep {
    const body = joined(this.#parts, this.#bodyBytes);
    this.#phase = { kind: "head" };
    this.#parts = [];
    this.#bodyBytes = 0;
    const { method, path, headers, keepsAlive } = head;
    const query = new URLSearchParams(head.query);
    return { kind: "request", request: { method, path, query, headers, body, keepsAlive } };
  }

  #wait(head?: RequestHead): ParserStep {
    const awaitsContinue = head !== undefined && head.expectsContinue && this.#bodyBytes === 0 &&
      this.#buffer.size === 0;
    return { kind: "incomplete", isIdle: false, awaitsContinue };
  }

  #refuse(refusal: HttpRefusal): ParserStep {
    this.#phase = { kind: "refused", refusal };
    this.#parts = [];
    this.#buffer.clear();
    return { kind: "refused", refusal };
  }
}

function bodyPhase(head: RequestHead): Result<Phase, HttpRefusal> {
  const { framing } = head;
  if (framing.kind === "chunked") return ok({ kind: "chunkLine", head });
  if (framing.size > HTTP_BODY_BYTES_MAX) return err(tooLarge(framing.size));
  return ok({ kind: "fixed", head, size: framing.size });
}

function tooLarge(size?: number): HttpRefusal {
  const what = size === undefined ? `more than ${HTTP_BODY_BYTES_MAX}` : String(size);
  return {
    status: 413,
    message: `Cannot take a body of ${what} bytes: send at most ${HTTP_BODY_BYTES_MAX}`,
  };
}

/** Bytes that at least come before a text which is not there yet: its first part may be. */
function leastBefore(text: string, buffer: ByteBuffer): number {
  return buffer.size - (text.length - 1);
}

/** One character for each byte. */
function textOf(bytes: Uint8Array): string {
  return ONE_BYTE.decode(bytes);
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
