import { type Code, type FunctionHead, functionsOf, type Parameter } from "./functions.ts";
import { isTest } from "./paths.ts";
import type { Finding, Module, Tree } from "./tree.ts";

const FUNCTION_LINES_MAX = 70;
const POSITIONAL_MAX = 2;
/** Names of pairs whose order says which is which, or does not matter. */
const PAIRS = [
  ["a", "b"],
  ["left", "right"],
  ["first", "second"],
  ["first", "last"],
  ["one", "other"],
  ["actual", "expected"],
  ["from", "to"],
  ["start", "end"],
  ["low", "high"],
  ["before", "after"],
  ["previous", "next"],
];

/** Rule `function`: at most 70 lines from the head to the closing brace, in tests too. */
export function checkFunctionSizes(tree: Tree): readonly Finding[] {
  return eachFunction(tree, {
    rule: "function",
    refusal: ({ name, line, lastLine }) => {
      const lines = lastLine - line + 1;
      if (lines <= FUNCTION_LINES_MAX) return undefined;
      return `${name === "" ? "this function" : `${name}()`} has ${lines} lines, at most ` +
        `${FUNCTION_LINES_MAX}: keep the branching, push loops into leaves`;
    },
  });
}

/**
 * Rule `parameters`, outside tests: at most two positional parameters and then one options object;
 * no boolean among them and, where other files call it, no two of one type: a caller swaps them.
 */
export function checkParameters(tree: Tree): readonly Finding[] {
  return eachFunction(tree, { rule: "parameters", refusal: parametersRefusal });
}

function parametersRefusal(head: FunctionHead, module: Module): string | undefined {
  const { parameters, name, kind } = head;
  if (isTest(module.path)) return undefined;
  const last = parameters.at(-1);
  const hasOptions = parameters.length > POSITIONAL_MAX && last !== undefined && isOptions(last);
  const positional = hasOptions ? parameters.slice(0, -1) : parameters;
  if (positional.length > POSITIONAL_MAX) {
    return `${name}() has ${positional.length} positional parameters, at most ` +
      `${POSITIONAL_MAX}: put the others in one options object`;
  }
  if (kind === "accessor" || head.isAssertion) return undefined;
  const boolean = positional.find(({ type }) => type === "boolean");
  if (boolean !== undefined) {
    return `${name}() takes the boolean "${boolean.name}" by position: a caller writes only ` +
      `"true"; put it in the options object`;
  }
  const isLocal = name.startsWith("#") || (kind === "function" && !isExported(module, head.first));
  return isLocal ? undefined : twinRefusal(name, positional);
}

/** Whether the `function` at `first` is exported where it is declared. */
function isExported({ tokens }: Module, first: number): boolean {
  const before = [1, 2, 3].map((back) => tokens[first - back]?.text ?? "");
  const place = before.findIndex((text) => !BEFORE_DECLARATION.has(text));
  return before[place] === "export";
}

function twinRefusal(
  name: string,
  [first, second]: readonly Parameter[],
): string | undefined {
  if (first === undefined || second === undefined || first.isPattern) return undefined;
  if (first.type === "" || first.type !== second.type) return undefined;
  if (PAIRS.some((pair) => `${first.name} ${second.name}` === pair.join(" "))) return undefined;
  return `${name}() takes "${first.name}" and "${second.name}", both ${first.type}, by position: ` +
    `a caller can swap them; put them in the options object`;
}

/** Whether a third parameter is the options object. */
function isOptions({ name, isPattern, type }: Parameter): boolean {
  return isPattern || type.startsWith("{") || /options$/i.test(name) || /Options\b/.test(type);
}

/** Rule `arrow`: at the top level of a file, a function is a `function`. */
export function checkArrows(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { path, tokens, code } of tree.modules.values()) {
    for (let index = 0; index < tokens.length; index++) {
      const line = tokens[index]?.line ?? 1;
      if (tokens[index]?.text === "const" && isArrowAt(code, index)) {
        const name = tokens[index + 1]?.text ?? "";
        const message = `"${name}" is an arrow at the top level: write "function ${name}"`;
        findings.push({ path, line, rule: "arrow", message });
      }
      index = code.closing.get(index) ?? index;
    }
  }
  return findings;
}

/** Whether the `const` at `index` names an arrow: `const x = (...) =>`, `const x = async y =>`. */
function isArrowAt({ tokens, closing }: Code, index: number): boolean {
  if (tokens[index + 2]?.text !== "=") return false;
  let at = index + 3;
  if (tokens[at]?.text === "async") at++;
  if (tokens[at]?.kind === "word") return tokens[at + 1]?.text === "=>";
  if (tokens[at]?.text === "<") return true;
  if (tokens[at]?.text !== "(") return false;
  const after = tokens[(closing.get(at) ?? at) + 1]?.text;
  return after === "=>" || after === ":";
}

const DECLARATIONS = new Set(["function", "class", "interface", "type", "const", "let", "enum"]);
const BEFORE_DECLARATION = new Set(["default", "async", "abstract", "declare"]);

/** Rule `docstring`: every exported symbol of the product says what it does. */
export function checkDocstrings(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    const { path, tokens, code } = module;
    if (isTest(path) || path.startsWith("scripts/")) continue;
    const seen = new Set<string>();
    for (let index = 0; index < tokens.length; index++) {
      const token = tokens[index];
      const name = exportedName(module, index);
      if (token !== undefined && name !== undefined && !seen.has(name)) {
        seen.add(name);
        const doc = token.comments.findLast(({ text }) => !/deno-lint-ignore/.test(text));
        const message = docRefusal(doc?.text, name);
        if (message !== undefined) {
          findings.push({ path, line: token.line, rule: "docstring", message });
        }
      }
      index = code.closing.get(index) ?? index;
    }
  }
  return findings;
}

/** The name that an `export` at `index` declares; `undefined` for lists and re-exports. */
function exportedName({ tokens }: Module, index: number): string | undefined {
  if (tokens[index]?.text !== "export") return undefined;
  let at = index + 1;
  while (BEFORE_DECLARATION.has(tokens[at]?.text ?? "")) at++;
  if (!DECLARATIONS.has(tokens[at]?.text ?? "")) return undefined;
  if (tokens[at + 1]?.text === "*") at++;
  const name = tokens[at + 1];
  return name?.kind === "word" ? name.text : undefined;
}

function docRefusal(doc: string | undefined, name: string): string | undefined {
  if (doc === undefined || !doc.startsWith("/**")) {
    return `"${name}" is exported without a docstring: say what it does, then what its type cannot`;
  }
  const [summary = ""] = doc.replace(/^\/\*\*/, "").replace(/\*\/$/, "").split(/^\s*\*\s*@/m);
  if (summary.replaceAll(/[\s*]/g, "") === "" && !/^\/\*\*\s*@param/.test(doc)) {
    return `the docstring of "${name}" says nothing: its first sentence says what it does`;
  }
  const typed = /@(?:param|returns?|type)\s+\{/.exec(doc);
  if (typed === null) return undefined;
  return `the docstring of "${name}" repeats a type ("${typed[0]}"): the signature has it`;
}

function eachFunction(tree: Tree, { rule, refusal }: {
  readonly rule: string;
  readonly refusal: (head: FunctionHead, module: Module) => string | undefined;
}): readonly Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    for (const head of functionsOf(module.code)) {
      const message = refusal(head, module);
      if (message === undefined) continue;
      findings.push({ path: module.path, line: head.line, rule, message });
    }
  }
  return findings;
}
