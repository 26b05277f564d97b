import assert from "node:assert/strict";
import { findingsIn, findingText } from "./rules.ts";

const LONG = "x".repeat(100);

/** For each rule a tree that it refuses: a rule that is not in the list would refuse nothing. */
const BAD: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  layer: { "src/ip/a.ts": `import "../ipam/b.ts";` },
  cycle: { "src/ip/a.ts": `import "./a.ts";` },
  plugin: { "cni/vlan/a.ts": `import "zod";` },
  pure: { "src/ip/a.ts": "Deno.cwd();" },
  port: { "src/agent/a.ts": "Deno.serve(f);" },
  time: { "src/agent/a.ts": "Date.now();" },
  ffi: { "src/agent/a.ts": "Deno.dlopen(x, y);" },
  cast: { "src/agent/a.ts": "x as Y;" },
  enum: { "src/agent/a.ts": "enum A { B }" },
  suppression: { "src/agent/a.ts": "// @ts-nocheck" },
  function: { "src/agent/a.ts": `function f(): void {\n${"x;\n".repeat(70)}}` },
  parameters: { "src/agent/a.ts": "function f(a: A, b: B, c: C): void {}" },
  arrow: { "src/agent/a.ts": "const f = () => 1;" },
  docstring: { "src/agent/a.ts": "export const A = 1;" },
  "top-level": { "lib/a.md": "" },
  name: { "src/agent/utils.ts": "" },
  size: { "src/agent/a.ts": "x;\n".repeat(401) },
  excuse: { "src/agent/a.ts": "// tidy: whatever\n" },
  readme: { "src/agent/a.ts": "" },
  columns: { "src/agent/a.ts": `"${LONG}"` },
  machine: { "docs/a.md": ["", "home", "me"].join("/") },
  todo: { "docs/a.md": "TO" + "DO: later" },
  "deno-version": { "README.md": "Deno 1.0.0", "scripts/setup.sh": "DENO_VERSION=2.9.6" },
  link: { "docs/a.md": "[a](b.md)" },
};

Deno.test("findingsIn() applies every rule", () => {
  for (const [rule, files] of Object.entries(BAD)) {
    const found = findingsIn(Object.entries(files).map(([path, text]) => ({ path, text })));
    assert.ok(found.some((finding) => finding.rule === rule), rule);
  }
});

Deno.test("findingsIn() sorts by file and line, and findingText() prints one line each", () => {
  const found = findingsIn([
    { path: "src/ip/b.ts", text: "a;\nDeno.cwd();\nenum A { B }" },
    { path: "src/ip/a.ts", text: "\n\n\nfetch(x);" },
    { path: "src/ip/README.md", text: "" },
  ]);
  assert.deepEqual(found.map(({ path, line, rule }) => `${path}:${line} ${rule}`), [
    "src/ip/a.ts:4 pure",
    "src/ip/b.ts:2 pure",
    "src/ip/b.ts:3 enum",
  ]);
  for (const finding of found) {
    assert.match(findingText(finding), /^src\/ip\/[ab]\.ts:\d (?:pure|enum): [^\n]+$/);
  }
});
