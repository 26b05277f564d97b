/**
 * What is wrong with one value somewhere inside a document, and the one sentence that says so.
 * Every parser of this directory ends here, so that all bad input reads alike.
 */

/** One refused value. */
export interface Problem {
  /** Where, from the document's root: `["spec", "ips", 3]`. */
  readonly path: readonly PropertyKey[];
  /** What was found; `undefined`: the field is missing. */
  readonly value: unknown;
  /** What to write instead, as an object of "write": `4 or 6`, `a string`. */
  readonly allowed: string;
  /** Why it is wrong, where that is not plain from `allowed`: `it is listed twice`. */
  readonly reason?: string | undefined;
}

/** Characters of a refused value that a message shows. */
const SHOWN_CHARACTERS_MAX = 100;

/**
 * Says in one sentence which field is wrong, what it holds and what to write:
 * `Cannot use spec.ipVersion 5: write 4 or 6`.
 *
 * @param root Names the document where a path alone would not, such as `annotation "a/b"`.
 * @param more Further problems of the same document that this sentence leaves out.
 */
export function problemSentence(
  problem: Problem,
  { root, more = 0 }: { readonly root?: string; readonly more?: number } = {},
): string {
  const place = placeText(problem.path, root);
  const rest = more === 0 ? "" : ` (and ${more} more ${more === 1 ? "problem" : "problems"})`;
  if (problem.value === undefined && problem.reason === undefined) {
    return `Cannot use ${place}: it is missing; write ${problem.allowed}${rest}`;
  }
  const value = problem.value === undefined ? "" : ` ${shown(problem.value)}`;
  const reason = problem.reason === undefined ? "" : `${problem.reason}; `;
  return `Cannot use ${place}${value}: ${reason}write ${problem.allowed}${rest}`;
}

/** A path as people write it: `spec.ips[3]`, `metadata.labels["a/b"]`. */
export function pathText(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (typeof part === "string" && /^[A-Za-z_][\w-]*$/.test(part)) {
      text += text === "" ? part : `.${part}`;
    } else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}

/** `4 or 6`, `"a", "b" or "c"`: the members of a closed set. */
export function choices(values: Iterable<unknown>): string {
  const texts = [...values].map((value) => JSON.stringify(value) ?? String(value));
  const last = texts.pop() ?? "nothing";
  return texts.length === 0 ? last : `${texts.join(", ")} or ${last}`;
}

/** A value as a message shows it: JSON, cut at a bounded length. */
export function shown(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : JSON.stringify(value) ?? String(value);
  return text.length <= SHOWN_CHARACTERS_MAX ? text : `${text.slice(0, SHOWN_CHARACTERS_MAX)}…`;
}

function placeText(path: readonly PropertyKey[], root: string | undefined): string {
  const text = pathText(path);
  if (root === undefined) return text === "" ? "the value" : text;
  return text === "" ? root : `${text} of ${root}`;
}
