/** One connection of the server: requests in, replies out, one after the other. */
import { unreachable } from "../../base/assert.ts";
import { type Clock, type Deadline, startDeadline } from "../../base/clock.ts";
import {
  HTTP_AHEAD_BYTES_MAX,
  HTTP_IDLE_MS,
  HTTP_LINGER_BYTES_MAX,
  HTTP_LINGER_MS,
  HTTP_READ_BYTES,
  HTTP_REPLY_MS,
  HTTP_REQUEST_MS,
} from "../../base/limits.ts";
import { errorText, type Log } from "../../base/log.ts";
import { CONTINUE, encodeReply, type HttpReply, refusalReply } from "./reply.ts";
import { type HttpRequest, RequestParser } from "./request_parser.ts";

/** A connection's bytes, as `Deno.Conn` has them. */
export interface ByteStream {
  /** How many bytes came; `null`: the peer sends no more. Rejects once it is closed. */
  read(into: Uint8Array): Promise<number | null>;
  /** How many bytes went. */
  write(bytes: Uint8Array): Promise<number>;
  /** Says that no more bytes go, and leaves the other direction open. */
  closeWrite(): Promise<void>;
  close(): void;
}

/** Answers a request. It may throw the reason of its signal; whatever else it throws is a bug. */
export type HttpHandler = (
  request: HttpRequest,
  options: { readonly signal: AbortSignal },
) => Promise<HttpReply>;

/** Why the work for a request was given up: the reason of the signal that its handler got. */
export class RequestAborted extends Error {
  override readonly name = "RequestAborted";
  readonly code: "asker_gone" | "stopping";

  constructor(code: "asker_gone" | "stopping") {
    super(
      code === "asker_gone"
        ? "the asker closed its side of the connection before the answer: keep it open until then"
        : "the program stops: ask again when it is back",
    );
    this.code = code;
  }
}

/** What a connection works with. */
export interface ConnectionOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly handler: HttpHandler;
}

/** What a connection is at. */
export type ConnectionPhase = "idle" | "receiving" | "answering";

/** What waiting for a request came to. */
type Received =
  | { readonly kind: "request"; readonly request: HttpRequest }
  | {
    readonly kind: "refused";
    readonly reply: HttpReply;
    /** Whether more of it may be on its way. */
    readonly isSending: boolean;
  }
  | { readonly kind: "nothing" };

/** @param reason Why: a `RequestAborted`. */
function gaveUp(what: string, reason: unknown): HttpReply {
  const status = reason instanceof RequestAborted && reason.code === "stopping" ? 503 : 400;
  return refusalReply(status, { message: `Gave up on ${what}: ${errorText(reason)}` });
}

/** A signal for waits that end by what happens on the connection, or by their own deadline. */
const NEVER = new AbortController().signal;

/**
 * Serves one connection until it ends. A peer that closes its side while its request is worked on
 * has gone, as Go's server sees it too: the work is aborted, and one that closed only its half is
 * told so.
 */
export class HttpConnection {
  readonly #stream: ByteStream;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #handler: HttpHandler;
  readonly #parser = new RequestParser();
  readonly #chunk = new Uint8Array(HTTP_READ_BYTES);
  #phase: ConnectionPhase = "idle";
  #phaseSinceMs: number;
  #servedCount = 0;
  #reading: Promise<void> | undefined;
  #bytesDiscarded: number | undefined;
  #hasEnded = false;
  #isClosed = false;
  #isLast = false;
  #isStopping = false;
  #evictedFor: string | undefined;
  #work: AbortController | undefined;
  /** Resolves the wait of `#untilEvent`; whatever changes one of the fields above calls it. */
  #wake = (): void => {};

  constructor(stream: ByteStream, { clock, log, handler }: ConnectionOptions) {
    this.#stream = stream;
    this.#clock = clock;
    this.#log = log;
    this.#handler = handler;
    this.#phaseSinceMs = clock.monotonicMs();
  }

  /** What it is at. */
  get phase(): ConnectionPhase {
    return this.#phase;
  }

