import { isTest } from "./paths.ts";
import type { Finding, Tree } from "./tree.ts";

/** Lint rules that stand for a promise of the style page: nothing in the product is let off. */
const LINT_RULES_KEPT = new Set(["no-explicit-any", "no-non-null-assertion", "no-console"]);
const TYPE_DIRECTIVE = /@ts-(?:ignore|expect-error|nocheck)/;
const LINT_DIRECTIVE = /deno-lint-ignore(-file)?\b([^\n]*)/;

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
