/** Bodies of replies, read with a bound. */
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";

/** Bytes of one reply: 10,000 full pods are about a fifth. */
const REPLY_BYTES_MAX = 256 * 1024 * 1024;

/** Takes the text of a reply in pieces, and gives its value at the end. */
export interface ReplyReader {
  /** @throws {SyntaxError} If it is not what is read. */
  push(piece: string): void;
  /** @throws {SyntaxError} If it is not what is read, or not whole. */
  end(): unknown;
}

/** Parses JSON; the refusal is the parser's own words. */
export function parseJson(text: string): Result<unknown, string> {
  try {
    return ok(JSON.parse(text));
  } catch (error) {
    return err(errorText(error));
  }
}

/**
 * Reads a body that does not end, one chunk at a time as they are asked for.
 *
 * Cancels the body itself when the signal aborts: Deno links a request's signal to its response
 * weakly, so that an abort after a garbage collection would not reach a read that waits.
 *
 * @throws The signal's reason, once it aborts.
 */
export async function* readChunks(
  response: Response,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const cancel = (): void => {
    reader.cancel(signal.reason).catch(() => {}); // Already failed: there is nothing to cancel.
  };
  signal.addEventListener("abort", cancel, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      const { done, value } = await reader.read();
      signal.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}

/**
 * Reads a body as text.
 *
 * @throws {Error} If the body is cut or too long.
 */
export async function readText(response: Response): Promise<string> {
  const length = Number(response.headers.get("content-length") ?? Number.NaN);
  if (length <= REPLY_BYTES_MAX) return await response.text();
  const decoder = new TextDecoder();
  const parts: string[] = [];
  let bytesRead = 0;
  for await (const chunk of response.body ?? []) {
    bytesRead += chunk.length;
    if (bytesRead > REPLY_BYTES_MAX) {
      throw new Error(`the reply is longer than ${REPLY_BYTES_MAX} bytes: list in pages`);
    }
    parts.push(decoder.decode(chunk, { stream: true }));
  }
  parts.push(decoder.decode());
  return parts.join("");
}

/**
 * Reads a body as JSON, or has a reader take it as it comes: then nobody holds all of its text.
 *
 * @returns Or why it is not what is read.
 * @throws {Error} If the body is cut or too long.
 */
export async function readReply(
  response: Response,
  reader: ReplyReader | undefined,
): Promise<Result<unknown, string>> {
  if (reader === undefined) return parseJson(await readText(response));
  try {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      reader.push(decoder.decode(chunk, { stream: true }));
    }
    reader.push(decoder.decode());
    return ok(reader.end());
  } catch (error) {
    if (error instanceof SyntaxError) return err(error.message);
    throw error;
  }
}
