import assert from "node:assert/strict";
import { catchMutant, COPIED, copyTree, mutate } from "./mutant_run.ts";
import { MUTANTS } from "./mutants.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("each mutant fits the product as it is", async () => {
  for (const mutant of MUTANTS) {
    mutate(await Deno.readTextFile(new URL(mutant.file, ROOT)), mutant);
  }
});

Deno.test("each story has a mutant that it catches", async () => {
  const text = await Deno.readTextFile(new URL("traces_test.ts", import.meta.url));
  const stories = [...text.matchAll(/^Deno\.test\("(.*)", /gm)].map(([, name]) => name);
  assert.ok(stories.length > 5, `${stories.length} stories`);
  const ofStories = MUTANTS.filter(({ story }) => story !== undefined);
  assert.deepEqual(ofStories.map(({ story }) => story).toSorted(), stories.toSorted());
  await using tree = await copyTree();
  for (const mutant of ofStories) {
    const { isCaught, how } = await catchMutant(mutant, { ...tree, seed: 1 });
    assert.ok(isCaught, `${mutant.name}: ${how}`);
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
