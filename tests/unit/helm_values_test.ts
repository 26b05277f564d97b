/** The table of `docs/install.md`: what it says that values are here is read by the programs. */
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

Deno.test("docs/install.md tells of each value once", () => {
  const values = ROWS.flatMap((row) => {
    const [, cell = ""] = row.split("|");
    return [...cell.matchAll(/`([^`]+)`/g)].map(([, value = ""]) => value);
  });
  assert.deepEqual(values, [...new Set(values)]);
});
