/** Keys in a chunk, at most; a full one is split in two. */
const CHUNK_KEYS_MAX = 512;

/**
 * A set of texts in the order of their UTF-16 units (for the API's names: of their bytes): a list
 * of short sorted chunks. `add` and `delete` cost two binary searches and a move within one chunk;
 * the list of chunks itself moves only when one is split or empty, once in 256 calls at most.
 */
export class SortedKeys {
  #chunks: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** @returns Whether the key was not there before. */
  add(key: string): boolean {
    const chunkIndex = Math.max(0, this.#chunkAt(key));
    const chunk = this.#chunks[chunkIndex];
    if (chunk === undefined) {
      this.#chunks.push([key]);
      this.#size++;
      return true;
    }
    const index = firstAtOrAfter(chunk, key);
    if (chunk[index] === key) return false;
    chunk.splice(index, 0, key);
    this.#size++;
    if (chunk.length > CHUNK_KEYS_MAX) {
      this.#chunks.splice(chunkIndex + 1, 0, chunk.splice(CHUNK_KEYS_MAX / 2));
    }
    return true;
  }

  /** @returns Whether the key was there. */
  delete(key: string): boolean {
    const chunkIndex = this.#chunkAt(key);
    const chunk = this.#chunks[chunkIndex];
    if (chunk === undefined) return false;
    const index = firstAtOrAfter(chunk, key);
    if (chunk[index] !== key) return false;
    chunk.splice(index, 1);
    this.#size--;
    if (chunk.length === 0) this.#chunks.splice(chunkIndex, 1);
    return true;
  }

  /** Keys at or after a text, in order. The set must not change while it is read. */
  *from(start: string): Generator<string, void> {
    let chunkIndex = Math.max(0, this.#chunkAt(start));
    let index = firstAtOrAfter(this.#chunks[chunkIndex] ?? [], start);
    for (; chunkIndex < this.#chunks.length; chunkIndex++, index = 0) {
      const chunk = this.#chunks[chunkIndex] ?? [];
      for (; index < chunk.length; index++) yield chunk[index] ?? "";
    }
  }

  /** Index of the last chunk that begins at or before the key; -1 if all begin after it. */
  #chunkAt(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#chunks[middle]?.[0] ?? "") <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function firstAtOrAfter(sorted: readonly string[], key: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? "") < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
