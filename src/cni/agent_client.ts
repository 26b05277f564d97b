/**
 * HTTP/1.1 for one question to the agent, over a connection that is given. It knows no message:
 * bodies are text. Each question has a connection of its own, which it asks to be closed.
 */
import { err, ok, type Result } from "../base/result.ts";

/** A connection to the agent. */
export interface AgentConnection extends Disposable {
  /** Reads what there is into a buffer. @returns Bytes read, or `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** @returns Bytes written, at least 1. */
  write(bytes: Uint8Array): Promise<number>;
  /** Closes it; reads and writes in flight end. May be called again. */
  [Symbol.dispose](): void;
}

/** A question. */
export interface AgentQuestion {
  readonly method: "GET" | "POST" | "DELETE";
  /** Path and query. */
  readonly target: string;
  /** JSON; absent for none. */
  readonly body?: string;
}

/** An answer, whatever its status. */
export interface AgentAnswer {
  readonly status: number;
  readonly body: string;
}

/** Why there is no answer. */
export type AskRefusal =
  /** The signal aborted first. */
  | { readonly code: "aborted" }
  /** The connection failed or ended before the answer was whole. */
  | { readonly code: "cut"; readonly cause: unknown }
  /** What came is no answer of HTTP/1.1. */
  | { readonly code: "not_http"; readonly what: string }
  /** The answer is longer than `ANSWER_BYTES_MAX`. */
  | { readonly code: "too_long" };

/** Bytes of an answer's body: a pod with 1,000 NICs fits. */
export const ANSWER_BYTES_MAX = 1_048_576;
/** Bytes of one line of an answer's head. */
const LINE_BYTES_MAX = 16_384;
/** Lines of an answer's head, interim answers included. */
const HEAD_LINES_MAX = 200;
const READ_BYTES = 16_384;

/** Thrown while an answer is read and caught by `ask`, never seen outside this file. */
class BadAnswer extends Error {
  override readonly name = "BadAnswer";
  readonly refusal: AskRefusal;

  constructor(refusal: AskRefusal) {
    super(refusal.code);
    this.refusal = refusal;
  }
}

/**
 * Asks one question. The connection is used up, whatever comes of it; who opened it closes it.
 *
 * @param options.signal Ends the wait: the connection is closed.
 * @outcome all of `AskRefusal`; after each of them the agent may have done what it was asked.
 */
export async function ask(
  connection: AgentConnection,
  question: AgentQuestion,
  { signal }: { readonly signal: AbortSignal },
): Promise<Result<AgentAnswer, AskRefusal>> {
  if (signal.aborted) return err({ code: "aborted" });
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {}); // Nobody may be waiting for it.
  const abort = (): void => {
    aborted.reject(new BadAnswer({ code: "aborted" }));
    connection[Symbol.dispose]();
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    const exchange = send(connection, question).then(() => readAnswer(new AnswerBytes(connection)));
    exchange.catch(() => {}); // It may end after the abort has been answered.
    return ok(await Promise.race([exchange, aborted.promise]));
  } catch (error) {
    if (error instanceof BadAnswer) return err(error.refusal);
    throw error;
  } finally {
    // A listener keeps a timeout's timer, and that the process.
    signal.removeEventListener("abort", abort);
  }
}

/** A peer that answers before it has read all makes writing fail: its answer counts. */
async function send(connection: AgentConnection, question: AgentQuestion): Promise<void> {
  const { method, target, body } = question;
  const encoder = new TextEncoder();
  const content = encoder.encode(body ?? "");
  const lines = [
    `${method} ${target} HTTP/1.1`,
    "Host: spiderpool-agent",
    "Accept: application/json",
    "Connection: close",
  ];
  if (body !== undefined) lines.push("Content-Type: application/json");
  if (body !== undefined || method === "POST") lines.push(`Content-Length: ${content.length}`);
  const head = encoder.encode(`${lines.join("\r\n")}\r\n\r\n`);
  const bytes = new Uint8Array(head.length + content.length);
  bytes.set(head);
  bytes.set(content, head.length);
  try {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  } catch {
    // Reading says what is wrong.
  }
}

async function readAnswer(bytes: AnswerBytes): Promise<AgentAnswer> {
  let status: number;
  let head: ReadonlyMap<string, string>;
  do {
    const line = await bytes.line();
    const match = /^HTTP\/1\.[01] (\d{3})(?: .*)?$/.exec(line);
    if (match === null) throw notHttp(`it begins with "${line.slice(0, 40)}"`);
    status = Number(match[1]);
    head = await readHead(bytes);
  } while (status >= 100 && status < 200 && status !== 101);
  const body = status === 204 || status === 304 ? "" : await readBody(bytes, head);
  return { status, body };
}

