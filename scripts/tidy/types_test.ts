import assert from "node:assert/strict";
import { treeOf } from "./tree.ts";
import { checkCasts, checkEnums, checkSuppressions } from "./types.ts";

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
    assert.match(found[0] ?? "", /^3 "as .*only claims what it does not check/, text);
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

Deno.test("checkEnums() refuses an enum in any file, and only an enum", () => {
  for (const text of ["enum A { B }", "export const enum A { B }", "declare enum A { B }"]) {
    const found = checkEnums(treeOf([{ path: "tests/x.ts", text: `\n${text}` }]));
    assert.deepEqual(found.map(({ line }) => line), [2], text);
  }
  for (const text of [`const a = { enum: ["b"] };`, `z.enum(["b"]);`, `// enum A { B }`]) {
    assert.deepEqual(checkEnums(treeOf([{ path: "src/api/x.ts", text }])), [], text);
  }
});

Deno.test("checkSuppressions() wants one line, a reason, and none of the kept promises", () => {
  function messages(text: string, path: string): string {
    return checkSuppressions(treeOf([{ path, text }])).map(({ message }) => message).join();
  }
  const ignore = "deno-lint-ignore";
  const path = "src/kube/x.ts";
  assert.match(messages(`// ${ignore}-file\n`, path), /for a whole file/);
  assert.match(messages(`// ${ignore} require-await\nf();`, path), /say why after the rule/);
  assert.match(messages(`// ${ignore} no-explicit-any -- it is\nf();`, path), /not switched off/);
  assert.match(messages(`// ${ignore} a no-console -- it is\nf();`, "main.ts"), /not switched off/);
  assert.match(messages("// @ts-expect-error wrong\nf();", path), /mend the type/);
  assert.equal(messages(`// ${ignore} require-await -- the port wants a promise\n`, path), "");
  assert.equal(messages(`// ${ignore} no-console -- the sink\nf();`, "scripts/x.ts"), "");
  assert.equal(messages("// @ts-expect-error must not compile\nf();", "src/ip/x_test.ts"), "");
  assert.equal(messages(`const text = "// ${ignore}-file";`, path), "");
});
