import assert from "node:assert/strict";
import {
  kernelModule,
  linkKind,
  type Need,
  NEED_CATEGORIES,
  program,
  requiredCategories,
  withNeeds,
} from "./require.ts";

const present: Need = { category: "root", label: "air", probe: () => undefined };
const absent: Need = { category: "modules", label: "a moon", probe: () => "it is day" };
const absentToo: Need = { category: "programs", label: "a star", probe: () => "it is cloudy" };
const test: Deno.TestDefinition = { name: "it shines", fn() {} };

Deno.test("withNeeds() leaves a test alone when nothing is missing", () => {
  const required = new Set(NEED_CATEGORIES);
  assert.equal(withNeeds(test, { needs: [present], required }), test);
});

Deno.test("withNeeds() skips a test that misses something, and says what in its name", () => {
  const { name, ignore } = withNeeds(test, {
    needs: [present, absent],
    required: new Set(["root", "programs"]),
  });
  assert.equal(name, "it shines (skipped, it needs a moon: it is day)");
  assert.equal(ignore, true);
});

Deno.test("withNeeds() fails a test if a missing need is required, even its second", () => {
  const failing = withNeeds(test, {
    needs: [absent, absentToo],
    required: new Set(["programs"]),
  });
  assert.equal(failing.name, "it shines");
  assert.equal(failing.ignore, undefined);
  assert.throws(
    () => failing.fn({} as Deno.TestContext),
    /^Error: This test needs a star: it is cloudy, and REQUIRE=programs forbids to skip it$/,
  );
});

Deno.test("withNeeds() probes a need once", () => {
  let probes = 0;
  const counted: Need = { category: "root", label: "a count", probe: () => `${++probes} times` };
  withNeeds(test, { needs: [counted], required: new Set() });
  withNeeds(test, { needs: [{ ...counted }], required: new Set() });
  assert.equal(probes, 1);
});

Deno.test("requiredCategories() reads a list, and all of them for all", () => {
  assert.deepEqual(requiredCategories(""), new Set());
  assert.deepEqual(requiredCategories(" root,modules,"), new Set(["root", "modules"]));
  assert.deepEqual(requiredCategories("all"), new Set(NEED_CATEGORIES));
});

Deno.test("requiredCategories() refuses a word that names nothing", () => {
  assert.throws(() => requiredCategories("root,moduls"), /"moduls", which names nothing: give a /);
});

Deno.test("program() finds what is in PATH, and says so when it is not", () => {
  assert.equal(program("sh").probe(), undefined);
  assert.equal(program("no-such-program").probe(), "no folder of PATH has it");
});

Deno.test("kernelModule() and linkKind() miss what no kernel has", () => {
  assert.match(kernelModule("no_such_module").probe() ?? "", /neither loaded nor/);
  assert.notEqual(linkKind("nosuchkind").probe(), undefined);
});
