import { type Code, codeOf } from "./functions.ts";
import { type Import, importsOf } from "./imports.ts";
import { type Token, tokenize } from "./tokens.ts";

/** One file of the repository. */
export interface TextFile {
  /** From the top of the repository, with `/`. */
  readonly path: string;
  readonly text: string;
}

/** One broken rule. */
export interface Finding {
  readonly path: string;
  /** 1 is the first line. */
  readonly line: number;
  /** Short name of the rule: `layer`, `cycle`, ... */
  readonly rule: string;
  /** What is wrong and what to do instead, one line. */
  readonly message: string;
}

/** A TypeScript file, cut into tokens. */
export interface Module extends TextFile {
  readonly tokens: readonly Token[];
  readonly code: Code;
  readonly imports: readonly Import[];
}

/** What every rule looks at. */
export interface Tree {
  readonly files: readonly TextFile[];
  /** By path. */
  readonly texts: ReadonlyMap<string, TextFile>;
  /** TypeScript files by path. */
  readonly modules: ReadonlyMap<string, Module>;
}

/** Reads the files' TypeScript once, for all rules. */
export function treeOf(files: readonly TextFile[]): Tree {
  const modules = new Map<string, Module>();
  for (const file of files) {
    if (!file.path.endsWith(".ts")) continue;
    const tokens = tokenize(file.text);
    modules.set(file.path, {
      ...file,
      tokens,
      code: codeOf(tokens),
      imports: importsOf(tokens, file.path),
    });
  }
  return { files, texts: new Map(files.map((file) => [file.path, file])), modules };
}
