import assert from "node:assert/strict";
import fc from "fast-check";
import { runPlugin } from "./plugin.ts";
import { answerCni, CNI_VERSIONS } from "./version.ts";

function ask(command: string | undefined, input: string | undefined) {
  const { output, exitCode } = answerCni({ plugin: "vlan", command, input });
  assert.ok(output.endsWith("\n"));
  return { exitCode, reply: JSON.parse(output) };
}

Deno.test("VERSION repeats the version it was asked with and lists all", () => {
  for (const cniVersion of CNI_VERSIONS) {
    assert.deepEqual(ask("VERSION", JSON.stringify({ cniVersion })), {
      exitCode: 0,
      reply: { cniVersion, supportedVersions: ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] },
    });
  }
});

Deno.test("VERSION without a version in its input answers with the newest", () => {
  for (const input of ["", "\n", "{}"]) {
    assert.equal(ask("VERSION", input).reply.cniVersion, "1.1.0");
  }
});

Deno.test("the newest version is the last of the list", () => {
  assert.equal(CNI_VERSIONS.at(-1), ask("VERSION", "").reply.cniVersion);
});

Deno.test("commands that the plugin does not do yet never succeed", () => {
  for (const command of ["ADD", "DEL", "CHECK", "GC", "STATUS"]) {
    const { exitCode, reply } = ask(command, '{"cniVersion":"0.4.0","name":"n"}');
    assert.equal(exitCode, 1);
    assert.equal(reply.cniVersion, "0.4.0");
    assert.equal(reply.code, 100);
    assert.match(reply.msg, new RegExp(`does not do ${command} yet$`));
  }
});

Deno.test("a missing or unknown command is an environment error", () => {
  assert.match(ask(undefined, "").reply.msg, /CNI_COMMAND is not set$/);
  const { exitCode, reply } = ask("add", "");
  assert.equal(exitCode, 1);
  assert.equal(reply.code, 4);
  assert.match(reply.msg, /CNI_COMMAND is "add"$/);
});

Deno.test("input that is no configuration is a decoding error, and nothing throws", () => {
  for (const input of [undefined, "{", "[]", "null", "7", '{"cniVersion":1}']) {
    const { exitCode, reply } = ask("VERSION", input);
    assert.equal(exitCode, 1);
    assert.equal(reply.code, 6);
  }
  fc.assert(fc.property(fc.string(), fc.json(), (text, json) => {
    ask("VERSION", text);
    ask("ADD", json);
  }));
});

Deno.test("a plugin prints its answer and gives its exit code", () => {
  let printed = "";
  const code = runPlugin("ifacer", {
    args: [],
    readEnvironment: (name) => name === "CNI_COMMAND" ? "ADD" : undefined,
    readInput: () => '{"cniVersion":"1.0.0"}',
    writeOutput: (text) => printed += text,
    writeError: () => assert.fail("the runtime reads standard output"),
  });
  assert.equal(code, 1);
  assert.match(JSON.parse(printed).msg, /^Cannot run ifacer ADD: /);
});
