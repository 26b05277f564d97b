/** An agent on a unix socket that answers what a test says, byte by byte if need be. */

/** A question that arrived. */
export interface Question {
  readonly method: string;
  readonly target: string;
  /** Header lines, lower case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** Gives all bytes of an answer; `undefined` hangs up without one. */
export type Answering = (question: Question) => string | undefined;

/** Listens until it is disposed. */
export class FakeAgent implements AsyncDisposable {
  readonly #listener: Deno.UnixListener;
  readonly #ended: Promise<void>;
  readonly asked: Question[] = [];
  answering: Answering = () => undefined;

  constructor(path: string) {
    this.#listener = Deno.listen({ transport: "unix", path: path });
    this.#ended = this.#serve();
  }

  async #serve(): Promise<void> {
    const serving: Promise<void>[] = [];
    for await (const connection of this.#listener) serving.push(this.#answer(connection));
    await Promise.all(serving);
  }

  async #answer(connection: Deno.UnixConn): Promise<void> {
    using peer = connection;
    try {
      const question = await readQuestion(peer);
      this.asked.push(question);
      const bytes = new TextEncoder().encode(this.answering(question) ?? "");
      for (let sent = 0; sent < bytes.length;) sent += await peer.write(bytes.subarray(sent));
    } catch (error) {
      // A plugin that has read enough, or was ended, hangs up.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#ended;
  }
}

/** An answer of HTTP/1.1 as the agent sends it. */
export function reply(status: number, body?: unknown): string {
  const text = body === undefined ? "" : JSON.stringify(body);
  const { length } = new TextEncoder().encode(text);
  return `HTTP/1.1 ${status} Whatever\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${length}\r\nConnection: close\r\n\r\n${text}`;
}

async function readQuestion(connection: Deno.UnixConn): Promise<Question> {
  const decoder = new TextDecoder("latin1"); // A character for each byte: lengths are right.
  const chunk = new Uint8Array(65_536);
  let text = "";
  for (;;) {
    const end = text.indexOf("\r\n\r\n");
    if (end >= 0) {
      const question = questionOf(text.slice(0, end), text.slice(end + 4));
      if (question !== undefined) return question;
    }
    const size = await connection.read(chunk);
    if (size === null) throw new Deno.errors.BrokenPipe("a question was cut");
    text += decoder.decode(chunk.subarray(0, size));
  }
}

/** `undefined` while the body is not whole. */
function questionOf(head: string, body: string): Question | undefined {
  const [first = "", ...lines] = head.split("\r\n");
  const [method = "", target = ""] = first.split(" ");
  const headers = new Map(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  if (body.length < Number(headers.get("content-length") ?? 0)) return undefined;
  const bytes = Uint8Array.from(body, (one) => one.charCodeAt(0));
  return { method, target, headers, body: new TextDecoder().decode(bytes) };
}
