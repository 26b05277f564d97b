import assert from "node:assert/strict";
import { answerVersion, processPorts } from "./program.ts";
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

/** A process whose input comes in pieces, and that takes 3 bytes of each write. */
function processOf(pieces: readonly Uint8Array[], { isTerminal = false } = {}) {
  const waiting = [...pieces];
  const written = { out: [] as number[], err: [] as number[] };
  const take = (into: number[]) => (bytes: Uint8Array) => into.push(...bytes.slice(0, 3)) && 3;
  const ports = processPorts({
    stdin: {
      isTerminal: () => isTerminal,
      readSync: (into) => {
        const piece = waiting.shift();
        if (piece === undefined) return null;
        into.set(piece);
        return piece.length;
      },
    },
    stdout: { writeSync: take(written.out) },
    stderr: { writeSync: take(written.err) },
    env: { get: (name) => name === "HOME" ? "/root" : undefined },
  }, { args: ["a"] });
  return { ports, written };
}

Deno.test("processPorts() reads all input, however it is cut", () => {
  const bytes = new TextEncoder().encode("ä€");
  const { ports } = processOf([bytes.slice(0, 1), bytes.slice(1, 3), bytes.slice(3)]);
  assert.equal(ports.readInput({ bytesMax: 5 }), "ä€");
});

Deno.test("processPorts() gives no text if there is more input than asked for", () => {
  const { ports } = processOf([new Uint8Array(4), new Uint8Array(2)]);
  assert.equal(ports.readInput({ bytesMax: 5 }), undefined);
});

Deno.test("processPorts() does not wait for a person to type", () => {
  const { ports } = processOf([new Uint8Array(1)], { isTerminal: true });
  assert.equal(ports.readInput({ bytesMax: 5 }), "");
});

Deno.test("processPorts() writes all of a text, and passes on arguments and variables", () => {
  const { ports, written } = processOf([]);
  ports.writeOutput("result");
  ports.writeError("why");
  const decoder = new TextDecoder();
  assert.equal(decoder.decode(new Uint8Array(written.out)), "result");
  assert.equal(decoder.decode(new Uint8Array(written.err)), "why");
  assert.deepEqual(ports.args, ["a"]);
  assert.equal(ports.readEnvironment("HOME"), "/root");
  assert.equal(ports.readEnvironment("PATH"), undefined);
});
