import { mutate } from "./mutant_run.ts";
import { MUTANTS } from "./mutants.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("each mutant fits the product as it is", async () => {
  for (const mutant of MUTANTS) {
    mutate(await Deno.readTextFile(new URL(mutant.file, ROOT)), mutant);
  }
});
