/**
 * The table of `docs/install.md`: what it says that values are here is read by the programs, and
 * none of the reference's chart is forgotten.
 */
import assert from "node:assert/strict";
import { readConfig } from "../../src/api/config_map.ts";
import type { Variables } from "../../src/api/environment.ts";
import { AGENT_VARIABLES } from "../../src/api/environment_agent.ts";
import { CONTROLLER_VARIABLES } from "../../src/api/environment_controller.ts";
import { INIT_VARIABLES } from "../../src/api/environment_init.ts";
import { parse } from "yaml";
import { isRecord } from "../../src/api/decode.ts";

const TEXT = await Deno.readTextFile("docs/install.md");
const ROWS = TEXT.split("\n").filter((line) => line.startsWith("| `"));

/** What the table calls the variables of a program. */
const PROGRAMS = new Map<string, Variables>([
  ["agent", AGENT_VARIABLES],
  ["controller", CONTROLLER_VARIABLES],
  ["init", INIT_VARIABLES],
]);
/** Read apart from the others of its program, as JSON. */
const POLICY_ROUTES = "SPIDERPOOL_INIT_DEFAULT_COORDINATOR_POLICY_ROUTES";

/** Names that follow a prefix anywhere in the table. */
function namesOf(prefix: string): readonly string[] {
  const found = ROWS.join("\n").matchAll(new RegExp(`\`${prefix}:([\\w.]+)\``, "g"));
  return [...found].map(([, name = ""]) => name);
}

/** Whether the configuration file may have a key: one that is unknown is reported. */
function isKey(path: string): boolean {
  const document = path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), 7);
  const read = readConfig(document);
  return !read.ok || read.value.unknown.length === 0;
}

Deno.test("docs/install.md names keys that the configuration file has", () => {
  const keys = namesOf("conf\\.yml");
  assert.ok(keys.length > 20);
  for (const key of keys) assert.ok(isKey(key), `conf.yml has no "${key}"`);
  assert.ok(!isKey("enableIPv5") && !isKey("agent.networkResourcePlugin.enable"));
});

Deno.test("docs/install.md names every key of the configuration file as shipped", async () => {
  const shipped: unknown = parse(await Deno.readTextFile("manifests/deploy/config.yaml"));
  assert.ok(isRecord(shipped) && isRecord(shipped.data));
  const file: unknown = parse(String(shipped.data["conf.yml"]));
  assert.ok(isRecord(file));
  const named = namesOf("conf\\.yml");
  for (const key of Object.keys(file)) assert.ok(named.includes(key), `"${key}" is not there`);
});

Deno.test("docs/install.md names variables that their program reads", () => {
  for (const [program, variables] of PROGRAMS) {
    const known = new Set(
      Object.values(variables).flatMap(({ name, aliases }) => {
        return [name, ...aliases];
      }),
    );
    const named = namesOf(program).filter((name) => name !== POLICY_ROUTES);
    assert.ok(named.length >= 7, program);
    for (const name of named) assert.ok(known.has(name), `${program} reads no ${name}`);
  }
});

/** The values of the table: `*` is anything, a `.` at the beginning the place of the former. */
const VALUES = ROWS.flatMap((row) => {
  const [, cell = ""] = row.split("|");
  const values: string[] = [];
  for (const [, value = ""] of cell.matchAll(/`([^`]+)`/g)) {
    const place = values.at(-1)?.replace(/\.[^.]*$/, "") ?? "";
    values.push(value.startsWith(".") ? `${place}${value}` : value);
  }
  return values;
});

Deno.test("docs/install.md tells of each value once", () => {
  assert.deepEqual(VALUES, [...new Set(VALUES)]);
});

Deno.test("docs/install.md has every value of the reference's chart, and no other", async () => {
  const text = await Deno.readTextFile("tests/testdata/helm_values.txt");
  const theirs = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assert.ok(theirs.length > 300);
  const told = VALUES.map((value) => {
    const parts = value.split("*").map((part) => part.replaceAll(".", "\\."));
    return { value, pattern: new RegExp(`^${parts.join(".*")}(?:\\..*)?$`) };
  });
  const missing = theirs.filter((name) => !told.some(({ pattern }) => pattern.test(name)));
  assert.deepEqual(missing, [], "write a row for them");
  const unknown = told.filter(({ pattern }) => !theirs.some((name) => pattern.test(name)));
  assert.deepEqual(unknown.map(({ value }) => value), [], "the chart has no such value");
});
