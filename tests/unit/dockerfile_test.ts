/** `scripts/build/Dockerfile` makes the same image as `deno task image`, as far as a text says. */
import assert from "node:assert/strict";
import { AGENT_IMAGE, IMAGE_LABELS, IMAGE_USER } from "../../scripts/build/agent_image.ts";
import { ARCHITECTURES } from "../../scripts/build/arguments.ts";
import { type Instruction, parseDockerfile } from "../support/dockerfile.ts";

const TEXT = await Deno.readTextFile("scripts/build/Dockerfile");
const INSTRUCTIONS = parseDockerfile(TEXT);

function the(name: string): Instruction {
  const [found, ...others] = INSTRUCTIONS.filter((one) => one.name === name);
  assert.ok(found !== undefined && others.length === 0, `${name} is there once`);
  return found;
}

Deno.test("the Dockerfile says the user, the command and the labels of our own image", () => {
  assert.deepEqual(the("USER").words, [IMAGE_USER]);
  assert.deepEqual(the("CMD").words, ["spiderpool-agent"]);
  assert.match(the("FROM").words.join(" "), /^\S+:\d\S*$/, "its base has a version");
  for (const word of the("LABEL").words) {
    const [, name = "", value] = /^([^=]+)="([^"]*)"$/.exec(word) ?? [];
    assert.equal(value, IMAGE_LABELS[name], name);
  }
  assert.ok(TEXT.includes(`/${AGENT_IMAGE.split("/").at(-1)} `), "the version in its head");
});

Deno.test("what the Dockerfile copies is in the tree, or what a build writes", async () => {
  const copied = INSTRUCTIONS.filter(({ name }) => name === "COPY");
  const sources = copied.flatMap(({ words }) => words.slice(0, -1));
  const ignore = (await Deno.readTextFile(".dockerignore")).trim().split("\n");
  assert.equal(ignore[0], "*");
  const built = ARCHITECTURES.map((architecture) => `dist/${architecture}`);
  const whole = sources.flatMap((source) =>
    source.includes("${TARGETARCH}")
      ? ARCHITECTURES.map((name) => source.replace("${TARGETARCH}", name).replace(/\/$/, ""))
      : [source]
  );
  for (const source of whole) {
    assert.ok(ignore.includes(`!${source}`), `.dockerignore leaves ${source} out`);
    if (!built.includes(source)) assert.ok((await Deno.stat(source)).isFile, source);
  }
  assert.ok(built.every((folder) => whole.includes(folder)));
});

Deno.test("parseDockerfile() refuses what is no Dockerfile that it knows", () => {
  const rows: readonly (readonly [text: string, says: RegExp])[] = [
    ["COPY a b", /No FROM is before the other/],
    ["FROM a\nFETCH b", /Line 2: "FETCH b" is no instruction/],
    ["FROM a\nCOPY b", /Line 2: COPY has no target/],
    ["FROM a\nLABEL b", /Line 2: LABEL is no pairs/],
    ['FROM a\nLABEL b="c', /Line 2: a quote is not closed/],
    ["FROM a\nCMD b", /JSON/],
    ["FROM a\nCMD {}", /Line 2: CMD is no list of texts/],
    ["FROM a\nCOPY b \\", /Line 2: nothing follows/],
  ];
  for (const [text, says] of rows) assert.throws(() => parseDockerfile(text), says, text);
  const [, copy] = parseDockerfile("FROM a\nCOPY --from=x b \\\n# why\n  c\n");
  assert.deepEqual(copy, { name: "COPY", flags: ["--from=x"], words: ["b", "c"] });
});
