import { excusesIn } from "./excuses.ts";
import { nameOf } from "./paths.ts";
import type { Finding, TextFile, Tree } from "./tree.ts";

/** What the top of the repository holds, and nothing else. */
const TOP_LEVEL = new Set([
  "deno.json",
  "deno.lock",
  "main.ts",
  "mod.ts",
  "src",
  "cni",
  "manifests",
  "scripts",
  "tests",
  "docs",
  "README.md",
  "LICENSE",
  ".ci",
  ".gitignore",
  ".gitattributes",
  ".dockerignore",
]);

/** Words that say nothing about what a file holds. */
const EMPTY_WORDS = new Set(
  ("util utils utility utilities common commons helper helpers manager managers misc " +
    "miscellaneous stuff various tmp temp foo").split(" "),
);
/** Proper names of other people's programs that contain such a word. */
const PROPER_NAMES = /(?:kube|cloud)[_-]controller[_-]manager|package[_-]manager/g;

const SNAKE_CASE = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/;
const SOURCE_FOLDERS = /^(?:src|cni|scripts|tests)\//;
/** Bytes and answers of other programs, under the names those gave; what a browser is served. */
const FOREIGN_NAMES = /^(?:tests\/testdata|src\/dashboard\/static)\//;

const LINES_MAX = 400;
const README_LINES_MAX = 60;

/** Rule `top-level`: the top of the repository holds what the style page lists. */
export function checkTopLevel(tree: Tree): readonly Finding[] {
  const seen = new Set<string>();
  const findings: Finding[] = [];
  for (const { path } of tree.files) {
    const [top = ""] = path.split("/");
    if (TOP_LEVEL.has(top) || seen.has(top)) continue;
    seen.add(top);
    findings.push({
      path,
      line: 1,
      rule: "top-level",
      message: `"${top}" does not belong at the top: it holds ${[...TOP_LEVEL].join(" ")}`,
    });
  }
  return findings;
}

/** Rule `name`: files and folders are `snake_case` nouns of the field. */
export function checkNames(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  const folders = new Set<string>();
  for (const { path } of tree.files) {
    if (!SOURCE_FOLDERS.test(path) && !/^[^/]+\.ts$/.test(path)) continue;
    const parts = path.split("/");
    const file = parts.pop() ?? "";
    for (const [depth, part] of parts.entries()) {
      const folder = parts.slice(0, depth + 1).join("/");
      if (folders.has(folder)) continue;
      folders.add(folder);
      const message = nameRefusal(part, { isChecked: !FOREIGN_NAMES.test(`${folder}/`) });
      if (message !== undefined) findings.push({ path, line: 1, rule: "name", message });
    }
    const stem = file.replace(/\.[^.]*$/, "");
    const message = nameRefusal(stem, { isChecked: file.endsWith(".ts") });
    if (message !== undefined) findings.push({ path, line: 1, rule: "name", message });
    if (/\.(?:[mc]?js|jsx|tsx|mts|cts)$/.test(file) && !FOREIGN_NAMES.test(path)) {
      const message = `"${file}" is not TypeScript: source is written in .ts files`;
      findings.push({ path, line: 1, rule: "name", message });
    }
    if (/^scripts\/.*\.sh$/.test(path) && path !== "scripts/setup.sh") {
      const message = `"${file}" is a shell script: write it in TypeScript, only setup.sh runs ` +
        `before Deno is there`;
      findings.push({ path, line: 1, rule: "name", message });
    }
  }
  return findings;
}

function nameRefusal(
  name: string,
  { isChecked }: { readonly isChecked: boolean },
): string | undefined {
  if (!isChecked) return undefined;
  const empty = name.replaceAll(PROPER_NAMES, "").split(/[_.-]/)
    .find((word) => EMPTY_WORDS.has(word.toLowerCase()));
  if (empty !== undefined) return `"${name}" says "${empty}", which says nothing: find the noun`;
  return SNAKE_CASE.test(name) ? undefined : `"${name}" is not snake_case: rename it`;
}

/**
 * Rule `size`: a source file has at most 400 lines. A codec or a table may say so in the comment at
 * its top, with the reason: `// tidy: table, because ...`.
 */
export function checkSizes(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const file of tree.files) {
    if (!/\.(?:ts|sh)$/.test(file.path)) continue;
    const message = sizeRefusal(file, tree);
    if (message !== undefined) findings.push({ path: file.path, line: 1, rule: "size", message });
  }
  return findings;
}

function sizeRefusal(file: TextFile, tree: Tree): string | undefined {
  const lines = lineCount(file.text);
  const excuse = excusesIn(tree.modules.get(file.path)?.tokens ?? [])
    .find(({ kind, isAtTop }) => isAtTop && (kind === "table" || kind === "codec"));
  if (excuse === undefined) {
    if (lines <= LINES_MAX) return undefined;
    return `${lines} lines, at most ${LINES_MAX}: split it by noun; a codec or a table says at ` +
      `its top "// tidy: table, because ..."`;
  }
  if (lines > LINES_MAX) return undefined;
  return `"tidy: ${excuse.kind}" is not needed at ${lines} lines: remove it`;
}

/** Rule `readme`: every folder that holds source says in at most 60 lines what it owns. */
export function checkReadmes(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  const folders = new Set<string>();
  for (const path of tree.modules.keys()) {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    if (folder !== "") folders.add(folder);
  }
  for (const folder of folders) {
    if (tree.texts.has(`${folder}/README.md`)) continue;
    findings.push({
      path: `${folder}/README.md`,
      line: 1,
      rule: "readme",
      message: "is missing: say what the folder owns, its invariants and review notes",
    });
  }
  for (const { path, text } of tree.files) {
    const lines = lineCount(text);
    if (nameOf(path) !== "README.md" || path === "README.md" || lines <= README_LINES_MAX) continue;
    findings.push({
      path,
      line: README_LINES_MAX + 1,
      rule: "readme",
      message: `${lines} lines, at most ${README_LINES_MAX}: say less, or move it to docs/`,
    });
  }
  return findings;
}

function lineCount(text: string): number {
  return text === "" ? 0 : text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}
