/** JSON with one long list in it, read as it comes. */

/** Character codes that the structure of JSON is made of. */
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Depth of the elements' commas: in the outermost object, in the list. */
const LIST_DEPTH = 2;

/** What is done with what is read. */
export interface ElementTaker {
  /** The list begins. @param before The object with the members that came before it. */
  readonly begin: (before: unknown) => void;
  /** Gets elements in their order, some at a time. */
  readonly elements: (elements: readonly unknown[]) => void;
}

/**
 * Reads an object of which one member is a long list, and never holds all of that list: 60,000 rows
 * are 8 MB of text, and many times that once they are parsed as one.
 *
 * Give the text in pieces of any size, and say when it ends. Elements are handed on as soon as they
 * are whole; whether what is around them is JSON is known at the end only.
 */
export class JsonElementReader {
  readonly #beforeList: RegExp;
  readonly #takes: ElementTaker;
  /** Objects and lists that are open: 1 in the outermost object. */
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isInList = false;
  #hasElements = false;
  /** What is around the list, with `[]` in its place. */
  #around = "";
  /** The list's elements that were not whole in the pieces before. */
  #rest = "";

  /**
   * @param member Name in the outermost object: letters.
   * @param takes What is done with what is read.
   */
  constructor(member: string, takes: ElementTaker) {
    // A quote that is part of a name has a backslash before it.
    this.#beforeList = new RegExp(`[{,\\s]"${member}"\\s*:\\s*$`);
    this.#takes = takes;
  }

  /** Takes the next piece. @throws {SyntaxError} If elements are no JSON. */
  push(piece: string): void {
    /** Where what is not yet put away begins. */
    let from = 0;
    /** Behind the last element that is whole. */
    let whole = -1;
    for (let at = 0; at < piece.length; at++) {
      const code = piece.charCodeAt(at);
      if (this.#isInString) {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (code === BACKSLASH) this.#isEscaped = true;
        else if (code === QUOTE) this.#isInString = false;
      } else if (code === QUOTE) {
        this.#isInString = true;
      } else if (code === OPEN_OBJECT) {
        this.#depth++;
      } else if (code === OPEN_LIST) {
        this.#depth++;
        if (this.#depth !== LIST_DEPTH || this.#isInList) continue;
        this.#around += piece.slice(from, at);
        from = at;
        if (!this.#beforeList.test(this.#around)) continue;
        this.#isInList = true;
        from = at + 1;
        this.#takes.begin(JSON.parse(`${this.#around}[]}`));
      } else if (code === CLOSE_OBJECT) {
        this.#depth--;
      } else if (code === COMMA) {
        if (this.#isInList && this.#depth === LIST_DEPTH) whole = at;
      } else if (code === CLOSE_LIST) {
        this.#depth--;
        if (!this.#isInList || this.#depth >= LIST_DEPTH) continue;
        this.#give(piece.slice(from, at), { isLast: true });
        this.#around += "[]";
        this.#isInList = false;
        from = at + 1;
        whole = -1;
      }
    }
    if (!this.#isInList) {
      this.#around += piece.slice(from);
      return;
    }
    if (whole >= 0) {
      this.#give(piece.slice(from, whole), { isLast: false });
      from = whole + 1;
    }
    this.#rest += piece.slice(from);
  }

  /**
   * Says that there is no more.
   *
   * @returns The object, in which the list is empty.
   * @throws {SyntaxError} If it is no JSON.
   */
  end(): unknown {
    return JSON.parse(this.#isInList ? `${this.#around}[${this.#rest}` : this.#around);
  }

  #give(text: string, { isLast }: { readonly isLast: boolean }): void {
    const elements = this.#rest + text;
    this.#rest = "";
    if (isLast && !this.#hasElements && /^\s*$/.test(elements)) return;
    this.#hasElements = true;
    const parsed: unknown = JSON.parse(`[${elements}]`);
    // A comma too many leaves an element out: `[1,]` is `1`, and then nothing.
    if (!Array.isArray(parsed) || parsed.length === 0) throw new SyntaxError("an element is empty");
    this.#takes.elements(parsed);
  }
}
