/** The plain side of HTTP, for tests that must see each byte. */
import type { ByteStream } from "../../src/daemon/http/connection.ts";

/** A reply as it came. */
export interface ReadReply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Sends bytes and reads replies over a connection; only what `close` says is closed. */
export class HttpClient {
  readonly #stream: ByteStream;
  #text = "";
  #hasEnded = false;

  constructor(stream: ByteStream) {
    this.#stream = stream;
  }

  /** Sends a text as it is, one byte for each character. */
  async send(text: string): Promise<void> {
    const bytes = new Uint8Array(text.length);
    for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#stream.write(bytes.subarray(sent));
    }
  }

  /** Sends a request with a JSON body, if there is one, and reads its reply. */
  async ask(method: string, path: string, { json, headers = "" }: {
    readonly json?: unknown;
    readonly headers?: string;
  } = {}): Promise<ReadReply> {
    const body = json === undefined ? "" : JSON.stringify(json);
    const length = json === undefined ? "" : `Content-Length: ${body.length}\r\n`;
    await this.send(`${method} ${path} HTTP/1.1\r\nHost: \r\n${headers}${length}\r\n${body}`);
    return await this.reply({ isHead: method === "HEAD" });
  }

  /** The next reply. @throws {Error} If the connection ends before it is whole. */
  async reply({ isHead = false }: { readonly isHead?: boolean } = {}): Promise<ReadReply> {
    const head = await this.#until("\r\n\r\n");
    const [first = "", ...lines] = head.split("\r\n");
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1]);
    const headers = new Map(lines.map((line) => {
      const cut = line.indexOf(":");
      return [line.slice(0, cut).toLowerCase(), line.slice(cut + 1).trim()] as const;
    }));
    const size = isHead ? 0 : Number(headers.get("content-length") ?? "0");
    while (this.#text.length < size) await this.#more();
    const bytes = Uint8Array.from(this.#text.slice(0, size), (one) => one.charCodeAt(0));
    this.#text = this.#text.slice(size);
    return { status, headers, body: new TextDecoder().decode(bytes) };
  }

  /** Resolves when the peer has ended the connection. @returns What came that no reply took. */
  async end(): Promise<string> {
    while (!this.#hasEnded) await this.#read();
    return this.#text;
  }

  /** Says that nothing more is sent, and still reads. */
  closeWrite(): Promise<void> {
    return this.#stream.closeWrite();
  }

  close(): void {
    this.#stream.close();
  }

  async #until(mark: string): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf(mark);
      if (end >= 0) {
        const found = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + mark.length);
        return found;
      }
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    if (this.#hasEnded) throw new Error(`The connection ended after ${JSON.stringify(this.#text)}`);
    await this.#read();
  }

  async #read(): Promise<void> {
    const chunk = new Uint8Array(4_096);
    let size: number | null;
    try {
      size = await this.#stream.read(chunk);
    } catch (error) {
      if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
      size = null;
    }
    if (size === null) this.#hasEnded = true;
    else this.#text += String.fromCharCode(...chunk.subarray(0, size));
  }
}
