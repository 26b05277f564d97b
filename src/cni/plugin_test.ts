import assert from "node:assert/strict";
import fc from "fast-check";
import { err, ok } from "../base/result.ts";
import { type CniCommands, type CniOutcome, runPlugin } from "./plugin.ts";
import { CNI_COMMANDS, CNI_VERSIONS } from "./version.ts";

const ENVIRONMENT = {
  CNI_CONTAINERID: "c1",
  CNI_NETNS: "/var/run/netns/n1",
  CNI_IFNAME: "eth0",
  CNI_ARGS: "A=b",
};

interface Asked {
  readonly command?: string | undefined;
  readonly input?: string | undefined | (() => string);
  readonly environment?: Readonly<Record<string, string>>;
  readonly commands?: CniCommands;
}

async function ask({ command, input, environment = ENVIRONMENT, commands = {} }: Asked) {
  let output = "";
  let error = "";
  const variables: Readonly<Record<string, string | undefined>> = {
    ...environment,
    CNI_COMMAND: command,
  };
  const code = await runPlugin("vlan", {
    args: [],
    readEnvironment: (name) => variables[name],
    readInput: () => typeof input === "function" ? input() : input,
    writeOutput: (text) => output += text,
    writeError: (text) => error += text,
  }, { commands });
  assert.ok(output === "" || output.endsWith("}\n"));
  return { code, error, output, reply: output === "" ? undefined : JSON.parse(output) };
}

function network(more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ cniVersion: "1.1.0", name: "n", ...more });
}

function always(outcome: CniOutcome): CniCommands {
  const command = () => Promise.resolve(outcome);
  return { ADD: command, DEL: command, CHECK: command, STATUS: command, GC: command };
}

Deno.test("VERSION repeats the version it was asked with and lists all", async () => {
  for (const cniVersion of CNI_VERSIONS) {
    const { code, reply } = await ask({
      command: "VERSION",
      input: `{"cniVersion":"${cniVersion}"}`,
    });
    assert.equal(code, 0);
    assert.deepEqual(reply, {
      cniVersion,
      supportedVersions: ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"],
    });
  }
});

Deno.test("VERSION without a version in its input answers with the newest", async () => {
  for (const input of ["", "\n", "{}", '{"cniVersion":""}']) {
    assert.equal((await ask({ command: "VERSION", input })).reply.cniVersion, "1.1.0");
  }
});

Deno.test("a whole result is printed as it is", async () => {
  const whole = { cniVersion: "1.1.0", ips: [], later: 1 };
  const commands = always(ok({ whole }));
  const { code, reply } = await ask({ command: "ADD", input: network(), commands });
  assert.equal(code, 0);
  assert.deepEqual(reply, whole);
});

Deno.test("a command that the plugin does not have never succeeds", async () => {
  for (const command of ["ADD", "DEL", "CHECK", "GC", "STATUS"]) {
    const { code, reply } = await ask({ command, input: '{"cniVersion":"0.4.0"}' });
    assert.equal(code, 1);
    assert.equal(reply.cniVersion, "0.4.0");
    assert.equal(reply.code, 100);
    assert.equal(
      reply.msg,
      `Cannot run vlan ${command}: this version of the plugin does not do ${command} yet`,
    );
  }
});

Deno.test("a missing or unknown CNI_COMMAND is an environment error", async () => {
  assert.match((await ask({ input: "" })).reply.msg, /CNI_COMMAND is not set; .* one of ADD, DEL,/);
  for (const command of ["add", "", "DELETE"]) {
    const { code, reply } = await ask({
      command,
      input: network(),
      commands: always(ok(undefined)),
    });
    assert.equal(code, 1);
    assert.equal(reply.code, 4);
    assert.ok(reply.msg.includes(`CNI_COMMAND is "${command}"`));
  }
});

Deno.test("input that is no configuration is a decoding error, for every command", async () => {
  for (const command of CNI_COMMANDS) {
    for (const input of [undefined, "{", "[]", "null", "7", '{"cniVersion":1}', "\u0000"]) {
      for (const commands of [{}, always(ok(undefined))]) {
        const { code, reply } = await ask({ command, input, commands });
        assert.equal(code, 1, `${command} ${input}`);
        assert.equal(reply.code, 6);
        assert.match(reply.msg, /write a JSON object whose "cniVersion" is text/);
      }
    }
  }
});

Deno.test("input that cannot be read is an input error", async () => {
  const input = (): string => {
    throw new Error("Is a directory");
  };
  const { code, reply } = await ask({ command: "ADD", input });
  assert.equal(code, 1);
  assert.equal(reply.code, 5);
  assert.match(reply.msg, /standard input: Is a directory$/);
});

Deno.test("a command is called with the network and the container's NIC", async () => {
  const input = network({ mtu: 9000 });
  const calls: unknown[] = [];
  const command = (call: unknown) => {
    calls.push(call);
    return Promise.resolve(ok(undefined));
  };
  for (const name of ["ADD", "STATUS"] as const) {
    const { code, output } = await ask({ command: name, input, commands: { [name]: command } });
    assert.deepEqual({ code, output }, { code: 0, output: "" });
  }
  const given = { version: "1.1.0", name: "n", config: JSON.parse(input) };
  const attachment = {
    containerId: "c1",
    netns: "/var/run/netns/n1",
    ifName: "eth0",
    args: "A=b",
  };
  assert.deepEqual(calls, [
    { network: given, attachment },
    { network: given, attachment: { containerId: "", netns: "", ifName: "", args: "" } },
  ]);
});

Deno.test("a result is printed in the version that was asked with", async () => {
  const result = ok({ ips: [{ version: 4, address: "10.6.0.1/16" }], routes: [] } as const);
  const reply = async (cniVersion: string) => {
    const input = network({ cniVersion });
    return (await ask({ command: "ADD", input, commands: always(result) })).reply;
  };
  assert.equal((await reply("0.3.1")).cniVersion, "0.3.1");
  assert.equal((await reply("0.3.1")).ips[0].version, "4");
  assert.equal((await reply("1.1.0")).ips[0].version, undefined);
});

Deno.test("a refusal is an error object in the version that was asked with", async () => {
  const refusal = err({ code: 11, msg: "Cannot: later", details: "much" } as const);
  const input = network({ cniVersion: "0.4.0" });
  const { code, reply } = await ask({ command: "ADD", input, commands: always(refusal) });
  assert.equal(code, 1);
  assert.deepEqual(reply, { cniVersion: "0.4.0", code: 11, msg: "Cannot: later", details: "much" });
});

Deno.test("a bug is an error object, and its place is on standard error", async () => {
  const commands: CniCommands = { DEL: () => Promise.reject(new TypeError("x is undefined")) };
  const { code, error, reply } = await ask({ command: "DEL", input: network(), commands });
  assert.equal(code, 1);
  assert.equal(reply.code, 999);
  assert.equal(reply.msg, "Cannot run vlan: a bug stopped it: x is undefined");
  assert.match(error, /TypeError: x is undefined\n\s+at /);
});

Deno.test("property: whatever the input, the answer is one JSON object", async () => {
  const commands = always(ok(undefined));
  await fc.assert(fc.asyncProperty(
    fc.constantFrom(...CNI_COMMANDS),
    fc.oneof(fc.string(), fc.json(), fc.object().map((value) => JSON.stringify(value))),
    async (command, input) => {
      const { code, output, reply } = await ask({ command, input, commands });
      assert.equal(code === 0, reply?.code === undefined);
      assert.equal(output.trimEnd().split("\n").length, 1);
    },
  ));
});
