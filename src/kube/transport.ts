/** The only way to the API server: requests with credentials, deadlines and safe retries. */
import { type Clock, type Deadline, startDeadline, startTimer } from "../base/clock.ts";
import type { StoreError, StoreResult } from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ClusterAccess, ReadText } from "./access.ts";
import { expiryOf } from "./certificate_expiry.ts";
import { connectProblemOf } from "./connect_problem.ts";
import { Connections, type Lane } from "./connections.ts";
import { Credentials, type Presentation } from "./credentials.ts";
import { parseJson, readChunks, readReply, readText, type ReplyReader } from "./reply_text.ts";
import { type Asked, type Refusal, retryAfterMsOf, storeErrorOf } from "./status.ts";

/** One request. */
export interface ApiRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Path and query, from the slash on. */
  readonly path: string;
  /** `Accept` header. */
  readonly accept: string;
  /** JSON text. */
  readonly body?: string | undefined;
  /** What is done, behind "Cannot" in messages: `create pods "default/web-0"`. */
  readonly what: string;
  /** Makes what reads the reply of a success; each try gets one. Absent: all of it is one value. */
  readonly reader?: (() => ReplyReader) | undefined;
}

/** What a transport is built from. */
export interface TransportOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Name of the program: the server's audit log and `managedFields` show it. */
  readonly userAgent: string;
  /** `Deno.readTextFile` where absent. */
  readonly readText?: ReadText | undefined;
}

/** A reply that is read as it comes. Dispose it: that ends the request. */
export interface ReplyStream extends Disposable {
  /** Read as it is asked for; fails with the signal's reason once that aborts. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Milliseconds a call may take, retries included, where the caller names no time. */
export const CALL_TIMEOUT_MS = 30_000;
/** Times a request is sent at most; those that were only throttled do not count. */
const SENDS_MAX = 4;
/** Milliseconds before the first repetition; doubles, with jitter. */
const BACKOFF_MS_MIN = 100;
const BACKOFF_MS_MAX = 5_000;

/** A refusal and whether the same request may go again. */
interface Failure {
  readonly error: StoreError;
  /** `"never"`; `"soon"` with our back-off; or the milliseconds the server asks for. */
  readonly again: "never" | "soon" | number;
}

/**
 * Sends requests to one API server: watches and crowds of calls over HTTP/2 (HTTP/1.1 where the
 * server offers no more), a few calls at a time over HTTP/1.1.
 *
 * Repeated within the call's time are: reads, whatever went wrong; writes only when nothing can
 * have been done (429, a refused connection, a rejected credential that has been rotated). A write
 * whose end is unclear is the caller's to settle (`outcomeUnknown`).
 */
export class Transport implements Disposable {
  readonly #access: ClusterAccess;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #credentials: Credentials;
  readonly #connections: Connections;
  #serverTimeMs: number | undefined;

