import assert from "node:assert/strict";
import {
  checkColumns,
  checkDenoVersion,
  checkLinks,
  checkMachinePaths,
  checkOpenWork,
} from "./text.ts";
import { type Finding, type Tree, treeOf } from "./tree.ts";

/** Places and messages of a rule on these files. */
function refusals(
  rule: (tree: Tree) => readonly Finding[],
  files: Readonly<Record<string, string>>,
): readonly string[] {
  const tree = treeOf(Object.entries(files).map(([path, text]) => ({ path, text })));
  return rule(tree).map(({ path, line, message }) => `${path}:${line} ${message}`);
}

Deno.test("checkColumns() draws the line at 100 characters, addresses apart", () => {
  const long = `"${"x".repeat(99)}"`;
  assert.match(
    refusals(checkColumns, { "src/ip/x.ts": `a;\n${long}\n` }).join(),
    /^src\/ip\/x\.ts:2 101 columns, at most 100/,
  );
  const address = `https://example.org/${"x".repeat(100)}`;
  assert.equal(
    refusals(checkColumns, { "src/ip/x.ts": `// ${"x".repeat(98)} ${address}` }).length,
    1,
  );
  const good = { "src/ip/x.ts": `"${"…".repeat(98)}"\n// @source ${address}`, "docs/x.md": long };
  assert.deepEqual(refusals(checkColumns, good), []);
});

Deno.test("checkMachinePaths() refuses folders of a person's machine in any text file", () => {
  for (const folder of ["root", "home", "Users", "work"]) {
    for (const path of ["src/ip/x.ts", "docs/x.md", "deno.lock", ".ci/run", "manifests/x.yaml"]) {
      for (const text of [`"/${folder}/someone/x"`, `file:///${folder}/x`, `cd /${folder}/x`]) {
        assert.match(
          refusals(checkMachinePaths, { [path]: `\n${text}\n` }).join(),
          /:2 ".*" is a path of one machine/,
          `${path} ${text}`,
        );
      }
    }
  }
  const good =
    "src/home/x /var/run/netns https://example.org/root/x ../work/x ~/work/x a/root/b /root";
  assert.deepEqual(refusals(checkMachinePaths, { "docs/x.md": good }), []);
});

Deno.test("checkMachinePaths() refuses files of a registry, and any host in the lock file", () => {
  const host = "https://registry" + ".example.org";
  for (const file of [`${host}/zod/-/zod-4.0.0.tgz`, `${host}/x.whl`, `${host}/a/b.crate`]) {
    assert.match(
      refusals(checkMachinePaths, { "scripts/x.ts": `"${file}"` }).join(),
      /is one registry's file/,
    );
  }
  assert.match(
    refusals(checkMachinePaths, { "deno.lock": `{ "x": "https://example.org" }` }).join(),
    /the lock file names a host/,
  );
  const good = {
    "docs/x.md": "https://example.org/plugins-v1.tgz https://example.org/npm",
    "deno.lock": `{ "npm:zod@4": "4" }`,
  };
  assert.deepEqual(refusals(checkMachinePaths, good), []);
});

Deno.test("checkOpenWork() wants an issue with each piece of open work", () => {
  const word = "TO" + "DO";
  const bad: Readonly<Record<string, string>> = {
    "src/ip/x.ts": `a;\n// ${word}: later`,
    "docs/x.md": `x\n${word}(me) later`,
    "manifests/x.yaml": `a: b\n# ${word} later`,
    "scripts/setup.sh": `a\n# FIX${"ME"} #12`,
  };
  for (const [path, text] of Object.entries(bad)) {
    assert.match(refusals(checkOpenWork, { [path]: text }).join(), /:2 .*(issue)/, path);
  }
  const good = {
    "src/ip/x.ts": `// ${word}(#12): later\nconst text = "${word}: x";`,
    "docs/x.md": `\`${word}\` names an issue; ${word}, issue 12: later`,
    "tests/testdata/x.txt": word,
  };
  assert.deepEqual(refusals(checkOpenWork, good), []);
});

Deno.test("checkDenoVersion() compares what the README says with what is pinned", () => {
  const setup = `set -eu\nDENO_VERSION="\${DENO_VERSION:-2.9.6}"\n`;
  function found(readme: string, script = setup): readonly string[] {
    return refusals(checkDenoVersion, { "README.md": readme, "scripts/setup.sh": script });
  }
  assert.match(found("x\nNeeds Deno 2.8.1.\n").join(), /^README\.md:2 Deno 2\.8\.1 is not what/);
  assert.equal(found("npm install deno@2.9.5").length, 1);
  for (const path of ["deno.json", ".ci/run", "scripts/build.ts", "manifests/agent.yaml"]) {
    const files = { [path]: "npm:deno@2.8.0", "scripts/setup.sh": setup };
    assert.equal(refusals(checkDenoVersion, files).length, 1, path);
  }
  const past = { "docs/decisions/0001.md": "Deno 2.8.0", "scripts/a_test.ts": "// Deno 2.8.0" };
  assert.deepEqual(refusals(checkDenoVersion, { ...past, "scripts/setup.sh": setup }), []);
  assert.equal(found("Deno 2.9.5", "readonly DENO_VERSION=2.9.6").length, 1);
  assert.deepEqual(found("Needs Deno 2.9.6 (any Deno 2.9 does; deno@2.9.6)"), []);
  assert.deepEqual(refusals(checkDenoVersion, { "README.md": "Deno 1.0" }), []);
  assert.deepEqual(refusals(checkDenoVersion, { "scripts/setup.sh": setup }), []);
});

Deno.test("checkLinks() refuses links that lead nowhere", () => {
  const bad: Readonly<Record<string, RegExp>> = {
    "[a](gone.md)": /docs\/gone\.md is not in the tree/,
    "![a](./image.png)": /docs\/image\.png is not in the tree/,
    "[a](../src/ip/x.ts)": /leads nowhere/,
    "[a](../../README.md)": /leads nowhere/,
    "[a]: gone.md": /docs\/gone\.md is not/,
    "[a](/README.md)": /starts at the root/,
    "[a](#nothing)": /leads to no heading of docs\/x\.md/,
    "[a](../README.md#nothing)": /leads to no heading of README\.md/,
  };
  for (const [text, message] of Object.entries(bad)) {
    const found = refusals(checkLinks, { "docs/x.md": `\n${text}\n`, "README.md": "# Title\n" });
    assert.match(found.join(), message, text);
    assert.match(found.join(), /^docs\/x\.md:2 /);
  }
});

Deno.test("checkLinks() follows files, folders and headings, and skips code", () => {
  const page = [
    "# A `title`, with *marks*: (2)",
    "## Twice",
    "## Twice",
    `[a](../README.md) [b](../src/ip) [c](../src/ip/ "title") [d](<../README.md>)`,
    "[e](#a-title-with-marks-2) [f](#twice-1) [g](../README.md#top) [h](..)",
    "[i](https://example.org/x) [j](mailto:a@example.org)",
    "`[k](gone.md)` and ``[`l`](gone.md)``",
    "```md",
    "[m](gone.md)",
    "```",
    "[n]: ../README.md",
  ].join("\n");
  const files = { "docs/x.md": page, "README.md": "# Top\n", "src/ip/x.ts": "" };
  assert.deepEqual(refusals(checkLinks, files), []);
});
