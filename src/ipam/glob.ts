/** Wildcards in names of pools, as Go's `filepath.Match` reads them. */
import { assert } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";

/** One step of a pattern. Characters are code points. */
type Step =
  | { readonly kind: "literal"; readonly character: string }
  /** `?` */
  | { readonly kind: "one" }
  /** `*` */
  | { readonly kind: "many" }
  /** `[a-c]`, `[^a-c]` */
  | {
    readonly kind: "class";
    readonly isNegated: boolean;
    readonly ranges: readonly (readonly [low: string, high: string])[];
  };

/** A pattern, read once. */
export type Glob = readonly Step[];

/** Whether a name in a list of pools is meant as a pattern: `?`, `*`, or `[` and `]`. */
export function isPattern(name: string): boolean {
  return /[?*]/.test(name) || (name.includes("[") && name.includes("]"));
}

/**
 * Reads a pattern: `*` for any characters but `/`, `?` for one of them, `[a-c]` and `[^a-c]` for
 * one of a class; `\` takes the next character as it is.
 *
 * @returns Or what is wrong, as the end of a sentence that "it" begins.
 * @source Go `path/filepath` Match
 */
export function parseGlob(pattern: string): Result<Glob, string> {
  const steps: Step[] = [];
  const reader = new PatternReader(pattern);
  for (let next = reader.take(); next !== undefined; next = reader.take()) {
    if (next === "*") steps.push({ kind: "many" });
    else if (next === "?") steps.push({ kind: "one" });
    else if (next === "[") {
      const read = readClass(reader);
      if (!read.ok) return read;
      steps.push(read.value);
    } else {
      const character = next === "\\" ? reader.take() : next;
      if (character === undefined) return err('ends with "\\"; write "\\\\" if that is meant');
      steps.push({ kind: "literal", character });
    }
  }
  return ok(steps);
}

/** Whether a pattern matches a whole name. O(steps × characters). */
export function globMatches(glob: Glob, name: string): boolean {
  const characters = [...name];
  let step = 0;
  let at = 0;
  /** After the last `*` that was met: the step behind it, and how far it reaches. */
  let resume: { readonly step: number; at: number } | undefined;
  while (at < characters.length || step < glob.length) {
    const now = glob[step];
    if (now?.kind === "many") {
      resume = { step: ++step, at };
      continue;
    }
    const character = characters[at];
    if (now !== undefined && character !== undefined && stepMatches(now, character)) {
      step++;
      at++;
      continue;
    }
    // The last `*` takes one more: what an earlier one could take is no help then.
    const taken = resume === undefined ? undefined : characters[resume.at];
    if (resume === undefined || taken === undefined || taken === "/") return false;
    at = ++resume.at;
    step = resume.step;
  }
  return true;
}

function stepMatches(step: Step, character: string): boolean {
  switch (step.kind) {
    case "literal":
      return character === step.character;
    case "one":
      return character !== "/";
    case "class": {
      const isListed = step.ranges.some(([low, high]) =>
        codeOf(low) <= codeOf(character) && codeOf(character) <= codeOf(high)
      );
      return isListed !== step.isNegated;
    }
    case "many":
      return false; // It is no single character: globMatches() takes it apart.
  }
}

/** Reads what follows a `[`, with the `]` at its end. */
function readClass(reader: PatternReader): Result<Step, string> {
  const isNegated = reader.takeIf("^");
  const ranges: [string, string][] = [];
  while (ranges.length === 0 || !reader.takeIf("]")) {
    const low = readMember(reader);
    if (!low.ok) return low;
    const high = reader.takeIf("-") ? readMember(reader) : low;
    if (!high.ok) return high;
    ranges.push([low.value, high.value]);
  }
  return ok({ kind: "class", isNegated, ranges });
}

function readMember(reader: PatternReader): Result<string, string> {
  const next = reader.take();
  if (next === undefined) return err('has "[" without "]"; write "[...]"');
  if (next === "-" || next === "]") {
    return err(`has "${next}" where a "[...]" needs a character; write "\\${next}" if it is meant`);
  }
  const member = next === "\\" ? reader.take() : next;
  return member === undefined ? err('has "[" without "]"; write "[...]"') : ok(member);
}

/** Walks the characters of a pattern. */
class PatternReader {
  readonly #characters: readonly string[];
  #next = 0;

  constructor(pattern: string) {
    this.#characters = [...pattern];
  }

  take(): string | undefined {
    return this.#characters[this.#next++];
  }

  takeIf(character: string): boolean {
    const matches = this.#characters[this.#next] === character;
    if (matches) this.#next++;
    return matches;
  }
}

function codeOf(character: string): number {
  const code = character.codePointAt(0);
  assert(code !== undefined, "a character is not empty");
  return code;
}
