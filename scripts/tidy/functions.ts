import type { Token } from "./tokens.ts";

/** A function, method or signature, as far as the rules need it. */
export interface FunctionHead {
  /** As declared; empty for an arrow or an unnamed function. */
  readonly name: string;
  readonly kind: "function" | "method" | "signature" | "accessor" | "arrow";
  readonly line: number;
  /** Line of the brace that closes its body; `line` if it has none. */
  readonly lastLine: number;
  /** Without `this`; empty for arrows, whose shape is often dictated by whom they are given to. */
  readonly parameters: readonly Parameter[];
  /** Whether it asserts: `asserts condition`. */
  readonly isAssertion: boolean;
  /** Index of its first token: the name of a method, `function`, or `=>`. */
  readonly first: number;
}

/** One positional parameter. */
export interface Parameter {
  /** Empty for a pattern. */
  readonly name: string;
  readonly isPattern: boolean;
  /** Type as written, tokens joined by spaces; empty if inferred. */
  readonly type: string;
}

/** Tokens with the partner of each bracket. */
export interface Code {
  readonly tokens: readonly Token[];
  /** Index of the partner that closes `(`, `[`, `{` or a template's hole, by the opening index. */
  readonly closing: ReadonlyMap<number, number>;
  /** The reverse. */
  readonly opening: ReadonlyMap<number, number>;
}

