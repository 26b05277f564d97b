/** Label and field selectors in the API's syntax, read once and then asked per object. */
import type { Selection } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import { SELECTOR_LENGTH_MAX } from "../base/limits.ts";
import { cellText, type RawObject, valueAt } from "./json_value.ts";
import { keyProblem, labelValueProblem, namespaceProblem, shown } from "./names.ts";

/** One condition on the labels. `in` with one value is what `=` says. */
export type LabelTerm =
  | { readonly key: string; readonly operator: "exists" | "absent" }
  | {
    readonly key: string;
    readonly operator: "in" | "not_in";
    readonly values: ReadonlySet<string>;
  }
  | { readonly key: string; readonly operator: "above" | "below"; readonly bound: number };

/** One condition on a field, compared as text; an absent field is the empty text. */
export interface FieldTerm {
  readonly path: readonly string[];
  readonly equal: boolean;
  readonly value: string;
}

/** A selection that was read: what a store needs to find candidates, and the whole test. */
export interface ParsedSelection {
  readonly namespace: string | undefined;
  /** The only name that can match, where `metadata.name=` says so. */
  readonly name: string | undefined;
  /** Labels that every match has: one of them leads to the candidates. */
  readonly labels: readonly { readonly key: string; readonly value: string }[];
  matches(object: RawObject): boolean;
}

/**
 * Reads namespace and selectors.
 *
 * Labels: `a=b`, `a==b`, `a!=b`, `a in (b,c)`, `a notin (b,c)`, `a`, `!a`, `a>1`, `a<1`, joined by
 * commas; `!=` and `notin` match an object without the label. Fields: `path=value`, `path==value`,
 * `path!=value`, joined by commas, with `\` before a `,`, `=` or `\` of a value. Any path of plain
 * field names works (an API server knows `metadata.name`, `metadata.namespace` and a few more).
 *
 * @returns The selection, or one sentence naming the selector and what is wrong with it.
 */
export function parseSelection(selection: Selection): Result<ParsedSelection, string> {
  const labels = parseLabelSelector(selection.labelSelector ?? "");
  if (!labels.ok) return labels;
  const fields = parseFieldSelector(selection.fieldSelector ?? "");
  if (!fields.ok) return fields;
  const problem = selection.namespace === undefined
    ? undefined
    : namespaceProblem(selection.namespace);
  if (problem !== undefined) return err(`namespace ${problem}`);
  const namespace = selection.namespace ?? equalTo(fields.value, "metadata.namespace");
  return ok({
    namespace,
    name: equalTo(fields.value, "metadata.name"),
    labels: labels.value.flatMap(onlyValue),
    matches: (object) =>
      (selection.namespace === undefined || object.metadata.namespace === selection.namespace) &&
      labels.value.every((term) => labelMatches(term, object.metadata.labels)) &&
      fields.value.every((term) => fieldMatches(term, object)),
  });
}

function onlyValue(term: LabelTerm): { readonly key: string; readonly value: string }[] {
  if (term.operator !== "in" || term.values.size !== 1) return [];
  return [...term.values].map((value) => ({ key: term.key, value }));
}

function equalTo(terms: readonly FieldTerm[], path: string): string | undefined {
  return terms.find((term) => term.equal && term.path.join(".") === path)?.value;
}

/** Whether labels meet one condition. */
export function labelMatches(
  term: LabelTerm,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  const value = labels !== undefined && Object.hasOwn(labels, term.key)
    ? labels[term.key]
    : undefined;
  switch (term.operator) {
    case "exists":
      return value !== undefined;
    case "absent":
      return value === undefined;
    case "in":
      return value !== undefined && term.values.has(value);
    case "not_in":
      return value === undefined || !term.values.has(value);
    case "above":
      return isInteger(value) && Number(value) > term.bound;
    case "below":
      return isInteger(value) && Number(value) < term.bound;
  }
}

function isInteger(value: string | undefined): value is string {
  return value !== undefined && /^-?[0-9]{1,15}$/.test(value);
}

function fieldMatches(term: FieldTerm, object: RawObject): boolean {
  return (cellText(valueAt(object, term.path)) === term.value) === term.equal;
}

