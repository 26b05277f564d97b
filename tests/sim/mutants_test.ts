import assert from "node:assert/strict";
import { COPIED, mutate } from "./mutant_run.ts";
import { MUTANTS } from "./mutants.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("each mutant fits the product as it is", async () => {
  for (const mutant of MUTANTS) {
    mutate(await Deno.readTextFile(new URL(mutant.file, ROOT)), mutant);
  }
});

Deno.test("a mutant's copy of the tree has all that the simulation loads", async () => {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL("main.ts", import.meta.url).pathname],
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as {
    readonly modules: readonly { readonly specifier: string }[];
  };
  const local = modules.map(({ specifier }) => specifier).filter((one) => one.startsWith("file:"));
  assert.ok(local.length > 100, `${local.length} modules`);
  const folders = COPIED.map((path) => new URL(`${path}/`, ROOT).href);
  const left = local.filter((one) => !folders.some((folder) => one.startsWith(folder)));
  assert.deepEqual(left, []);
});