/** Header fields by lower-case name; a name that is repeated has its values between commas. */
async function readHead(bytes: AnswerBytes): Promise<ReadonlyMap<string, string>> {
  const head = new Map<string, string>();
  for (let line = await bytes.line(); line !== ""; line = await bytes.line()) {
    const colon = line.indexOf(":");
    if (colon < 1) throw notHttp(`its head has the line "${line.slice(0, 40)}"`);
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = head.get(name);
    head.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return head;
}

/** @source RFC 9112 section 6.3 */
async function readBody(bytes: AnswerBytes, head: ReadonlyMap<string, string>): Promise<string> {
  const coding = head.get("transfer-encoding");
  if (coding !== undefined) {
    if (coding.toLowerCase() !== "chunked") throw notHttp(`its transfer encoding is "${coding}"`);
    return await readChunks(bytes);
  }
  const length = head.get("content-length");
  if (length === undefined) return textOf([await bytes.rest()]);
  if (!/^\d{1,15}$/.test(length)) throw notHttp(`its content length is "${length}"`);
  return textOf([await bytes.exactly(Number(length))]);
}

async function readChunks(bytes: AnswerBytes): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytesRead = 0;
  for (;;) {
    const line = await bytes.line();
    const match = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line);
    if (match === null) throw notHttp(`a chunk has the size "${line.slice(0, 40)}"`);
    const size = Number.parseInt(match[1] ?? "", 16);
    if (size === 0) break;
    bytesRead += size;
    if (bytesRead > ANSWER_BYTES_MAX) throw new BadAnswer({ code: "too_long" });
    chunks.push(await bytes.exactly(size));
    if (await bytes.line() !== "") throw notHttp("a chunk is longer than its size");
  }
  await readHead(bytes); // Trailers: nothing of ours.
  return textOf(chunks);
}

function textOf(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  const text = chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("");
  return text + decoder.decode();
}

function notHttp(what: string): BadAnswer {
  return new BadAnswer({ code: "not_http", what });
}

/** What has been read of a connection and not been used yet. */
class AnswerBytes {
  readonly #connection: AgentConnection;
  #bytes = new Uint8Array(READ_BYTES);
  /** `#bytes` holds what is unused from here ... */
  #from = 0;
  /** ... to here. */
  #to = 0;
  #lines = 0;

  constructor(connection: AgentConnection) {
    this.#connection = connection;
  }

  /** The next line, without its end. */
  async line(): Promise<string> {
    if (++this.#lines > HEAD_LINES_MAX) throw notHttp("its head does not end");
    let searched = this.#from;
    for (;;) {
      const end = this.#bytes.subarray(0, this.#to).indexOf(0x0a, searched);
      if (end >= 0) {
        const line = this.#bytes.subarray(this.#from, end);
        this.#from = end + 1;
        return new TextDecoder().decode(line).replace(/\r$/, "");
      }
      if (this.#to - this.#from > LINE_BYTES_MAX) throw notHttp("its head has a line without end");
      searched = this.#to - this.#from;
      if (!await this.#more()) throw new BadAnswer({ code: "cut", cause: undefined });
      searched += this.#from;
    }
  }

  /** The next bytes, as many as are asked for. */
  async exactly(size: number): Promise<Uint8Array> {
    if (size > ANSWER_BYTES_MAX) throw new BadAnswer({ code: "too_long" });
    this.#lines = 0;
    while (this.#to - this.#from < size) {
      if (!await this.#more()) throw new BadAnswer({ code: "cut", cause: undefined });
    }
    this.#from += size;
    return this.#bytes.slice(this.#from - size, this.#from);
  }

  /** All bytes to the end. */
  async rest(): Promise<Uint8Array> {
    while (await this.#more()) {
      if (this.#to - this.#from > ANSWER_BYTES_MAX) throw new BadAnswer({ code: "too_long" });
    }
    return this.#bytes.slice(this.#from, this.#to);
  }

  /** Reads once more. @returns Whether there was anything. */
  async #more(): Promise<boolean> {
    if (this.#to === this.#bytes.length) {
      const unused = this.#bytes.subarray(this.#from, this.#to);
      const size = Math.max(READ_BYTES, unused.length * 2);
      const bytes = new Uint8Array(size);
      bytes.set(unused);
      this.#bytes = bytes;
      this.#to = unused.length;
      this.#from = 0;
    }
    try {
      const bytesRead = await this.#connection.read(this.#bytes.subarray(this.#to));
      this.#to += bytesRead ?? 0;
      return bytesRead !== null;
    } catch (cause) {
      throw new BadAnswer({ code: "cut", cause });
    }
  }
}
