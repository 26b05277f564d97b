/**
 * A plugin's script, in parts. V8 reads the whole of a text before it runs any of it, so each chunk
 * of the bundle stays a text of its own, which is read when it is first asked for.
 */

/** Begins a part, before its name: a whole line of the script. */
export const PART_MARK = "\n//# part ";
/** The part that exports `start`: the bundle's entry. */
export const FIRST_PART = "entry.js";

/** Imports of other chunks, which the bundler writes before everything else. */
const HEAD = /^(?:import(?:\{[^}]*\}from)?"\.\/[^"]+";)*/;
const HEAD_ITEM = /import(?:\{([^}]*)\}from)?"\.\/([^"]+)";/g;
/** Exports, which it writes last. */
const TAIL = /export\{([^}]*)\};\s*$/;
const LATER = /\bimport\("\.\/([^"]+)"\)/g;
/** What only a module may have. */
const OF_MODULES =
  /\bimport\s*[({*"]|\bimport\.meta\b|\bexport\s*[{*]|\bexport (?:default|let|var)/;

/**
 * Joins the chunks of a minified bundle. Each becomes the body of a function that is given `load`,
 * which gives what another part exports, and returns what it exports itself.
 *
 * Names are bound when a part is loaded: what a module exports must not change afterwards.
 *
 * @param chunks Texts by file name.
 * @throws {Error} If a chunk has a form that is not known, or asks for one that is not there.
 */
export function joinParts(chunks: ReadonlyMap<string, string>): string {
  return [...chunks].map(([name, text]) => {
    const body = bodyOf(name, text);
    for (const [, asked = ""] of body.matchAll(/\bload\("([^"]+)"\)/g)) {
      if (!chunks.has(asked)) throw new Error(`Cannot split: "${name}" asks for "${asked}"`);
    }
    return `${PART_MARK}${name}\n${body}`;
  }).join("");
}

function bodyOf(name: string, text: string): string {
  const head = HEAD.exec(text)?.[0] ?? "";
  const bindings = [...head.matchAll(HEAD_ITEM)].map(([, names, from]) => {
    return names === undefined
      ? `load("${from}");`
      : `const{${renamed(names, { order: "as imported" })}}=load("${from}");`;
  });
  const body = text.slice(head.length)
    .replace(TAIL, (_, names: string) => `return{${renamed(names, { order: "as exported" })}};`)
    .replace(LATER, (_, from: string) => `Promise.resolve().then(()=>load("${from}"))`);
  const foreign = OF_MODULES.exec(body)?.[0] ?? (body.includes(PART_MARK) ? PART_MARK : undefined);
  if (foreign !== undefined) throw new Error(`Cannot split: "${name}" has "${foreign}" inside`);
  return `"use strict";${bindings.join("")}${body}`;
}

/** `a as b,c` as the properties of a pattern (`a:b,c:c`) or of an object (`b:a,c:c`). */
function renamed(
  names: string,
  { order }: { readonly order: "as imported" | "as exported" },
): string {
  return names.split(",").filter((item) => item !== "").map((item) => {
    const [outer = "", inner = outer] = item.split(" as ");
    return order === "as imported" ? `${outer}:${inner}` : `${inner}:${outer}`;
  }).join(",");
}
