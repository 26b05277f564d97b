import { excusesIn } from "./excuses.ts";
import { afterType } from "./functions.ts";
import { isTest } from "./paths.ts";
import type { Token } from "./tokens.ts";
import type { Finding, Module, Tree } from "./tree.ts";

/** Words after which `as` is a name, not a cast. */
const NO_OPERAND = new Set(
  ("return typeof instanceof in of new delete void throw case do else yield await const let var " +
    "function get set static readonly").split(" "),
);

/**
 * Rule `cast`: outside tests, `as` only makes a brand, in the file that declares the brand. `as
 * const` and `satisfies` are no casts; a guard that always says yes is one. Where the compiler
 * cannot follow what the code has checked, a cast says so on its line or above it:
 * `// tidy: cast, because ...`.
 */
export function checkCasts(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    if (isTest(module.path)) continue;
    const excused = new Set(
      excusesIn(module.tokens).filter(({ kind }) => kind === "cast").flatMap(({ lines }) => lines),
    );
    const { path, tokens } = module;
    for (const index of [...refusedCasts(module), ...blindGuards(module)]) {
      const line = tokens[index]?.line ?? 1;
      if (excused.has(line)) continue;
      const claim = `"${tokens[index]?.text} ${tokens[index + 1]?.text}"`;
      const message =
        `${claim} claims what is not checked: narrow it, parse it, or use satisfies; ` +
        `only the file that declares a brand casts to it`;
      findings.push({ path, line, rule: "cast", message });
    }
  }
  return findings;
}

/** Indexes of each `as` that makes no brand of its file. */
function refusedCasts(module: Module): readonly number[] {
  const brands = brandsOf(module);
  return castsIn(module).filter((index) => {
    const type = module.tokens[index + 1]?.text ?? "";
    const isWhole = !/^[.<[|&]$/.test(module.tokens[index + 2]?.text ?? "");
    return type !== "const" && !(isWhole && brands.has(type));
  });
}

/** Indexes of the `is` of each guard that always says yes: `(x): x is T { return true; }`. */
function blindGuards({ code }: Module): readonly number[] {
  const guards: number[] = [];
  for (const [index, { text }] of code.tokens.entries()) {
    if (text !== "is" || code.tokens[index - 2]?.text !== ":") continue;
    const end = afterType(code, index + 1);
    const body = code.tokens.slice(end, end + 4).map((token) => token.text).join(" ");
    const arrow = code.tokens.slice(end - 2, end).map((token) => token.text).join(" ");
    if (body === "{ return true ;" || arrow === "=> true") guards.push(index);
  }
  return guards;
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
