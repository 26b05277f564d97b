import { folderOf, resolvePath } from "./paths.ts";
import type { Token } from "./tokens.ts";

/** One import, re-export or dynamic import. */
export interface Import {
  readonly line: number;
  /** As written; `undefined` if a dynamic import computes it. */
  readonly specifier: string | undefined;
  /** What it means: a path in the repository, a package of npm, a module of Node, anything else. */
  readonly target:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "package"; readonly name: string }
    | { readonly kind: "node"; readonly name: string }
    | { readonly kind: "other" };
  /** `import type` or `export type`: gone at run time. */
  readonly typeOnly: boolean;
  /** `import(...)`: loaded when it is reached, not with the file. */
  readonly isDynamic: boolean;
  /** Names taken from it, as exported there; empty for `*`, dynamic and bare imports. */
  readonly names: readonly string[];
  /** Indexes of its first and last token. */
  readonly first: number;
  readonly last: number;
}

/** Every import of a file, in order. */
export function importsOf(tokens: readonly Token[], path: string): readonly Import[] {
  const imports: Import[] = [];
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    if (token?.kind !== "word") continue;
    if (token.text !== "import" && token.text !== "export") continue;
    if (/^\??\.$/.test(tokens[index - 1]?.text ?? "")) continue;
    const last = lastOf(tokens, index);
    if (last === undefined) continue;
    const end = tokens[last];
    const specifier = end?.kind === "string" ? end.text.slice(1, -1) : undefined;
    const inside = tokens.slice(index + 1, last);
    imports.push({
      line: token.line,
      specifier,
      target: targetOf(specifier, path),
      typeOnly: inside[0]?.text === "type" && inside.length > 2,
      isDynamic: inside[0]?.text === "(",
      names: namesOf(inside),
      first: index,
      last,
    });
    index = last;
  }
  return imports;
}

/** Index of the last token of the import that starts at `first`, if one does. */
function lastOf(tokens: readonly Token[], first: number): number | undefined {
  const isImport = tokens[first]?.text === "import";
  const next = tokens[first + 1];
  if (isImport && next?.text === "(") return first + 2;
  if (isImport && next?.kind === "string") return first + 1;
  if (isImport && next?.text === ".") return undefined;
  for (let index = first + 1; index < tokens.length; index++) {
    const token = tokens[index];
    if (token?.kind === "string") return tokens[index - 1]?.text === "from" ? index : undefined;
    if (token?.kind !== "word" && !/^[{}*,]$/.test(token?.text ?? "")) return undefined;
    if (
      !isImport && /^(?:function|class|const|interface|async|abstract)$/.test(token?.text ?? "")
    ) {
      return undefined;
    }
  }
  return undefined;
}

function targetOf(specifier: string | undefined, path: string): Import["target"] {
  if (specifier === undefined) return { kind: "other" };
  if (/^\.\.?\//.test(specifier)) {
    return { kind: "file", path: resolvePath(specifier, { folder: folderOf(path) }) };
  }
  if (specifier.startsWith("node:")) return { kind: "node", name: specifier };
  if (/^[\w-]+:/.test(specifier) || /^[#/]/.test(specifier)) return { kind: "other" };
  const [scope = "", name = ""] = specifier.split("/");
  return { kind: "package", name: scope.startsWith("@") ? `${scope}/${name}` : scope };
}

function namesOf(inside: readonly Token[]): readonly string[] {
  const names: string[] = [];
  let isOpen = false;
  for (const [index, token] of inside.entries()) {
    if (token.text === "{") isOpen = true;
    if (!isOpen || token.kind !== "word") continue;
    const before = inside[index - 1];
    if (/^[{,]$/.test(before?.text ?? "") && !isTypeMark(inside, index)) names.push(token.text);
    else if (before?.text === "type" && token.text !== "as") names.push(token.text);
  }
  return names;
}

/** Whether the word is the `type` of `{ type Name }`, not a name itself. */
function isTypeMark(inside: readonly Token[], index: number): boolean {
  const next = inside[index + 1];
  return inside[index]?.text === "type" && next?.kind === "word" && next.text !== "as";
}
