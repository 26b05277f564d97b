import assert from "node:assert/strict";
import { readNetwork } from "./network.ts";
import { CNI_COMMANDS, CNI_VERSIONS } from "./version.ts";

Deno.test("readNetwork() takes every version that a command is in", () => {
  const taken = CNI_COMMANDS.flatMap((command) => {
    return CNI_VERSIONS.filter((cniVersion) => {
      return readNetwork(command, JSON.stringify({ cniVersion, name: "n" })).ok;
    }).map((version) => `${command} ${version}`);
  });
  const old = ["0.3.0", "0.3.1"];
  const all = [...old, "0.4.0", "1.0.0", "1.1.0"];
  assert.deepEqual(taken, [
    ...all.map((version) => `ADD ${version}`),
    ...all.map((version) => `DEL ${version}`),
    ...["0.4.0", "1.0.0", "1.1.0"].map((version) => `CHECK ${version}`),
    "GC 1.1.0",
    "STATUS 1.1.0",
    ...all.map((version) => `VERSION ${version}`),
  ]);
});

Deno.test("readNetwork() gives the whole configuration", () => {
  const config = { cniVersion: "0.4.0", name: "a.b_c-1", ipam: { type: "spiderpool" } };
  assert.deepEqual(readNetwork("ADD", JSON.stringify(config)), {
    ok: true,
    value: { version: "0.4.0", name: "a.b_c-1", config },
  });
});

const REFUSED: readonly (readonly [input: unknown, code: number, msg: RegExp])[] = [
  [{ name: "n" }, 1, /^Cannot GC: cniVersion "0\.1\.0" .* unknown; write one of 0\.3\.0, /],
  [{ cniVersion: "", name: "n" }, 1, /cniVersion "0\.1\.0"/],
  [{ cniVersion: "0.2.0", name: "n" }, 1, /cniVersion "0\.2\.0"/],
  [{ cniVersion: "1.2.0", name: "n" }, 1, /cniVersion "1\.2\.0"/],
  [{ cniVersion: "1.1", name: "n" }, 1, /cniVersion "1\.1"/],
  [
    { cniVersion: "1.0.0", name: "n" },
    1,
    /cniVersion "1\.0\.0" .* has no such command; write 1\.1\.0 or/,
  ],
  [{ cniVersion: null, name: "n" }, 6, /standard input/],
  [{ cniVersion: "1.1.0" }, 7, /^Cannot GC: the network configuration needs a name, it is missing/],
  [{ cniVersion: "1.1.0", name: "" }, 7, /needs a name, "" is none/],
  [{ cniVersion: "1.1.0", name: "-a" }, 7, /needs a name, "-a" is none/],
  [{ cniVersion: "1.1.0", name: "a/b" }, 7, /"a\/b" is none; write letters, digits/],
  [{ cniVersion: "1.1.0", name: 5 }, 7, /needs a name, 5 is none/],
];

for (const [input, code, msg] of REFUSED) {
  Deno.test(`readNetwork() refuses ${JSON.stringify(input)}`, () => {
    const read = readNetwork("GC", JSON.stringify(input));
    assert.ok(!read.ok);
    assert.equal(read.error.refusal.code, code);
    assert.match(read.error.refusal.msg, msg);
  });
}

Deno.test("a refusal is said in the version that was asked with, if it is one of ours", () => {
  const said = (input: unknown) => {
    const read = readNetwork("GC", JSON.stringify(input));
    assert.ok(!read.ok);
    return read.error.cniVersion;
  };
  assert.equal(said({ cniVersion: "0.4.0", name: "n" }), "0.4.0");
  assert.equal(said({ cniVersion: "1.1.0" }), "1.1.0");
  assert.equal(said({ cniVersion: "0.2.0", name: "n" }), "1.1.0");
});
