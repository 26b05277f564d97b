import { checkCasts } from "./casts.ts";
import { checkExcuses } from "./excuses.ts";
import { checkCycles, checkPlugins } from "./graph.ts";
import { checkLayers } from "./layers.ts";
import { checkNames, checkReadmes, checkSizes, checkTopLevel } from "./names.ts";
import { checkDlopen, checkPorts, checkPurity, checkTime } from "./purity.ts";
import { checkArrows, checkDocstrings, checkFunctionSizes, checkParameters } from "./shape.ts";
import {
  checkColumns,
  checkDenoVersion,
  checkLinks,
  checkMachinePaths,
  checkOpenWork,
} from "./text.ts";
import { type Finding, type TextFile, type Tree, treeOf } from "./tree.ts";
import { checkEnums, checkSuppressions } from "./types.ts";

/** Every rule. */
const RULES: readonly ((tree: Tree) => readonly Finding[])[] = [
  checkLayers,
  checkCycles,
  checkPlugins,
  checkPurity,
  checkPorts,
  checkTime,
  checkDlopen,
  checkCasts,
  checkEnums,
  checkSuppressions,
  checkFunctionSizes,
  checkParameters,
  checkArrows,
  checkDocstrings,
  checkTopLevel,
  checkNames,
  checkSizes,
  checkExcuses,
  checkReadmes,
  checkColumns,
  checkMachinePaths,
  checkOpenWork,
  checkDenoVersion,
  checkLinks,
];

/** Checks all files of the repository against all rules. */
export function findingsIn(files: readonly TextFile[]): readonly Finding[] {
  const tree = treeOf(files);
  return RULES.flatMap((rule) => rule(tree))
    .toSorted((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line);
}

/** A finding as it is printed: `path:line rule: message`. */
export function findingText({ path, line, rule, message }: Finding): string {
  return `${path}:${line} ${rule}: ${message}`;
}
