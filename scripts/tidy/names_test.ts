import assert from "node:assert/strict";
import { checkNames, checkReadmes, checkSizes, checkTopLevel } from "./names.ts";
import { type Finding, type Tree, treeOf } from "./tree.ts";

/** Messages of a rule on a tree whose files have these paths and texts. */
function refusals(
  rule: (tree: Tree) => readonly Finding[],
  files: Readonly<Record<string, string>>,
): readonly string[] {
  const tree = treeOf(Object.entries(files).map(([path, text]) => ({ path, text })));
  return rule(tree).map(({ path, line, message }) => `${path}:${line} ${message}`);
}

function lines(count: number): string {
  return "x;\n".repeat(count);
}

Deno.test("checkTopLevel() refuses a stranger once, and accepts the list", () => {
  const found = refusals(checkTopLevel, { "lib/a.txt": "", "lib/b.txt": "", "src/base/a.ts": "" });
  assert.equal(found.length, 1);
  assert.match(found[0] ?? "", /"lib" does not belong at the top/);
  assert.equal(refusals(checkTopLevel, { ".vscode/settings.json": "" }).length, 1);
  const good = { "main.ts": "", ".ci/run": "", "docs/x.md": "", "LICENSE": "", "deno.lock": "" };
  assert.deepEqual(refusals(checkTopLevel, good), []);
});

Deno.test("checkNames() refuses empty words in files and folders", () => {
  const bad = [
    "src/base/utils.ts",
    "src/base/string_util.ts",
    "src/common/a.ts",
    "src/kube/helpers/a.ts",
    "tests/support/pod_helper.ts",
    "src/agent/ip_manager.ts",
    "scripts/misc.ts",
  ];
  for (const path of bad) {
    assert.match(refusals(checkNames, { [path]: "" }).join(), /says nothing: find the noun/, path);
  }
  const good = ["tests/cluster/kube_controller_manager.ts", "src/base/utilization.ts"];
  for (const path of good) assert.deepEqual(refusals(checkNames, { [path]: "" }), [], path);
});

Deno.test("checkNames() refuses what is not snake_case TypeScript", () => {
  const bad = ["src/ip/rangeSet.ts", "src/ip/range-set.ts", "src/ip/Range.ts", "src/IP/range.ts"];
  for (const path of bad) {
    assert.match(refusals(checkNames, { [path]: "" }).join(), /is not snake_case/, path);
  }
  assert.match(refusals(checkNames, { "src/ip/range.js": "" }).join(), /is not TypeScript/);
  assert.match(refusals(checkNames, { "scripts/build.sh": "" }).join(), /is a shell script/);
  const good = [
    "src/ip/range_set_property_test.ts",
    "scripts/setup.sh",
    "src/netlink/README.md",
    "src/dashboard/static/app.js",
    "tests/testdata/Some-Name/x.bin",
    "docs/0001-Decision.md",
  ];
  for (const path of good) assert.deepEqual(refusals(checkNames, { [path]: "" }), [], path);
});

Deno.test("checkSizes() draws the line at 400", () => {
  assert.deepEqual(refusals(checkSizes, { "src/ip/a.ts": lines(400) }), []);
  const found = refusals(checkSizes, { "src/ip/a.ts": lines(401) });
  assert.match(found.join(), /^src\/ip\/a\.ts:1 401 lines, at most 400/);
  assert.match(refusals(checkSizes, { "scripts/setup.sh": lines(401) }).join(), /401 lines/);
  assert.deepEqual(refusals(checkSizes, { "docs/a.md": lines(900) }), []);
});

Deno.test("checkSizes() excuses a codec or a table that gives its reason at the top", () => {
  const excuse = "// tidy: table, because one row per message reads best in one place\n";
  assert.deepEqual(refusals(checkSizes, { "src/ip/a.ts": excuse + lines(500) }), []);
  const block = "/** Doc.\n * tidy: codec: every attribute of one message\n */\n";
  assert.deepEqual(refusals(checkSizes, { "src/ip/a.ts": block + lines(500) }), []);
  const bad: Readonly<Record<string, RegExp>> = {
    ["// tidy: long, because it is long\n" + lines(500)]: /501 lines, at most 400/,
    [lines(1) + excuse + lines(500)]: /502 lines, at most 400/,
    [excuse + lines(3)]: /is not needed at 4 lines/,
  };
  for (const [text, message] of Object.entries(bad)) {
    assert.match(refusals(checkSizes, { "src/ip/a.ts": text }).join(), message);
  }
});

Deno.test("checkReadmes() wants one in each folder with source, of at most 60 lines", () => {
  assert.match(
    refusals(checkReadmes, { "src/netlink/wire/a.ts": "", "src/netlink/README.md": "x\n" }).join(),
    /^src\/netlink\/wire\/README\.md:1 is missing/,
  );
  assert.match(
    refusals(checkReadmes, { "src/ip/a.ts": "", "src/ip/README.md": lines(61) }).join(),
    /^src\/ip\/README\.md:61 61 lines, at most 60/,
  );
  assert.deepEqual(
    refusals(checkReadmes, {
      "src/ip/a.ts": "",
      "src/ip/README.md": lines(60),
      "README.md": lines(200),
      "main.ts": "",
      "tests/testdata/x.bin": "",
    }),
    [],
  );
});
