import assert from "node:assert/strict";
import { checkArrows, checkDocstrings, checkFunctionSizes, checkParameters } from "./shape.ts";
import { type Finding, type Tree, treeOf } from "./tree.ts";

/** Lines and messages of a rule on one file of the product. */
function refusals(
  rule: (tree: Tree) => readonly Finding[],
  { text, path = "src/agent/x.ts" }: { readonly text: string; readonly path?: string },
): readonly string[] {
  return rule(treeOf([{ path, text }])).map(({ line, message }) => `${line} ${message}`);
}

Deno.test("checkFunctionSizes() draws the line at 70 for each form, in tests too", () => {
  const forms: readonly (readonly [string, string])[] = [
    ["function f(): void {\n", "}\n"],
    ["class A {\n  m(): void {\n", "  }\n}\n"],
    [`Deno.test("f() does", () => {\n`, "});\n"],
  ];
  for (const [head, tail] of forms) {
    for (const path of ["src/ip/x.ts", "src/ip/x_test.ts"]) {
      const fits = head + "  x();\n".repeat(68) + tail;
      assert.deepEqual(refusals(checkFunctionSizes, { text: fits, path }), [], head);
      const exceeds = head + "  x();\n".repeat(69) + tail;
      assert.match(
        refusals(checkFunctionSizes, { text: exceeds, path }).join(),
        /^\d+ \S.* has 71 lines, at most 70/,
        head,
      );
    }
  }
});

Deno.test("checkParameters() accepts two and one options object after them", () => {
  const good = [
    "export function f(a: A, b: B): void {}",
    "export function f(a: A, b: B, { signal }: { readonly signal: S }): void {}",
    "export function f(a: A, b: B, options: { readonly signal: S }): void {}",
    "interface P { get<T>(a: A, b: B, options: GetOptions): C; }",
    "class P { get(a: A, b: B, call: CallOptions): C {} }",
    "export function f(this: X, a: A, b: B): void {}",
    "list.reduce((sum, item, index) => sum + item * index, 0);",
    "export function compare(a: A, b: A): number {}",
    "export function between(low: A, high: A): void {}",
    "export function assert(a: boolean, b: string): asserts a {}",
    "export function f({ isDry }: { readonly isDry: boolean }): void {}",
    "class P { set on(isOn: boolean) {} }",
    "function near(text: string, path: string): void {}",
    "class P { #near(text: string, path: string): void {} }",
  ];
  for (const text of good) assert.deepEqual(refusals(checkParameters, { text }), [], text);
  const text = "function f(a: A, b: B, c: C): void {}";
  assert.deepEqual(refusals(checkParameters, { text, path: "src/ip/x_test.ts" }), []);
});

Deno.test("checkParameters() refuses a third, a boolean, and two of one type", () => {
  const bad: Readonly<Record<string, RegExp>> = {
    "function f(a: A, b: B, c: C): void {}": /f\(\) has 3 positional parameters, at most 2/,
    "function f(a: A, b: B, c: C, { d }: D): void {}": /f\(\) has 3 positional/,
    "class P { #m(a: A, b: B, c: C): void {} }": /#m\(\) has 3/,
    "interface P { m(a: A, b: B, c: C): void; }": /m\(\) has 3/,
    "class P { constructor(a: A, b: B, c: C) {} }": /constructor\(\) has 3/,
    "function f(a: A, isDry: boolean): void {}": /takes the boolean "isDry" by position/,
    "export function f(pool: string, pod: string): void {}":
      /takes "pool" and "pod", both string, by position/,
    "export async function f(pool: Map<A, B>, pod: Map<A, B>): P {}": /both Map < A , B >/,
    "interface P { m(pool: string, pod: string): void; }": /takes "pool" and "pod"/,
  };
  for (const [text, message] of Object.entries(bad)) {
    assert.match(refusals(checkParameters, { text }).join(), message, text);
  }
});

Deno.test("checkArrows() refuses an arrow at the top level only", () => {
  const bad = [
    "const f = (a: A): B => a;",
    "export const f = async () => {};",
    "const f = a => a;",
    "const f = <A>(a: A) => a;",
  ];
  for (const text of bad) {
    assert.match(refusals(checkArrows, { text }).join(), /^1 "f" is an arrow/, text);
  }
  const good = [
    "function f(): void { const g = () => 1; }",
    "const f: Handler = (a) => a;",
    "const f = (1 + 2);",
    "const f = list.map((a) => a);",
    "const F = { g: () => 1 };",
  ];
  for (const text of good) assert.deepEqual(refusals(checkArrows, { text }), [], text);
});

const EXPORTS = [
  "export function f(): void {}",
  "export async function* f(): void {}",
  "export default function f(): void {}",
  "export class f {}",
  "export abstract class f {}",
  "export interface f {}",
  "export type f = 1;",
  "export const f = 1;",
  "export declare const f: unique symbol;",
];

Deno.test("checkDocstrings() wants one on every export of the product", () => {
  for (const text of EXPORTS) {
    for (const doc of ["", "// Not a docstring.\n", "/* Nor this. */\n"]) {
      assert.match(
        refusals(checkDocstrings, { text: doc + text }).join(),
        /^\d "f" is exported without a docstring/,
        doc + text,
      );
    }
    assert.match(refusals(checkDocstrings, { text: `/** */\n${text}` }).join(), /says nothing/);
    assert.deepEqual(refusals(checkDocstrings, { text: `/** Does it. */\n${text}` }), [], text);
    assert.deepEqual(refusals(checkDocstrings, { text, path: "scripts/x.ts" }), []);
    assert.deepEqual(refusals(checkDocstrings, { text, path: "src/ip/x_test.ts" }), []);
  }
});

Deno.test("checkDocstrings() takes re-exports as documented, and an overload once", () => {
  const good = [
    `export { a } from "./a.ts";`,
    `export * from "./a.ts";`,
    "export type { A };",
    "/** Does. */\nexport function f(a: 1): 1;\nexport function f(a: 2): 2;",
    "/** Does. */\n// deno-lint-ignore x -- y\nexport function f(): void {}",
    "/** @param count How often; at least 1. */\nexport function f(count: number): void {}",
    "/** Does. @throws {RangeError} If not. */\nexport function f(): void {}",
  ];
  for (const text of good) assert.deepEqual(refusals(checkDocstrings, { text }), [], text);
  const typed = "/**\n * Does.\n * @param {string} a Text.\n */\nexport function f(a: A): void {}";
  assert.match(refusals(checkDocstrings, { text: typed }).join(), /repeats a type/);
});