  /** Since when, on the monotonic clock. */
  get phaseSinceMs(): number {
    return this.#phaseSinceMs;
  }

  /** Serves it to its end, and closes it. What goes wrong with the peer is no error. */
  async run(): Promise<void> {
    try {
      while (await this.#serveOne());
    } finally {
      this.#close();
      await this.#reading;
    }
  }

  /** Lets no request follow the one that it is at or waits for. */
  makeLast(): void {
    this.#isLast = true;
  }

  /** Lets the request end that it is at, if there is one, and no other begin. */
  stop(): void {
    this.#isLast = true;
    this.#isStopping = true;
    this.#wake();
  }

  /**
   * Ends it once it is not answering.
   *
   * @param why One sentence, for a peer whose request has not come yet.
   */
  evict(why: string): void {
    this.#evictedFor ??= why;
    this.#wake();
  }

  /** Gives up the request that it is at. */
  abort(): void {
    const reason = new RequestAborted("stopping");
    this.stop();
    this.#work?.abort(reason);
    this.evict(`Gave up on the request: ${reason.message}`);
  }

  /** Closes it, whatever it is at. */
  cut(): void {
    this.#close();
  }

  /** One request and its reply. @returns Whether another may follow. */
  async #serveOne(): Promise<boolean> {
    this.#enter("idle");
    const received = await this.#receive();
    switch (received.kind) {
      case "nothing":
        return false;
      case "refused": {
        const wasSent = await this.#send(received.reply, { isClosing: true, isHead: false });
        if (wasSent && received.isSending) await this.#linger();
        return false;
      }
      case "request": {
        const { request } = received;
        this.#enter("answering");
        const reply = await this.#answer(request);
        this.#servedCount++;
        const isClosing = !request.keepsAlive || this.#hasEnded || this.#isLast ||
          this.#evictedFor !== undefined;
        const wasSent = await this.#send(reply, { isClosing, isHead: request.method === "HEAD" });
        return wasSent && !isClosing;
      }
      default:
        return unreachable(received);
    }
  }

  /** Waits for a whole request. */
  async #receive(): Promise<Received> {
    using timers = new DisposableStack();
    const start = (timeoutMs: number): Deadline =>
      timers.use(startDeadline(this.#clock, { timeoutMs, what: "a request", signal: NEVER }));
    let deadline = start(HTTP_IDLE_MS);
    let hasContinued = false;
    for (;;) {
      const step = this.#parser.next();
      if (step.kind === "request") return step;
      if (step.kind === "refused") {
        const reply = refusalReply(step.refusal.status, step.refusal);
        return { kind: "refused", reply, isSending: true };
      }
      if (!step.isIdle && this.#phase === "idle") {
        this.#enter("receiving");
        deadline = start(HTTP_REQUEST_MS);
      }
      const end = this.#endOfReceiving({ isLate: deadline.signal.aborted });
      if (end !== undefined) return end;
      if (step.awaitsContinue && !hasContinued) {
        hasContinued = true;
        if (!await this.#write(CONTINUE)) return { kind: "nothing" };
      } else await this.#untilEvent(deadline.signal);
    }
  }

  /** Why no more of a request is waited for; `undefined` while it is. */
  #endOfReceiving({ isLate }: { readonly isLate: boolean }): Received | undefined {
    const isIdle = this.#phase === "idle";
    if (isIdle && (this.#hasEnded || this.#isStopping)) return { kind: "nothing" };
    const refused = (status: 400 | 408 | 503, message: string): Received =>
      // Who has been answered before may be about to ask again, and would take it for the answer.
      isIdle && this.#servedCount > 0 ? { kind: "nothing" } : {
        kind: "refused",
        reply: refusalReply(status, { message }),
        isSending: false,
      };
    if (this.#hasEnded) {
      return refused(400, "Cannot read the request: the connection ended within it: send it whole");
    }
    if (this.#evictedFor !== undefined) return refused(503, this.#evictedFor);
    if (!isLate) return undefined;
    return refused(
      408,
      isIdle
        ? `Gave up on the connection: no request came within ${HTTP_IDLE_MS} ms`
        : `Gave up on the request: it did not come whole within ${HTTP_REQUEST_MS} ms`,
    );
  }

  /** Has the handler answer, and sees meanwhile whether the peer is still there. */
  async #answer(request: HttpRequest): Promise<HttpReply> {
    const work = new AbortController();
    this.#work = work;
    let reply: HttpReply | undefined;
    const handling = this.#handle(request, work.signal).then((made) => {
      reply = made;
      this.#wake();
    });
    while (reply === undefined) {
      if (this.#hasEnded) work.abort(new RequestAborted("asker_gone"));
      const isFull = this.#parser.bytesWaiting >= HTTP_AHEAD_BYTES_MAX;
      await this.#untilEvent(NEVER, { isReading: !isFull });
    }
    await handling;
    this.#work = undefined;
    return reply;
  }

  async #handle(request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    const what = `${request.method} ${request.path}`;
    try {
      return await this.#handler(request, { signal });
    } catch (error) {
      if (signal.aborted && error !== signal.reason) {
        this.#log.warn("work that was aborted failed", { what, error });
      }
      if (signal.aborted) return gaveUp(what, signal.reason);
      this.#log.error("a request met a bug", { what, error });
      const message = `Cannot answer ${what}: the program has a bug: see its log`;
      return { status: 500, json: message };
    }
  }

