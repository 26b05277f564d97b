import { checkCycles, checkPlugins } from "./graph.ts";
import { checkLayers } from "./layers.ts";
import { checkNames, checkReadmes, checkSizes, checkTopLevel } from "./names.ts";
import { type Finding, type TextFile, type Tree, treeOf } from "./tree.ts";

/** Every rule. */
const RULES: readonly ((tree: Tree) => readonly Finding[])[] = [
  checkLayers,
  checkCycles,
  checkPlugins,
  checkTopLevel,
  checkNames,
  checkSizes,
  checkReadmes,
];

/** Checks all files of the repository against all rules. */
export function findingsIn(files: readonly TextFile[]): readonly Finding[] {
  const tree = treeOf(files);
  return RULES.flatMap((rule) => rule(tree))
    .toSorted((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line);
}

/** A finding as it is printed: `path:line rule message`. */
export function findingText({ path, line, rule, message }: Finding): string {
  return `${path}:${line} ${rule}: ${message}`;
}