  constructor(access: ClusterAccess, { clock, random, userAgent, readText }: TransportOptions) {
    this.#access = access;
    this.#clock = clock;
    this.#random = random;
    this.#headers = { "user-agent": userAgent };
    this.#credentials = new Credentials(access, {
      clock,
      readText: readText ?? ((path) => Deno.readTextFile(path)),
    });
    this.#connections = new Connections(access);
  }

  /** `https://host:port`, for messages. */
  get server(): string {
    return this.#access.server;
  }

  /** The server's time by the `Date` of its newest reply, Unix milliseconds, whole seconds. */
  serverTimeMs(): number | undefined {
    return this.#serverTimeMs;
  }

  /** Closes connections; requests in flight end when their signals do. */
  [Symbol.dispose](): void {
    this.#credentials[Symbol.dispose]();
    this.#connections[Symbol.dispose]();
  }

  /**
   * Sends a request and reads its JSON reply.
   *
   * @throws The signal's reason, if it aborts first.
   */
  async call(
    request: ApiRequest,
    { signal, timeoutMs = CALL_TIMEOUT_MS }: {
      readonly signal: AbortSignal;
      readonly timeoutMs?: number | undefined;
    },
  ): Promise<StoreResult<unknown>> {
    return await this.#repeat(request, {
      signal,
      timeoutMs,
      send: (deadline) =>
        this.#send(request, {
          caller: signal,
          signal: deadline.signal,
          // A read leaves time for another try on a new connection, should this one be dead.
          headersMs: isWrite(request) ? undefined : deadline.remainingMs() / 2,
        }),
    });
  }

  /**
   * Sends a GET whose reply does not end, such as a watch. Repeated as a call, until it begins.
   *
   * @throws The signal's reason, if it aborts before the reply begins; later, the body does.
   */
  open(
    request: ApiRequest,
    { signal, timeoutMs = CALL_TIMEOUT_MS }: {
      readonly signal: AbortSignal;
      readonly timeoutMs?: number | undefined;
    },
  ): Promise<StoreResult<ReplyStream>> {
    return this.#repeat(request, {
      signal,
      timeoutMs,
      send: (deadline) => this.#openOnce(request, { caller: signal, deadline }),
    });
  }

  async #repeat<T>(request: ApiRequest, { signal, timeoutMs, send }: {
    readonly signal: AbortSignal;
    readonly timeoutMs: number;
    readonly send: (deadline: Deadline) => Promise<Result<T, Failure>>;
  }): Promise<StoreResult<T>> {
    using deadline = startDeadline(this.#clock, { timeoutMs, what: request.what, signal });
    for (let sends = 1;; sends++) {
      const result = await send(deadline);
      if (result.ok) return result;
      const { error, again } = result.error;
      if (again === "never" || deadline.signal.aborted) return err(error);
      if (error.code === "throttled") sends--;
      if (sends >= SENDS_MAX) return err(error);
      const waitMs = this.#jitter(again === "soon" ? backoffMs(sends) : again);
      if (waitMs >= deadline.remainingMs()) return err(error);
      await this.#clock.sleep(waitMs, { signal });
    }
  }

  async #openOnce(
    request: ApiRequest,
    { caller, deadline }: { readonly caller: AbortSignal; readonly deadline: Deadline },
  ): Promise<Result<ReplyStream, Failure>> {
    // The stream outlives the deadline, so it hangs on the caller's signal alone.
    const controller = new AbortController();
    const abort = (): void => controller.abort(caller.reason);
    caller.addEventListener("abort", abort, { once: true });
    using undo = new DisposableStack();
    undo.defer(() => {
      caller.removeEventListener("abort", abort);
      controller.abort(new Error("The watch was given up"));
    });
    const reply = await this.#fetch(request, {
      caller,
      signal: controller.signal,
      headersMs: deadline.remainingMs() / 2,
      lane: "watch",
    });
    if (!reply.ok) return reply;
    const { response, presented } = reply.value;
    if (!response.ok) {
      const text = await readText(response).catch(() => "");
      return err(this.#failureOf({ response, text, request, presented }));
    }
    const end = undo.move();
    const chunks = readChunks(response, { signal: controller.signal });
    return ok({ chunks, [Symbol.dispose]: () => end.dispose() });
  }

  async #send(
    request: ApiRequest,
    times: {
      readonly caller: AbortSignal;
      readonly signal: AbortSignal;
      readonly headersMs: number | undefined;
    },
  ): Promise<Result<unknown, Failure>> {
    using call = this.#connections.beginCall();
    const { lane } = call;
    const reply = await this.#fetch(request, { ...times, lane });
    if (!reply.ok) return reply;
    const { response, presented } = reply.value;
    let read: Result<unknown, string>;
    try {
      if (!response.ok) {
        const text = await readText(response);
        return err(this.#failureOf({ response, text, request, presented }));
      }
      read = await readReply(response, request.reader?.());
    } catch (error) {
      times.caller.throwIfAborted();
      if (times.signal.aborted) return err(this.#timedOut(request));
      return err({
        error: this.#unavailable(request, {
          problem: connectProblemOf(error, this.#access).text,
          outcomeUnknown: isWrite(request),
        }),
        again: isWrite(request) ? "never" : "soon",
      });
    }
    if (read.ok) return read;
    const isPage = response.headers.get("content-type")?.startsWith("text/html") === true ||
      read.error.startsWith("Unexpected token '<'");
    const problem = isPage
      ? `the server answered ${response.status} with an HTML page: check that this is the ` +
        `address of a Kubernetes API server, not of a proxy`
      : `the server answered ${response.status} with broken JSON (${read.error})`;
    return err({
      error: this.#noJson(request, problem),
      again: isWrite(request) || isPage ? "never" : "soon",
    });
  }

  async #fetch(
    request: ApiRequest,
    { caller, signal, headersMs, lane }: {
      readonly caller: AbortSignal;
      readonly signal: AbortSignal;
      readonly headersMs: number | undefined;
      readonly lane: Lane;
    },
  ): Promise<Result<{ readonly response: Response; readonly presented: Presentation }, Failure>> {
    caller.throwIfAborted();
    const none = (problem: string): Failure => ({
      error: this.#unavailable(request, { problem, outcomeUnknown: false }),
      again: "never",
    });
    const presented = await this.#credentials.present({ signal: caller });
    if (!presented.ok) return err(none(presented.error));
    const client = this.#connections.get(lane, presented.value.tls);
    if (!client.ok) return err(none(client.error));
    const headers = new AbortController();
    const passOn = (): void => headers.abort(signal.reason);
    signal.addEventListener("abort", passOn, { once: true });
    if (signal.aborted) passOn();
    using _timer = headersMs === undefined
      ? undefined
      : startTimer(this.#clock, { ms: headersMs, act: () => headers.abort() });
    try {
      const response = await fetch(`${this.#access.server}${request.path}`, {
        method: request.method,
        headers: {
          ...this.#headers,
          ...presented.value.headers,
          accept: request.accept,
          ...(request.body !== undefined && { "content-type": "application/json" }),
        },
        ...(request.body !== undefined && { body: request.body }),
        redirect: "manual",
        signal: headers.signal,
        client: client.value,
      });
      this.#noteTime(response);
      return ok({ response, presented: presented.value });
    } catch (error) {
      signal.removeEventListener("abort", passOn);
      caller.throwIfAborted();
      if (headers.signal.aborted) {
        this.#connections.retire(lane, client.value);
        return err(this.#timedOut(request));
      }
      const { text: problem, nothingSent } = connectProblemOf(error, this.#access);
      const outcomeUnknown = isWrite(request) && !nothingSent;
      return err({
        error: this.#unavailable(request, { problem, outcomeUnknown }),
        again: outcomeUnknown ? "never" : "soon",
      });
    }
  }

  #failureOf({ response, text, request, presented }: {
    readonly response: Response;
    readonly text: string;
    readonly request: ApiRequest;
    readonly presented: Presentation;
  }): Failure {
    const body = parseJson(text);
    const refusal: Refusal = {
      status: response.status,
      body: body.ok ? body.value : text,
      retryAfter: response.headers.get("retry-after") ?? undefined,
    };
    if (refusal.status === 401) return this.#refused(request, presented);
    const location = response.headers.get("location");
    if (refusal.status >= 300 && refusal.status < 400) {
      const problem = `the server answered ${refusal.status}, a redirect to "${location}": ` +
        `check that this is the address of a Kubernetes API server`;
      return {
        error: this.#unavailable(request, { problem, outcomeUnknown: false }),
        again: "never",
      };
    }
    const error = storeErrorOf(refusal, this.#asked(request));
    if (error.code === "throttled") return { error, again: error.retryAfterMs };
    const mayPass = refusal.status >= 500 || refusal.status === 408;
    if (!mayPass || isWrite(request) || error.code === "invalid") return { error, again: "never" };
    return { error, again: retryAfterMsOf(refusal) ?? "soon" };
  }

  /** 401: says what is wrong with the credential, or tries again with a rotated one. */
  #refused(request: ApiRequest, presented: Presentation): Failure {
    const { origin } = this.#access;
    const renewed = this.#credentials.refuse(presented);
    const expiry = expiryOf(presented.tls.clientCertificate);
    const expired = expiry !== undefined && expiry < this.#clock.nowMs();
    const problem = expired
      ? `the client certificate of ${origin} expired on ${new Date(expiry).toISOString()}: renew it`
      : `the server does not accept the credentials of ${origin}: renew its token or certificate`;
    return {
      error: {
        code: "forbidden",
        message: this.#tell(request, problem),
        namespaceTerminating: false,
      },
      again: renewed ? "soon" : "never",
    };
  }

  #timedOut(request: ApiRequest): Failure {
    const problem = "the server did not answer in time: check its load and the network between";
    return {
      error: {
        code: "timeout",
        message: this.#tell(request, problem),
        outcomeUnknown: isWrite(request),
      },
      again: isWrite(request) ? "never" : "soon",
    };
  }

  #unavailable(
    request: ApiRequest,
    { problem, outcomeUnknown }: { readonly problem: string; readonly outcomeUnknown: boolean },
  ): StoreError {
    return { code: "unavailable", message: this.#tell(request, problem), outcomeUnknown };
  }

  #noJson(request: ApiRequest, problem: string): StoreError {
    return this.#unavailable(request, { problem, outcomeUnknown: isWrite(request) });
  }

  #tell(request: ApiRequest, problem: string): string {
    return `Cannot ${request.what} at ${this.#access.server}: ${problem}`;
  }

  #asked(request: ApiRequest): Asked {
    return { what: request.what, server: this.#access.server, isWrite: isWrite(request) };
  }

  #noteTime(response: Response): void {
    const date = Date.parse(response.headers.get("date") ?? "");
    if (!Number.isNaN(date)) this.#serverTimeMs = date;
  }

  /** Between the time itself and a quarter more: those who wait together do not come together. */
  #jitter(ms: number): number {
    return Math.max(ms, BACKOFF_MS_MIN) * (1 + this.#random.fraction() / 4);
  }
}

function isWrite(request: ApiRequest): boolean {
  return request.method !== "GET";
}

function backoffMs(sends: number): number {
  return Math.min(BACKOFF_MS_MIN * 2 ** (sends - 1), BACKOFF_MS_MAX);
}
