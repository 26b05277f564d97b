import { isTest } from "./paths.ts";
import type { Token } from "./tokens.ts";
import type { Finding, Module, Tree } from "./tree.ts";

/** Lint rules that stand for a promise of the style page: nothing in the product is let off. */
const LINT_RULES_KEPT = new Set(["no-explicit-any", "no-non-null-assertion", "no-console"]);
const TYPE_DIRECTIVE = /@ts-(?:ignore|expect-error|nocheck)/;
const LINT_DIRECTIVE = /deno-lint-ignore(-file)?\b([^\n]*)/;

/** Words after which `as` is a name, not a cast. */
const NO_OPERAND = new Set(
  ("return typeof instanceof in of new delete void throw case do else yield await const let var " +
    "function get set static readonly").split(" "),
);

/**
 * Rule `cast`: outside tests, `as` only makes a brand, in the file that declares the brand. `as
 * const` and `satisfies` are no casts.
 */
export function checkCasts(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    if (isTest(module.path)) continue;
    const brands = brandsOf(module);
    for (const index of castsIn(module)) {
      const type = module.tokens[index + 1];
      const isWhole = !/^[.<[|&]$/.test(module.tokens[index + 2]?.text ?? "");
      if (type?.text === "const" || (isWhole && brands.has(type?.text ?? ""))) continue;
      findings.push({
        path: module.path,
        line: module.tokens[index]?.line ?? 1,
        rule: "cast",
        message: `"as ${type?.text}" only claims what it does not check: narrow it, parse it, or ` +
          `use satisfies; only the file that declares a brand casts to it`,
      });
    }
  }
  return findings;
}

/** Indexes of each `as` that casts: not those of imports, exports and key remapping. */
function castsIn(module: Module): readonly number[] {
  const { tokens, imports } = module;
  const skipped = new Set<number>();
  for (const { first, last } of imports) {
    for (let index = first; index <= last; index++) skipped.add(index);
  }
  const casts: number[] = [];
  /** First tokens inside the brackets that are open here. */
  const open: number[] = [];
  for (const [index, token] of tokens.entries()) {
    if (/^[([{]$/.test(token.text) || token.text.endsWith("${")) open.push(index);
    if (/^[)\]}]/.test(token.text) && token.kind !== "string") {
      // A template piece that goes on closes one hole and opens the next.
      const isNextHole = token.kind === "template" && token.text.endsWith("${");
      if (isNextHole) open.splice(-2, 1);
      else open.pop();
    }
    if (token.kind !== "word" || token.text !== "as" || skipped.has(index)) continue;
    if (isOperand(tokens[index - 1]) && startsType(tokens[index + 1])) {
      if (!isRenaming(tokens, open.at(-1))) casts.push(index);
    }
  }
  return casts;
}

/** Whether an `as` inside this bracket renames: `export { a as b }`, `[K in T as U]: ...`. */
function isRenaming(tokens: readonly Token[], bracket: number | undefined): boolean {
  if (bracket === undefined) return false;
  switch (tokens[bracket]?.text) {
    case "{":
      return /^(?:export|type)$/.test(tokens[bracket - 1]?.text ?? "") &&
        (tokens[bracket - 1]?.text === "export" || tokens[bracket - 2]?.text === "export");
    case "[":
      return tokens[bracket + 2]?.text === "in";
    default:
      return false;
  }
}

function isOperand(token: Token | undefined): boolean {
  switch (token?.kind) {
    case "word":
      return !NO_OPERAND.has(token.text);
    case "sign":
      return /^[)\]}]$/.test(token.text);
    case "template":
      return token.text.endsWith("`");
    case undefined:
    case "end":
      return false;
    default:
      return true;
  }
}

function startsType(token: Token | undefined): boolean {
  switch (token?.kind) {
    case "word":
      return token.text !== "as";
    case "sign":
      return /^[({[|&-]$/.test(token.text);
    case "string":
    case "number":
    case "template":
      return true;
    default:
      return false;
  }
}

/** Names of the brands that a file declares: `type X = ... & { readonly [brand]: ... }`. */
function brandsOf({ tokens }: Module): ReadonlySet<string> {
  const symbols = new Set<string>();
  const brands = new Set<string>();
  let alias = "";
  for (const [index, token] of tokens.entries()) {
    const texts = tokens.slice(index, index + 6).map(({ text }) => text);
    if (/^declare const \w+ : unique symbol/.test(texts.join(" "))) symbols.add(texts[2] ?? "");
    if (token.kind === "word" && /^type \w+ [=<]/.test(texts.slice(0, 3).join(" "))) {
      alias = texts[1] ?? "";
    }
    if (token.text === ";") alias = "";
    if (token.text === "[" && texts[2] === "]" && texts[3] === ":" && symbols.has(texts[1] ?? "")) {
      if (alias !== "") brands.add(alias);
    }
  }
  return brands;
}

/** Rule `enum`: a closed set of values is a union of literals. */
export function checkEnums(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { path, tokens } of tree.modules.values()) {
    for (const [index, token] of tokens.entries()) {
      if (token.kind !== "word" || token.text !== "enum") continue;
      if (tokens[index + 1]?.kind !== "word" || tokens[index + 2]?.text !== "{") continue;
      const message = `an enum is not erasable: use a union of literals, or an object "as const"`;
      findings.push({ path, line: token.line, rule: "enum", message });
    }
  }
  return findings;
}

/**
 * Rule `suppression`: a check is switched off for one line, with a reason; the promises of the
 * style page (no `any`, no `!`, no `console`) are not switched off in the product at all.
 */
export function checkSuppressions(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { path, tokens } of tree.modules.values()) {
    for (const comment of tokens.flatMap(({ comments }) => comments)) {
      const message = suppressionRefusal(comment.text, path);
      if (message === undefined) continue;
      findings.push({ path, line: comment.line, rule: "suppression", message });
    }
  }
  return findings;
}

function suppressionRefusal(comment: string, path: string): string | undefined {
  if (TYPE_DIRECTIVE.test(comment)) {
    return isTest(path) ? undefined : `a type error is not switched off here: mend the type`;
  }
  const match = LINT_DIRECTIVE.exec(comment);
  if (match === null) return undefined;
  const [, wholeFile, rest = ""] = match;
  if (wholeFile !== undefined) return `lint is not switched off for a whole file: name the line`;
  const [names = "", reason = ""] = rest.split("--");
  if (reason.trim() === "") return `say why after the rule: "deno-lint-ignore rule -- reason"`;
  const kept = names.split(/[\s,]+/).find((name) => LINT_RULES_KEPT.has(name));
  if (kept === undefined || isTest(path) || path.startsWith("scripts/")) return undefined;
  return `"${kept}" is not switched off in the product: take the value's real type, or a sink`;
}
