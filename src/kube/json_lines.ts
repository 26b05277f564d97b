/** Values of a stream of JSON, one a line. */

/** Characters of one line: an object of the largest size and its envelope, with room. */
const LINE_LENGTH_MAX = 8_000_000;

/**
 * Cuts a stream into lines. Bytes are taken from the stream only as lines are asked for, so a slow
 * reader slows the sender down. Leaving the loop cancels the stream.
 *
 * @throws {Error} If a line is longer than any object, or the stream fails.
 */
export async function* readLines(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const text = decoder.decode(chunk, { stream: true });
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      const line = rest + text.slice(start, end);
      rest = "";
      start = end + 1;
      if (line !== "") yield line;
    }
    rest += text.slice(start);
    if (rest.length > LINE_LENGTH_MAX) {
      throw new Error(`A line of the stream is longer than ${LINE_LENGTH_MAX} characters`);
    }
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
