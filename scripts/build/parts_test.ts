import assert from "node:assert/strict";
import { FIRST_PART, joinParts, PART_MARK } from "./parts.ts";

/** Runs a script as a plugin's starter does; `ran` gets the names of parts in their order. */
function startOf(script: string): { readonly exported: Exported; readonly ran: readonly string[] } {
  const ran: string[] = [];
  const texts = new Map(
    script.split(PART_MARK).slice(1).map((part) => {
      const end = part.indexOf("\n");
      return [part.slice(0, end), part.slice(end + 1)] as const;
    }),
  );
  const loaded = new Map<string, Exported>();
  function load(name: string): Exported {
    const known = loaded.get(name);
    if (known !== undefined) return known;
    ran.push(name);
    const exported: Exported = new Function("load", texts.get(name) ?? "throw 1")(load);
    loaded.set(name, exported);
    return exported;
  }
  return { exported: load(FIRST_PART), ran };
}

type Exported = Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

const CHUNKS = new Map([
  [
    "entry.js",
    'import{a as n,b}from"./chunk-A.js";import"./chunk-B.js";async function s(){' +
    'let{late:x}=await import("./late-C.js");return x(n()+b)}export{s as start};\n',
  ],
  ["chunk-A.js", "function f(){return 40}var q=2;export{f as a,q as b};\n"],
  ["chunk-B.js", "let unused=1;\n"],
  ["late-C.js", 'import{a as $}from"./chunk-A.js";var d=i=>i*$();export{d as late};\n'],
]);

Deno.test("joinParts() makes a script whose parts run when they are first asked for", async () => {
  const { exported, ran } = startOf(joinParts(CHUNKS));
  assert.deepEqual(ran, ["entry.js", "chunk-A.js", "chunk-B.js"]);
  assert.equal(await exported.start?.(), 42 * 40);
  assert.deepEqual(ran, ["entry.js", "chunk-A.js", "chunk-B.js", "late-C.js"], "each once");
});

Deno.test("joinParts() refuses what it does not know how to split", () => {
  const wrong: Readonly<Record<string, string>> = {
    'asks for "missing.js"': 'import{a}from"./missing.js";export{a};',
    'has "import("': "let a=import(name);export{a};",
    'has "import.meta"': "let a=import.meta.url;export{a};",
    'has "export default"': "export default 3;",
    'has "import{"': 'import{a}from"node:fs";export{a};',
    'has "import*"': 'import*as a from"node:fs";export{a};',
    [`has "${PART_MARK}"`]: `let a="${PART_MARK}";`,
  };
  for (const [says, text] of Object.entries(wrong)) {
    const message = says.startsWith("has") ? `${says} inside` : says;
    assert.throws(() => joinParts(new Map([["x.js", text]])), {
      message: `Cannot split: "x.js" ${message}`,
    }, text);
  }
});
