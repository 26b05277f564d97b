/** The shortest JSON patch (RFC 6902) that makes one document of another. */
import { isRecord } from "../../../api/decode.ts";
import { type JsonPatchOperation, pointerStep } from "../../../kube/mod.ts";

/**
 * Compares two JSON documents. Members of objects are compared one by one, also those in lists of
 * equal length; any other list that differs is replaced as a whole. An `undefined` member counts as
 * absent.
 *
 * @returns Empty for equal documents.
 */
export function patchBetween(before: unknown, after: unknown): readonly JsonPatchOperation[] {
  const operations: JsonPatchOperation[] = [];
  compare({ before, after, path: "" }, operations);
  return operations;
}

/** Whether two JSON documents are equal; `undefined` members count as absent. */
export function isSameJson(one: unknown, other: unknown): boolean {
  return patchBetween(one, other).length === 0;
}

interface Pair {
  readonly before: unknown;
  readonly after: unknown;
  /** JSON pointer of both. */
  readonly path: string;
}

function compare(pair: Pair, operations: JsonPatchOperation[]): void {
  const { before, after, path } = pair;
  if (before === after) return;
  if (isRecord(before) && isRecord(after)) {
    return compareMembers(before, after, { path, operations });
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    if (before.every(isRecord)) {
      for (const [index, item] of before.entries()) {
        compare({ before: item, after: after[index], path: `${path}/${index}` }, operations);
      }
      return;
    }
    if (before.every((item, index) => item === after[index] || isSameJson(item, after[index]))) {
      return;
    }
  }
  operations.push({ op: "replace", path, value: after });
}

function compareMembers(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  { path, operations }: { readonly path: string; readonly operations: JsonPatchOperation[] },
): void {
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [old, now] = [before[name], after[name]];
    const at = `${path}/${pointerStep(name)}`;
    if (now === undefined) {
      if (old !== undefined) operations.push({ op: "remove", path: at });
    } else if (old === undefined) operations.push({ op: "add", path: at, value: now });
    else compare({ before: old, after: now, path: at }, operations);
  }
}
