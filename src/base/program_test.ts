import assert from "node:assert/strict";
import { answerVersion } from "./program.ts";
import { VERSION } from "./version.ts";

function ask(args: readonly string[]): { code: number; output: string; error: string } {
  let output = "";
  let error = "";
  const code = answerVersion("spiderpoolctl", {
    args,
    readEnvironment: () => undefined,
    readInput: () => "",
    writeOutput: (text) => output += text,
    writeError: (text) => error += text,
  });
  return { code, output, error };
}

Deno.test("the version of the programs is the one of deno.json", async () => {
  const settings = await Deno.readTextFile(new URL("../../deno.json", import.meta.url));
  assert.equal(/"version": "([^"]+)"/.exec(settings)?.[1], VERSION);
});

Deno.test("--version prints name and version on standard output", () => {
  assert.deepEqual(ask(["--version"]), {
    code: 0,
    output: `spiderpoolctl ${VERSION}\n`,
    error: "",
  });
});

Deno.test("every other request is refused in one sentence and prints nothing", () => {
  for (const args of [[], ["run"], ["--version", "x"]]) {
    const { code, output, error } = ask(args);
    assert.equal(code, 2);
    assert.equal(output, "");
    assert.match(error, /^Cannot run spiderpoolctl with [^\n]+ takes --version only\n$/);
    for (const one of args) assert.ok(error.includes(`"${one}"`));
  }
});
