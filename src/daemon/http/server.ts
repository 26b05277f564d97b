/** The server: takes connections up to a bound, and ends them in order. */
import {
  HTTP_ACCEPT_RETRY_MS,
  HTTP_STOP_SETTLE_MS,
  STOP_ABORT_MS,
  STOP_GRACE_MS,
} from "../../base/limits.ts";
import { startDeadline } from "../../base/clock.ts";
import { type ByteStream, type ConnectionOptions, HttpConnection } from "./connection.ts";

/** For waits that only their time ends. */
const NEVER = new AbortController().signal;

/** Where connections come from, as `Deno.Listener` has it. */
export interface HttpListener {
  /** The next connection. Rejects once it is closed. */
  accept(): Promise<ByteStream>;
  close(): void;
}

/** What a server works with. */
export interface ServerOptions extends ConnectionOptions {
  /** Connections that are open at a time. */
  readonly connectionsMax: number;
}

/**
 * Serves HTTP/1.1 on a listener.
 *
 * When all connections are taken, a new one takes the place of the one that has been idle longest,
 * else of the one whose request has been on its way longest; requests that are worked on are never
 * ended for it. So connections that nobody uses hurt nobody, however many there are.
 */
export class HttpServer {
  readonly #listener: HttpListener;
  readonly #options: ServerOptions;
  readonly #connections = new Map<HttpConnection, Promise<void>>();
  /** Those that were told to end, and will in a moment. */
  readonly #leaving = new Map<HttpConnection, Promise<void>>();
  readonly #stopped = new AbortController();
  /** Whether each connection is for one more request at most. */
  #isEnding = false;
  #isStopping = false;
  /** Whether the listener ended by itself. */
  #isClosed = false;

  constructor(listener: HttpListener, options: ServerOptions) {
    this.#listener = listener;
    this.#options = options;
  }

  /** Connections that are open. */
  get connectionCount(): number {
    return this.#connections.size + this.#leaving.size;
  }

  /**
   * Takes connections until `stop`.
   *
   * @throws {Error} If the listener ends by itself: nobody can be served any more.
   */
  async run(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#isStopping) {
      try {
        this.#take(await this.#listener.accept());
      } catch (error) {
        if (this.#isStopping) return;
        if (error instanceof Deno.errors.BadResource) {
          this.#isClosed = true;
          throw error;
        }
        log.warn("cannot accept a connection", { error });
        this.#evictOne(); // The machine may be out of descriptors.
        await clock.sleep(HTTP_ACCEPT_RETRY_MS, { signal: this.#stopped.signal }).catch(() => {});
      }
    }
  }

  /**
   * Takes no more connections and lets requests in flight end; those that take longer than their
   * grace are aborted, and what does not end even then is cut off.
   */
  async stop(): Promise<void> {
    const { clock, log } = this.#options;
    this.#isEnding = true;
    for (const connection of this.#all()) connection.makeLast();
    // A request that was sent before now is in flight, though it may not have been read yet.
    await clock.sleep(HTTP_STOP_SETTLE_MS, { signal: NEVER });
    this.#isStopping = true;
    if (!this.#isClosed) this.#listener.close();
    this.#stopped.abort();
    for (const connection of this.#all()) connection.stop();
    if (await this.#allEnd({ withinMs: STOP_GRACE_MS })) return;
    log.warn("requests in flight do not end in time", { count: this.connectionCount });
    for (const connection of this.#all()) connection.abort();
    if (await this.#allEnd({ withinMs: STOP_ABORT_MS })) return;
    log.error("requests in flight do not end", { count: this.connectionCount });
    for (const connection of this.#all()) connection.cut();
  }

  #take(stream: ByteStream): void {
    const { connectionsMax } = this.#options;
    const isFull = this.#connections.size >= connectionsMax;
    if (this.#leaving.size >= connectionsMax) return stream.close();
    const connection = new HttpConnection(stream, this.#options);
    if (this.#isEnding) connection.makeLast();
    this.#connections.set(connection, this.#serve(connection));
    if (!isFull) return;
    if (this.#evictOne({ except: connection })) return;
    const why = `Cannot take the connection: ${connectionsMax} requests are worked on: ask later`;
    this.#dismiss(connection, why);
  }

  async #serve(connection: HttpConnection): Promise<void> {
    try {
      await connection.run();
    } catch (error) {
      this.#options.log.error("a connection met a bug", { error });
    } finally {
      this.#connections.delete(connection);
      this.#leaving.delete(connection);
    }
  }

  /** Ends the connection that is missed least. @returns Whether there is one. */
  #evictOne({ except }: { readonly except?: HttpConnection } = {}): boolean {
    let chosen: HttpConnection | undefined;
    for (const connection of this.#connections.keys()) {
      if (connection === except || connection.phase === "answering") continue;
      if (chosen === undefined || isMissedLess(connection, chosen)) chosen = connection;
    }
    if (chosen === undefined) return false;
    const why = `Cannot keep the connection: ${this.connectionCount} are open, and others ask: ` +
      `connect again when there is something to ask`;
    this.#dismiss(chosen, why);
    return true;
  }

  #dismiss(connection: HttpConnection, why: string): void {
    const served = this.#connections.get(connection);
    if (served === undefined) return;
    this.#connections.delete(connection);
    this.#leaving.set(connection, served);
    connection.evict(why);
  }

  #all(): readonly HttpConnection[] {
    return [...this.#connections.keys(), ...this.#leaving.keys()];
  }

  async #allEnd({ withinMs }: { readonly withinMs: number }): Promise<boolean> {
    using deadline = startDeadline(this.#options.clock, {
      timeoutMs: withinMs,
      what: "requests in flight",
      signal: NEVER,
    });
    const late = Promise.withResolvers<boolean>();
    deadline.signal.addEventListener("abort", () => late.resolve(false), { once: true });
    const all = Promise.all([...this.#connections.values(), ...this.#leaving.values()]);
    return await Promise.race([all.then(() => true), late.promise]);
  }
}

function isMissedLess(one: HttpConnection, other: HttpConnection): boolean {
  const isIdle = one.phase === "idle";
  if (isIdle !== (other.phase === "idle")) return isIdle;
  return one.phaseSinceMs < other.phaseSinceMs;
}
