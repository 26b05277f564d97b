import assert from "node:assert/strict";
import { pluginModules } from "../bench/plugin_modules.ts";

const DOCUMENT = new URL("../../docs/plugin-start.md", import.meta.url);

Deno.test("each module that a plugin loads has a reason, and no other has", async () => {
  const rows = (await Deno.readTextFile(DOCUMENT)).split("\n").flatMap((line) => {
    const match = /^\| `([^`]+)` +\| ([a-z, ]+?) +\| (\S.*\S) +\|$/.exec(line);
    return match === null ? [] : [`${match[1]} by ${match[2]}`];
  });
  const modules = (await pluginModules()).map((module) => `${module.path} by ${module.loadedBy}`);
  assert.deepEqual(rows.toSorted(), modules.toSorted());
});
