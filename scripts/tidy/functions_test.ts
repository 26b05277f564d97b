import assert from "node:assert/strict";
import { codeOf, functionsOf } from "./functions.ts";
import { tokenize } from "./tokens.ts";

/** `kind name(parameter: type, ...) line-lastLine` of each function. */
function heads(source: string): readonly string[] {
  return functionsOf(codeOf(tokenize(source))).map((head) => {
    const parameters = head.parameters.map(({ name, isPattern, type }) =>
      `${isPattern ? "{}" : name}${type === "" ? "" : `: ${type}`}`
    );
    return `${head.kind} ${head.name}(${parameters.join(", ")}) ${head.line}-${head.lastLine}`;
  });
}

Deno.test("functionsOf() reads declarations through type parameters and return types", () => {
  const cases: Readonly<Record<string, string>> = {
    "function f(): void {\n}": "function f() 1-2",
    "export async function* f<A, B extends C<D>>(a: A): AsyncIterable<B> {\n\n}":
      "function f(a: A) 1-3",
    "function f(a: Map<A, B>, b = 1, ...c: string[]): { readonly d: E } {\n}":
      "function f(a: Map < A , B >, b, c: string [ ]) 1-2",
    "function f(this: X, { a, b }: { a: A; b: B } = {}): asserts a is B {\n}":
      "function f({}: { a : A ; b : B }) 1-2",
    "function f(a: (x: A, y: B) => C, b: D): a is E {\n}":
      "function f(a: ( x : A , y : B ) => C, b: D) 1-2",
    "function f(a: A extends B ? C : D, b: `x${E}y`, c: [F, G]): typeof x[number] {\n}":
      "function f(a: A extends B ? C : D, b: `x${ E }y`, c: [ F , G ]) 1-2",
    "function f(a: A, b = new Map<C, D>(), c = g(1, 2), d?: E): void;":
      "function f(a: A, b, c, d: E) 1-1",
    "const f = function (a: A) {\n};": "function (a: A) 1-2",
    "function f(): Promise<Result<A, { readonly code: B }>> {\n return { a: 1 };\n}":
      "function f() 1-3",
    "function f(): (a: A) => B | C[] & keyof D {\n}": "function f() 1-2",
  };
  for (const [source, expected] of Object.entries(cases)) {
    assert.deepEqual(heads(source).slice(0, 1), [expected], source);
  }
});

Deno.test("functionsOf() reads methods, accessors and signatures", () => {
  const source = `class A {
  constructor(a: A) {
  }
  static async *#b<T>(a: T, b: T): AsyncIterable<T> {
  }
  get c(): number {
    return 1;
  }
  get(key: Key): Value {
  }
  [Symbol.dispose](): void {
  }
}
interface B {
  d<T>(a: T, b: T, options: O): Promise<T>;
  e?(a: A): void;
}
const o = { f(a: A) { return a; }, g: 1 };
`;
  assert.deepEqual(heads(source), [
    "method constructor(a: A) 2-3",
    "method #b(a: T, b: T) 4-5",
    "accessor c() 6-8",
    "method get(key: Key) 9-10",
    "method [...]() 11-12",
    "signature d(a: T, b: T, options: O) 15-15",
    "signature e(a: A) 16-16",
    "method f(a: A) 18-18",
  ]);
});

Deno.test("functionsOf() takes no statement and no call for a function", () => {
  const source = `if (a) {
} else if (b) {}
for (const c of d) {}
while (e) {}
switch (f) { case g(h): { i(j, k, l); } default: m(n) }
try {} catch (error) {}
o(p, q(r), s);
t ? u(v) : w;
super(x, y, z);
`;
  assert.deepEqual(heads(source), []);
});

Deno.test("functionsOf() measures an arrow from its sign to the end of its block", () => {
  assert.deepEqual(heads("f(async (a, b, c): Promise<void> => {\n\n});\ng(x => x);"), [
    "arrow () 1-3",
    "arrow () 4-4",
  ]);
});