/** Pairs the brackets of a file. Cost is linear. */
export function codeOf(tokens: readonly Token[]): Code {
  const closing = new Map<number, number>();
  const opening = new Map<number, number>();
  const open: number[] = [];
  for (const [index, { kind, text }] of tokens.entries()) {
    if (kind !== "sign" && kind !== "template") continue;
    if (/^[)\]}]/.test(text)) {
      const start = open.pop();
      if (start !== undefined) {
        closing.set(start, index);
        opening.set(index, start);
      }
    }
    if (/^[([{]$/.test(text) || text.endsWith("${")) open.push(index);
  }
  return { tokens, closing, opening };
}

/** Words before a parenthesis and a block that make a statement, not a method. */
const STATEMENTS = new Set(
  ["if", "for", "while", "switch", "catch", "with", "await", "function", "async"],
);
const MODIFIERS = new Set(
  ["async", "static", "get", "set", "override", "public", "private", "protected", "abstract", "*"],
);

/** Every function of a file, in the order of their first tokens. */
export function functionsOf(code: Code): readonly FunctionHead[] {
  const heads: FunctionHead[] = [];
  for (const [index, token] of code.tokens.entries()) {
    if (token.kind === "word" && token.text === "function") {
      const head = declaredAt(code, index);
      if (head !== undefined) heads.push(head);
    } else if (token.text === "=>") {
      const body = code.tokens[index + 1]?.text === "{" ? code.closing.get(index + 1) : undefined;
      const lastLine = code.tokens[body ?? index]?.line ?? token.line;
      heads.push({
        name: "",
        kind: "arrow",
        line: token.line,
        lastLine,
        parameters: [],
        isAssertion: false,
        first: index,
      });
    } else if (token.text === "(") {
      const head = methodAt(code, index);
      if (head !== undefined) heads.push(head);
    }
  }
  return heads;
}

/** The function whose keyword is at `first`; `undefined` in a type such as `typeof function`. */
function declaredAt(code: Code, first: number): FunctionHead | undefined {
  const { tokens } = code;
  if (/^\??\.$/.test(tokens[first - 1]?.text ?? "")) return undefined;
  let at = first + 1;
  if (tokens[at]?.text === "*") at++;
  let name = "";
  if (tokens[at]?.kind === "word") name = tokens[at++]?.text ?? "";
  if (tokens[at]?.text === "<") at = afterAngles(code, at);
  if (tokens[at]?.text !== "(") return undefined;
  return headAt(code, at, { name, first, kind: "function" });
}

/** The method or signature whose parameters open at `parenthesis`. */
function methodAt(code: Code, parenthesis: number): FunctionHead | undefined {
  const { tokens } = code;
  let at = parenthesis - 1;
  if (tokens[at]?.text === ">") at = beforeAngles(code, at);
  if (tokens[at]?.text === "?") at--;
  const name = tokens[at];
  if (name?.text === "]") at = code.opening.get(at) ?? at;
  else if (name?.kind !== "word" || STATEMENTS.has(name.text)) return undefined;
  const first = at;
  let before = tokens[--at];
  let isAccessor = false;
  while (before !== undefined && MODIFIERS.has(before.text)) {
    if (before.text === "get" || before.text === "set") isAccessor = true;
    before = tokens[--at];
  }
  if (!/^[{};,]$/.test(before?.text ?? "")) return undefined;
  // A call looks the same up to here; but a signature has a type, and a method has a body.
  return headAt(code, parenthesis, {
    name: name?.text === "]" ? "[...]" : name?.text ?? "",
    first,
    kind: isAccessor ? "accessor" : "method",
  });
}

function headAt(
  code: Code,
  parenthesis: number,
  { name, first, kind }: {
    readonly name: string;
    readonly first: number;
    readonly kind: "function" | "method" | "accessor";
  },
): FunctionHead | undefined {
  const { tokens, closing } = code;
  const end = closing.get(parenthesis);
  if (end === undefined) return undefined;
  let at = end + 1;
  let isAssertion = false;
  const isTyped = tokens[at]?.text === ":";
  if (isTyped) {
    isAssertion = tokens[at + 1]?.text === "asserts" && tokens[at + 2]?.kind === "word";
    at = afterType(code, at + 1);
  }
  const hasBody = tokens[at]?.text === "{";
  if (!hasBody && !isTyped && kind !== "function") return undefined;
  const line = tokens[first]?.line ?? 1;
  return {
    name,
    kind: hasBody || kind === "function" ? kind : "signature",
    line,
    lastLine: hasBody ? tokens[closing.get(at) ?? at]?.line ?? line : line,
    parameters: parametersIn(code, { from: parenthesis + 1, to: end }),
    isAssertion,
    first,
  };
}

function parametersIn(
  code: Code,
  { from, to }: { readonly from: number; readonly to: number },
): readonly Parameter[] {
  const { tokens, closing } = code;
  const parameters: Parameter[] = [];
  let at = from;
  while (at < to) {
    if (tokens[at]?.text === "...") at++;
    const isPattern = /^[{[]$/.test(tokens[at]?.text ?? "");
    const name = isPattern ? "" : tokens[at]?.text ?? "";
    at = isPattern ? (closing.get(at) ?? at) + 1 : at + 1;
    if (tokens[at]?.text === "?") at++;
    let type = "";
    if (tokens[at]?.text === ":") {
      const start = at + 1;
      at = afterType(code, start);
      type = tokens.slice(start, at).map(({ text }) => text).join(" ");
    }
    if (name !== "this") parameters.push({ name, isPattern, type });
    // A default value: to the comma that is not in brackets.
    while (at < to && tokens[at]?.text !== ",") at = afterPiece(code, at);
    at++;
  }
  return parameters;
}

/** Index after one token, or after the bracketed group or type arguments that start here. */
function afterPiece(code: Code, at: number): number {
  const close = code.closing.get(at);
  if (close !== undefined) return close + 1;
  const { tokens } = code;
  const isNewWithArguments = tokens[at]?.text === "<" && tokens[at - 2]?.text === "new";
  return isNewWithArguments ? afterAngles(code, at) : at + 1;
}

/** Index after the `>` that closes the `<` at `at`. */
function afterAngles({ tokens, closing }: Code, at: number): number {
  let depth = 0;
  for (let index = at; index < tokens.length; index++) {
    const text = tokens[index]?.text;
    if (text === "<") depth++;
    if (text === ">" && --depth === 0) return index + 1;
    index = closing.get(index) ?? index;
  }
  return tokens.length;
}

/** Index before the `<` that opens the `>` at `at`. */
function beforeAngles({ tokens, opening }: Code, at: number): number {
  let depth = 0;
  for (let index = at; index >= 0; index--) {
    const text = tokens[index]?.text;
    if (text === ">") depth++;
    if (text === "<" && --depth === 0) return index - 1;
    if (text === ";") return at;
    index = opening.get(index) ?? index;
  }
  return at;
}

const TYPE_PREFIXES = new Set(
  ["typeof", "keyof", "readonly", "unique", "asserts", "infer", "new", "abstract", "|", "&", "-"],
);
const TYPE_JOINTS = new Set(["|", "&", "=>", "is", "extends", "?", ":", "."]);

/**
 * Index after the type that starts at `at`: what follows is a body, a comma, an initial value or
 * the end of a statement.
 */
export function afterType(code: Code, at: number): number {
  const { tokens, closing } = code;
  let index = at;
  let conditions = 0;
  for (;;) {
    while (TYPE_PREFIXES.has(tokens[index]?.text ?? "") && !isJoint(tokens[index + 1])) index++;
    if (tokens[index]?.text === "<") index = afterAngles(code, index);
    index = (closing.get(index) ?? index) + 1;
    // A template type goes on after its hole.
    while (tokens[index - 1]?.kind === "template" && tokens[index - 1]?.text.endsWith("${")) {
      index = (closing.get(index - 1) ?? index) + 1;
    }
    for (let text = tokens[index]?.text; text === "<" || text === "["; text = tokens[index]?.text) {
      index = text === "<" ? afterAngles(code, index) : (closing.get(index) ?? index) + 1;
    }
    const text = tokens[index]?.text ?? "";
    if (!TYPE_JOINTS.has(text)) return index;
    if (text === "?") conditions++;
    if (text === ":" && conditions-- === 0) return index;
    index++;
  }
}

function isJoint(token: Token | undefined): boolean {
  return token === undefined || /^(?:[,;)=>}\]]|is|=>)$/.test(token.text);
}
