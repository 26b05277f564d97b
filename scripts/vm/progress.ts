/** `name ...`, indented by two for each step around it, and what became of it. */
const TEST = /^((?: {2})*)(\S.*?) \.\.\.(?: (?:ok|FAILED|ignored)\b.*)?$/;
const FILE = /^running \d+ tests? from (.*)$/;
/** What tests print stands between two such lines; the first piece of the second is theirs. */
const OUTPUT_BEGIN = /^------- (?:[\w-]+ )?output -------$/;
const OUTPUT_END = /----- (?:[\w-]+ )?output end -----$/;
/** A longer line is none of deno's; its rest is not kept while its end is waited for. */
const LINE_CHARACTERS_MAX = 4096;

/**
 * Follows what `deno test` prints, to know which test runs. It serves the words of a message only:
 * a test that prints lines like deno's own can mislead it.
 */
export class Progress {
  #file: string | undefined;
  #running: string[] = [];
  #line = "";
  #isOutput = false;
  #steps = 0;

  /** Takes the next piece of output, cut anywhere. */
  take(text: string): void {
    const [first = "", ...rest] = text.split("\n");
    this.#line = (this.#line + first).slice(0, LINE_CHARACTERS_MAX);
    for (const line of rest) {
      this.#look(plain(this.#line));
      this.#line = line.slice(0, LINE_CHARACTERS_MAX);
    }
    const begun = plain(this.#line);
    if (begun.endsWith(" ...")) this.#look(begun); // Deno waits here for the test to end.
  }

  /** How often a test or file began or a test ended: a count that only grows. */
  get steps(): number {
    return this.#steps;
  }

  /** The file whose tests run, as deno names it. */
  get file(): string | undefined {
    return this.#file;
  }

  /** The test that runs, with its steps: `outer > inner`. */
  get running(): string | undefined {
    return this.#running.length === 0 ? undefined : this.#running.join(" > ");
  }

  #look(line: string): void {
    if (this.#isOutput) {
      this.#isOutput = !OUTPUT_END.test(line);
      return;
    }
    if (OUTPUT_BEGIN.test(line)) {
      this.#isOutput = true;
      return;
    }
    const file = FILE.exec(line)?.[1];
    if (file !== undefined) {
      this.#file = file;
      this.#running = [];
      this.#steps++;
      return;
    }
    const [, indent = "", name] = TEST.exec(line) ?? [];
    const depth = indent.length / 2;
    if (name === undefined || depth > this.#running.length) return;
    if (this.#running[depth] !== name) {
      this.#running = [...this.#running.slice(0, depth), name];
      this.#steps++;
    }
    if (line.endsWith(" ...")) return;
    this.#running = this.#running.slice(0, depth);
    this.#steps++;
  }
}

/** Without the codes that colour a terminal. */
function plain(text: string): string {
  // deno-lint-ignore no-control-regex -- these are the control characters that are to go
  return text.replace(/\x1b\[[0-9;]*m/g, "").replaceAll("\r", "");
}
