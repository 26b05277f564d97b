/** What a token is; comments are kept apart, on the token that follows them. */
export type TokenKind = "word" | "number" | "string" | "template" | "regex" | "sign" | "end";

/** One piece of TypeScript. */
export interface Token {
  readonly kind: TokenKind;
  /**
   * As written. A template is cut at its expressions: `` `a${ ``, the expression's own tokens,
   * `` }b` ``. Signs are single characters except those in `SIGNS`; `>` always stands alone, so
   * that nested type arguments close one by one.
   */
  readonly text: string;
  /** 1 is the first line; for a template, the line where the piece starts. */
  readonly line: number;
  /** Index of the first character. */
  readonly at: number;
  /** Comments between the previous token and this one, in order. */
  readonly comments: readonly Comment[];
}

/** A comment with its delimiters. */
export interface Comment {
  readonly text: string;
  readonly line: number;
  readonly at: number;
}

const SPACE = /[\s\uFEFF]+/y;
const COMMENT = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y;
const SHEBANG = /#![^\n]*/y;
const WORD = /[#@]?[\p{ID_Start}$_][\p{ID_Continue}$]*/uy;
const NUMBER =
  /0[xXbBoO][\da-fA-F_]+n?|(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?[\d_]+)?n?/y;
const STRING = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
const TEMPLATE = /[`}](?:[^`\\$]|\\[\s\S]|\$(?!\{))*(?:`|\$\{)/y;
const REGEX = /\/(?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
const SIGNS =
  /=>|\.\.\.|\?\.(?!\d)|\?\?=?|&&=?|\|\|=?|[=!]==?|\*\*=?|<=|\+\+|--|[-+*/%&|^]=|[\s\S]/y;

/** Words after which a `/` starts a regular expression, not a division. */
const BEFORE_EXPRESSION = new Set(
  "return typeof instanceof in of new delete void throw case do else yield await default extends"
    .split(" "),
);
/** Words whose parenthesis is followed by a statement. */
const BEFORE_CONDITION = new Set(["if", "while", "for", "with"]);

/**
 * Cuts TypeScript into tokens: strings, templates, comments and regular expressions are told from
 * code without a grammar. Cost is linear in the text.
 *
 * @returns Every token, closed by one of kind `end` that carries the trailing comments. Text that
 *   is no TypeScript gives some tokens; the compiler refuses it elsewhere.
 */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let comments: Comment[] = [];
  const open: Bracket[] = [];
  let closed: Bracket | undefined;
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const space = take(SPACE, { text, at }) ?? "";
    line += newlines(space);
    at += space.length;
    if (at >= text.length) break;

    const place = { text, at };
    const comment = take(COMMENT, place) ?? (at === 0 ? take(SHEBANG, place) : undefined);
    if (comment !== undefined) {
      comments.push({ text: comment, line, at });
      line += newlines(comment);
      at += comment.length;
      continue;
    }
    const lexeme = lexemeAt(place, { previous: tokens.at(-1), innermost: open.at(-1), closed });
    const before = tokens.at(-1)?.text ?? "";
    if (/^[([{]$/.test(lexeme.text)) open.push({ sign: lexeme.text, before });
    if (/^[)\]}]/.test(lexeme.text)) closed = open.pop();
    if (lexeme.text.endsWith("${")) open.push({ sign: "${", before });
    tokens.push({ ...lexeme, line, at, comments });
    comments = [];
    line += newlines(lexeme.text);
    at += lexeme.text.length;
  }
  tokens.push({ kind: "end", text: "", line, at, comments });
  return tokens;
}

interface Bracket {
  readonly sign: string;
  /** Text of the token before the bracket. */
  readonly before: string;
}

/** Where to read on. */
interface Place {
  readonly text: string;
  readonly at: number;
}

interface Lexeme {
  readonly kind: TokenKind;
  readonly text: string;
}

function lexemeAt(place: Place, { previous, innermost, closed }: {
  readonly previous: Token | undefined;
  readonly innermost: Bracket | undefined;
  readonly closed: Bracket | undefined;
}): Lexeme {
  const first = place.text.charAt(place.at);
  if (first === '"' || first === "'") {
    return { kind: "string", text: take(STRING, place) ?? first };
  }
  if (first === "`" || (first === "}" && innermost?.sign === "${")) {
    return { kind: "template", text: take(TEMPLATE, place) ?? first };
  }
  const word = take(WORD, place);
  if (word !== undefined) return { kind: "word", text: word };
  const number = take(NUMBER, place);
  if (number !== undefined) return { kind: "number", text: number };
  if (first === "/" && startsExpression(previous, closed)) {
    const regex = take(REGEX, place);
    if (regex !== undefined) return { kind: "regex", text: regex };
  }
  return { kind: "sign", text: take(SIGNS, place) ?? first };
}

/** Whether an expression may start after this token: then `/` is not a division. */
function startsExpression(previous: Token | undefined, closed: Bracket | undefined): boolean {
  if (previous === undefined) return true;
  switch (previous.kind) {
    case "word":
      return BEFORE_EXPRESSION.has(previous.text);
    case "sign":
      if (previous.text === ")") return BEFORE_CONDITION.has(closed?.before ?? "");
      return !/^(?:[\]}]|\+\+|--)$/.test(previous.text);
    case "template":
      return previous.text.endsWith("${");
    default:
      return false;
  }
}

function take(pattern: RegExp, { text, at }: Place): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function newlines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}
