/** Bytes kept in the constructor's first allocation; the next are twice as large. */
const CAPACITY_MIN = 1_024;

/** A queue of bytes: taken in order, searched without copying. */
export class ByteBuffer {
  #bytes = new Uint8Array(0);
  #start = 0;
  #end = 0;
  /** Where the last search for its text may go on: nothing before it matches. */
  #searched = { text: "", from: 0 };

  /** How many bytes it holds. */
  get size(): number {
    return this.#end - this.#start;
  }

  /** The byte at a place, 0 being the next one to be taken. */
  at(index: number): number | undefined {
    return index < this.size ? this.#bytes[this.#start + index] : undefined;
  }

  /** Appends a copy. Amortised constant for each byte. */
  push(bytes: Uint8Array): void {
    if (this.#end + bytes.length > this.#bytes.length) {
      const needed = this.size + bytes.length;
      const moved = new Uint8Array(Math.max(CAPACITY_MIN, needed * 2));
      moved.set(this.#bytes.subarray(this.#start, this.#end));
      this.#end = this.size;
      this.#start = 0;
      this.#bytes = moved;
    }
    this.#bytes.set(bytes, this.#end);
    this.#end += bytes.length;
  }

  /** Takes the next `size` bytes out, as a copy; fewer if it does not hold so many. */
  take(size: number): Uint8Array {
    const taken = this.#bytes.slice(this.#start, Math.min(this.#start + size, this.#end));
    this.#start += taken.length;
    this.#searched = { text: "", from: 0 };
    if (this.size === 0) this.clear();
    return taken;
  }

  /**
   * How many bytes come before the first occurrence of an ASCII text. Asked again after more bytes
   * came, it goes on where it stopped.
   */
  find(text: string): number | undefined {
    const first = text.charCodeAt(0);
    const last = this.size - text.length;
    let index = this.#searched.text === text ? this.#searched.from : 0;
    while (index <= last) {
      const found = this.#bytes.indexOf(first, this.#start + index) - this.#start;
      if (found < 0 || found > last) break;
      if (this.#matches(text, found)) return found;
      index = found + 1;
    }
    this.#searched = { text, from: Math.max(last + 1, 0) };
    return undefined;
  }

  /** Forgets everything, and gives the memory back. */
  clear(): void {
    this.#bytes = new Uint8Array(0);
    this.#start = 0;
    this.#end = 0;
    this.#searched = { text: "", from: 0 };
  }

  #matches(text: string, index: number): boolean {
    for (let offset = 0; offset < text.length; offset++) {
      if (this.at(index + offset) !== text.charCodeAt(offset)) return false;
    }
    return true;
  }
}
