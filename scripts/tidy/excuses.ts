import type { Token } from "./tokens.ts";
import type { Finding, Tree } from "./tree.ts";

/** A comment in which a file claims an exception: `// tidy: table, because ...`. */
export interface Excuse {
  readonly kind: string;
  /** Why; trimmed, without "because". */
  readonly reason: string;
  /** Lines it speaks for: its own and the one after the comment. */
  readonly lines: readonly number[];
  /** Whether it stands before the first token of the file. */
  readonly isAtTop: boolean;
}

/** What can be claimed, and by what. */
const KINDS = new Set(["table", "codec", "cast"]);
/** At the start of a line of a comment. */
const CLAIM = /^[\s/*]*tidy: *([\w-]+)\b[\s,:(-]*(?:because\b)?([^\n]*)/m;
const REASON_CHARACTERS_MIN = 10;

/** Every exception that a file claims, in order. */
export function excusesIn(tokens: readonly Token[]): readonly Excuse[] {
  const excuses: Excuse[] = [];
  for (const [index, { comments }] of tokens.entries()) {
    for (const comment of comments) {
      const match = CLAIM.exec(comment.text);
      if (match === null) continue;
      const [, kind = "", reason = ""] = match;
      const last = comment.line + comment.text.split("\n").length - 1;
      excuses.push({
        kind,
        reason: reason.replace(/\*\/$/, "").trim(),
        lines: [comment.line, last + 1],
        isAtTop: index === 0,
      });
    }
  }
  return excuses;
}

/** Rule `excuse`: a claimed exception is one there is, and gives its reason on its line. */
export function checkExcuses(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const { path, tokens } of tree.modules.values()) {
    for (const { kind, reason, lines } of excusesIn(tokens)) {
      const message = !KINDS.has(kind)
        ? `"tidy: ${kind}" is no exception: ${[...KINDS].join(", ")} are`
        : reason.length < REASON_CHARACTERS_MIN
        ? `"tidy: ${kind}" gives no reason: write "tidy: ${kind}, because ..." on one line`
        : undefined;
      if (message === undefined) continue;
      findings.push({ path, line: lines[0] ?? 1, rule: "excuse", message });
    }
  }
  return findings;
}
