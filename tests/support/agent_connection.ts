import type { AgentConnection } from "../../src/cni/agent_client.ts";

/** What a connection gives, read by read: bytes, an error, or nothing until it is closed. */
export type Piece = string | Uint8Array | Error | "hang";

/** A connection to an agent that says what a test wrote down, and then ends. */
export class ScriptedConnection implements AgentConnection {
  readonly #pieces: Piece[];
  readonly #closed = Promise.withResolvers<never>();
  readonly #writeError: Error | undefined;
  #asked = new Uint8Array();
  #rest: Uint8Array | undefined;
  isClosed = false;

  /** @param options.writeError Thrown by each write: the agent does not read. */
  constructor(
    pieces: readonly Piece[],
    { writeError }: { readonly writeError?: Error | undefined } = {},
  ) {
    this.#pieces = [...pieces];
    this.#writeError = writeError;
    this.#closed.promise.catch(() => {});
  }

  /** All that was written, as text. */
  get asked(): string {
    return new TextDecoder().decode(this.#asked);
  }

  async read(into: Uint8Array): Promise<number | null> {
    if (this.isClosed) return await this.#closed.promise;
    const piece = this.#rest ?? this.#pieces.shift();
    if (piece === undefined) return null;
    if (piece === "hang") return await this.#closed.promise;
    if (piece instanceof Error) throw piece;
    const bytes = typeof piece === "string" ? new TextEncoder().encode(piece) : piece;
    const size = Math.min(bytes.length, into.length);
    into.set(bytes.subarray(0, size));
    this.#rest = size < bytes.length ? bytes.subarray(size) : undefined;
    return size;
  }

  /** Takes at most 100 bytes, as a socket takes what it has room for. */
  write(bytes: Uint8Array): Promise<number> {
    if (this.#writeError !== undefined) return Promise.reject(this.#writeError);
    const taken = bytes.slice(0, 100);
    const all = new Uint8Array(this.#asked.length + taken.length);
    all.set(this.#asked);
    all.set(taken, this.#asked.length);
    this.#asked = all;
    return Promise.resolve(taken.length);
  }

  [Symbol.dispose](): void {
    this.isClosed = true;
    this.#closed.reject(new Deno.errors.Interrupted("the connection is closed"));
  }
}
