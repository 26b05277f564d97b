import assert from "node:assert/strict";
import { checkCasts } from "./casts.ts";
import { treeOf } from "./tree.ts";

function casts(text: string, path = "src/ip/address.ts"): readonly string[] {
  return checkCasts(treeOf([{ path, text }])).map(({ line, message }) => `${line} ${message}`);
}

const BRAND = `declare const brand: unique symbol;
export type Ipv4 = number & { readonly [brand]: "Ipv4" };
`;

Deno.test("checkCasts() refuses every cast but those to a brand of the same file", () => {
  const bad = [
    `f(x as string);`,
    `const a = {} as Pool;`,
    `const a = [] as readonly string[];`,
    `const a = f(x) as unknown as Pool;`,
    `const a = "x" as Kind;`,
    "const a = `x${1 as number}`;",
    "const a = `x${1}${y as number}`;",
    `const a = x as { b: number };`,
    `const a = x as "b" | "c";`,
    `const a = x as typeof y;`,
    `for (const a of b as Iterable<string>) f(a);`,
    `return (x) as (y: number) => void;`,
    `const a = x as Ipv6;`,
    `const a = x as Ipv4[];`,
    `const a = x as Ipv4 | undefined;`,
    `export const a = { b: c as Pool };`,
    `type A = 1; const [b as C] = d;`,
  ];
  for (const text of bad) {
    const found = casts(`${BRAND}${text}\n`);
    assert.match(found[0] ?? "", /^3 "as .*claims what is not checked/, text);
  }
  assert.equal(casts(`const a = x as Ipv4;`).length, 1, "a brand declared elsewhere");
  const interfaceOnly = `interface Ipv4 { readonly [key]: number }\nx as Ipv4;`;
  assert.equal(casts(interfaceOnly).length, 1, "no brand");
});

Deno.test("checkCasts() accepts brands, const, satisfies, renames and names", () => {
  const good = [
    `return ok(value as Ipv4);`,
    `const a = ["x"] as const;`,
    `const a = { x } satisfies Pool;`,
    `import { a as b } from "./b.ts";`,
    `import * as all from "./b.ts";`,
    `export { a as b } from "./b.ts";`,
    `export * as all from "./b.ts";`,
    `export { a as b };`,
    `export type { A as B };`,
    "type Upper<T> = { [K in keyof T as Uppercase<K>]: T[K] };",
    `const as = 1; f(as); const b = { as: 2 }; b.as = 3;`,
    `// x as string`,
    `const text = "x as string";`,
  ];
  for (const text of good) assert.deepEqual(casts(`${BRAND}${text}\n`), [], text);
  assert.deepEqual(casts(`const a = x as Pool;`, "src/ip/x_test.ts"), []);
  assert.deepEqual(casts(`const a = x as Pool;`, "tests/sim/x.ts"), []);
});

Deno.test("checkCasts() takes a guard that always says yes for the cast it is", () => {
  const bad = [
    "function holds<T>(x: unknown): x is T {\n  return true;\n}",
    "const holds = (x: unknown): x is Map<A, B> => true;",
    "class A { is(x: unknown): x is readonly B[] { return true; } }",
  ];
  for (const text of bad) assert.match(casts(text).join(), /^1 "is .* claims what is not/, text);
  const good = [
    "function holds<T>(x: unknown): x is T {\n  return check(x);\n}",
    "const holds = (x: unknown): x is string => typeof x === 'string';",
    "function isOn(): boolean { return true; }",
  ];
  for (const text of good) assert.deepEqual(casts(text), [], text);
});

Deno.test("checkCasts() lets off the one line that says why the compiler cannot follow", () => {
  const because = "// tidy: cast, because the loop above went over every member";
  assert.deepEqual(casts(`${because}\nreturn x as T;\n`), []);
  assert.deepEqual(casts(`return x as T; ${because}\n`), []);
  assert.deepEqual(casts(`return x as T; ${because}\nf(y as T);\nf(z as T);`).length, 1);
});