  /** Throws away what a refused peer still sends: closed at once, it might not read the refusal. */
  async #linger(): Promise<void> {
    await this.#stream.closeWrite().catch(() => {}); // The peer has gone.
    this.#bytesDiscarded = 0;
    using deadline = startDeadline(this.#clock, {
      timeoutMs: HTTP_LINGER_MS,
      what: "the rest of a request",
      signal: NEVER,
    });
    while (
      !this.#hasEnded && !this.#isStopping && this.#evictedFor === undefined &&
      !deadline.signal.aborted && this.#bytesDiscarded < HTTP_LINGER_BYTES_MAX
    ) await this.#untilEvent(deadline.signal);
  }

  /** Resolves when something happened: bytes, their end, a reply, a deadline, `stop`, ... */
  async #untilEvent(
    late: AbortSignal,
    { isReading = true }: { readonly isReading?: boolean } = {},
  ): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wake = wake;
    late.addEventListener("abort", wake, { once: true });
    if (isReading && !this.#hasEnded) this.#reading ??= this.#read();
    await promise;
    late.removeEventListener("abort", wake);
  }

  async #read(): Promise<void> {
    try {
      const size = await this.#stream.read(this.#chunk);
      if (size === null) this.#hasEnded = true;
      else if (this.#bytesDiscarded !== undefined) this.#bytesDiscarded += size;
      else this.#parser.push(this.#chunk.subarray(0, size));
    } catch {
      this.#hasEnded = true; // The peer has gone, or the stream was closed here.
    }
    this.#reading = undefined;
    this.#wake();
  }

  #send(
    reply: HttpReply,
    form: { readonly isClosing: boolean; readonly isHead: boolean },
  ): Promise<boolean> {
    return this.#write(encodeReply(reply, { ...form, nowMs: this.#clock.nowMs() }));
  }

  /** @returns Whether all was sent; a peer that takes too long to accept it is cut off. */
  async #write(bytes: Uint8Array): Promise<boolean> {
    using deadline = startDeadline(this.#clock, {
      timeoutMs: HTTP_REPLY_MS,
      what: "sending a reply",
      signal: NEVER,
    });
    deadline.signal.addEventListener("abort", () => this.#close(), { once: true });
    try {
      for (let sent = 0; sent < bytes.length;) {
        sent += await this.#stream.write(bytes.subarray(sent));
      }
      return true;
    } catch {
      return false; // The peer has gone.
    }
  }

  #enter(phase: ConnectionPhase): void {
    this.#phase = phase;
    this.#phaseSinceMs = this.#clock.monotonicMs();
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stream.close();
  }
}
