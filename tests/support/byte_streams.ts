/** Connections in memory, for servers that are handed theirs. */
import type { ByteStream } from "../../src/daemon/http/connection.ts";
import type { HttpListener } from "../../src/daemon/http/server.ts";

/** Bytes that a side may send before the other reads, as a socket's buffer has them. */
const CAPACITY_BYTES = 65_536;

/** One side of a connection. */
export class MemoryStream implements ByteStream {
  /** Set by `pair()`, the only maker. */
  #peer: MemoryStream = this;
  #incoming: Uint8Array[] = [];
  #bytesIncoming = 0;
  #hasPeerEnded = false;
  #isClosed = false;
  #waiting: (() => void)[] = [];
  /** Bytes that this side has read so far. */
  bytesRead = 0;

  /** Both sides of a new connection. */
  static pair(): readonly [MemoryStream, MemoryStream] {
    const one = new MemoryStream();
    const other = new MemoryStream();
    one.#peer = other;
    other.#peer = one;
    return [one, other];
  }

  /** Whether this side was closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  async read(into: Uint8Array): Promise<number | null> {
    for (;;) {
      if (this.#isClosed) throw new Deno.errors.Interrupted("operation canceled");
      const first = this.#incoming.shift();
      if (first !== undefined) {
        const size = Math.min(first.length, into.length);
        into.set(first.subarray(0, size));
        if (size < first.length) this.#incoming.unshift(first.subarray(size));
        this.#bytesIncoming -= size;
        this.bytesRead += size;
        this.#peer.#wake();
        return size;
      }
      if (this.#hasPeerEnded) return null;
      await this.#wait();
    }
  }

  async write(bytes: Uint8Array): Promise<number> {
    const peer = this.#peer;
    for (;;) {
      if (this.#isClosed) throw new Deno.errors.Interrupted("operation canceled");
      if (peer.#isClosed) throw new Deno.errors.BrokenPipe("Broken pipe");
      const size = Math.min(bytes.length, CAPACITY_BYTES - peer.#bytesIncoming);
      if (size > 0) {
        peer.#incoming.push(bytes.slice(0, size));
        peer.#bytesIncoming += size;
        peer.#wake();
        return size;
      }
      await this.#wait();
    }
  }

  closeWrite(): Promise<void> {
    this.#peer.#hasPeerEnded = true;
    this.#peer.#wake();
    return Promise.resolve();
  }

  close(): void {
    if (this.#isClosed) throw new Deno.errors.BadResource("Bad resource ID");
    this.#isClosed = true;
    void this.closeWrite();
    this.#wake();
    this.#peer.#wake();
  }

  #wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A listener to which a test connects. */
export class MemoryListener implements HttpListener {
  readonly #backlog: (MemoryStream | Error)[] = [];
  #waiting: (() => void) | undefined;
  #isClosed = false;

  /** Whether it was closed. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Connects, and gives the client's side. */
  connect(): MemoryStream {
    const [client, server] = MemoryStream.pair();
    this.#backlog.push(server);
    this.#waiting?.();
    return client;
  }

  /** Makes one `accept` fail. */
  fail(error: Error): void {
    this.#backlog.push(error);
    this.#waiting?.();
  }

  async accept(): Promise<ByteStream> {
    for (;;) {
      if (this.#isClosed) throw new Deno.errors.BadResource("Listener has been closed");
      const next = this.#backlog.shift();
      if (next instanceof Error) throw next;
      if (next !== undefined) return next;
      await new Promise<void>((resolve) => this.#waiting = resolve);
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#waiting?.();
  }
}
