import assert from "node:assert/strict";
import { pluginModules } from "../bench/plugin_modules.ts";

const DOCUMENT = new URL("../../docs/plugin-start.md", import.meta.url);

for (const plugin of ["spiderpool", "coordinator", "ifacer", "vlan"]) {
  Deno.test(`each module that ${plugin} loads has a reason, and no other has`, async () => {
    const text = await Deno.readTextFile(DOCUMENT);
    const section = text.split(/^## /m).find((one) => one.startsWith(`${plugin}\n`)) ?? "";
    const rows = section.split("\n").flatMap((line) => {
      const match = /^\| `([^`]+)` +\| ([a-z_, ]+?) +\| (\S.*\S) +\|$/.exec(line);
      return match === null ? [] : [`${match[1]} by ${match[2]}`];
    });
    const modules = await pluginModules(plugin);
    const loaded = modules.map((module) => `${module.path} by ${module.loadedBy}`);
    assert.deepEqual(rows.toSorted(), loaded.toSorted());
  });
}