/** Reads a label selector; the empty one has no terms and matches everything. */
export function parseLabelSelector(text: string): Result<readonly LabelTerm[], string> {
  if (text.length > SELECTOR_LENGTH_MAX) return err(tooLong("label"));
  const tokens = text.match(/[A-Za-z0-9._/-]+|==|!=|[=!(),<>]|\s+|./gs) ?? [];
  const reader = new TokenReader(tokens.filter((token) => token.trim() !== ""));
  if (reader.done) return ok([]);
  const terms: LabelTerm[] = [];
  do {
    const term = readLabelTerm(reader);
    if (!term.ok) return err(`label selector ${shown(text)} cannot be read: ${term.error}`);
    terms.push(term.value);
  } while (reader.takeIf(","));
  if (reader.done) return ok(terms);
  return err(
    `label selector ${
      shown(text)
    } cannot be read: ${reader.here} stands where "," or its end should`,
  );
}

/** Walks tokens; at the end every look is `undefined`. */
class TokenReader {
  readonly #tokens: readonly string[];
  #next = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  get done(): boolean {
    return this.#next >= this.#tokens.length;
  }

  /** The next token, as a message names it. */
  get here(): string {
    const token = this.#tokens[this.#next];
    return token === undefined ? "its end" : shown(token);
  }

  takeIf(token: string): boolean {
    const matches = this.#tokens[this.#next] === token;
    if (matches) this.#next++;
    return matches;
  }

  takeWord(): string | undefined {
    const token = this.#tokens[this.#next];
    if (token === undefined || !/^[A-Za-z0-9._/-]+$/.test(token)) return undefined;
    this.#next++;
    return token;
  }
}

function readLabelTerm(reader: TokenReader): Result<LabelTerm, string> {
  const negated = reader.takeIf("!");
  const key = reader.takeWord();
  if (key === undefined) return err(`${reader.here} stands where a key should`);
  const problem = keyProblem(key);
  if (problem !== undefined) return err(problem);
  if (negated) return ok({ key, operator: "absent" });
  if (reader.takeIf("=") || reader.takeIf("==")) return readValues(reader, { key, one: "in" });
  if (reader.takeIf("!=")) return readValues(reader, { key, one: "not_in" });
  if (reader.takeIf("in")) return readValues(reader, { key, list: "in" });
  if (reader.takeIf("notin")) return readValues(reader, { key, list: "not_in" });
  if (reader.takeIf(">")) return readBound(reader, { key, operator: "above" });
  if (reader.takeIf("<")) return readBound(reader, { key, operator: "below" });
  return ok({ key, operator: "exists" });
}

function readValues(
  reader: TokenReader,
  { key, one, list }: {
    readonly key: string;
    readonly one?: "in" | "not_in";
    readonly list?: "in" | "not_in";
  },
): Result<LabelTerm, string> {
  if (list !== undefined && !reader.takeIf("(")) {
    return err(`${reader.here} stands where "(" should`);
  }
  const values = new Set<string>();
  do {
    const value = reader.takeWord() ?? ""; // No word is the empty value: `a=`, `a in (b,)`.
    const problem = labelValueProblem(value);
    if (problem !== undefined) return err(problem);
    values.add(value);
  } while (list !== undefined && reader.takeIf(","));
  if (list !== undefined && !reader.takeIf(")")) {
    return err(`${reader.here} stands where ")" should`);
  }
  return ok({ key, operator: list ?? one ?? "in", values });
}

function readBound(
  reader: TokenReader,
  { key, operator }: { readonly key: string; readonly operator: "above" | "below" },
): Result<LabelTerm, string> {
  const here = reader.here;
  const word = reader.takeWord();
  if (!isInteger(word)) return err(`${here} stands where an integer should`);
  return ok({ key, operator, bound: Number(word) });
}

/** Reads a field selector; the empty one has no terms and matches everything. */
export function parseFieldSelector(text: string): Result<readonly FieldTerm[], string> {
  if (text.length > SELECTOR_LENGTH_MAX) return err(tooLong("field"));
  const terms: FieldTerm[] = [];
  for (const part of text.match(/(?:\\.?|[^\\,])+/gs) ?? []) {
    const parsed = /^([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)(==|!=|=)((?:\\[\\,=]|[^\\=])*)$/s
      .exec(part);
    const [, path, operator, value] = parsed ?? [];
    if (path === undefined || value === undefined) {
      return err(
        `field selector ${shown(text)} cannot be read: ${shown(part)} is not path=value, ` +
          `path==value or path!=value`,
      );
    }
    const plain = value.replaceAll(/\\(.)/gs, "$1");
    terms.push({ path: path.split("."), equal: operator !== "!=", value: plain });
  }
  return ok(terms);
}

function tooLong(which: "label" | "field"): string {
  return `the ${which} selector is longer than ${SELECTOR_LENGTH_MAX} characters`;
}
