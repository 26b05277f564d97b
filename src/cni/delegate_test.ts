import assert from "node:assert/strict";
import { delegate, type EndedPlugin, findPlugin } from "./delegate.ts";

const IN_B = { folders: "/a/::/b", isFile: (path: string) => path === "/b/spiderpool" };

Deno.test("findPlugin() gives the first file of that name in the folders of CNI_PATH", () => {
  assert.deepEqual(findPlugin("spiderpool", IN_B), { ok: true, value: "/b/spiderpool" });
  const everywhere = { ...IN_B, isFile: () => true };
  assert.deepEqual(findPlugin("spiderpool", everywhere), { ok: true, value: "/a/spiderpool" });
});

Deno.test("findPlugin() says where it looked", () => {
  assert.deepEqual(findPlugin("host-local", IN_B), {
    ok: false,
    error: {
      code: 7,
      msg: 'Cannot run the plugin "host-local": it is not in /a/, /b; install it there, or ' +
        "correct the type in the CNI configuration",
    },
  });
  assert.deepEqual(findPlugin("x", { ...IN_B, folders: "" }), {
    ok: false,
    error: {
      code: 4,
      msg: 'Cannot run the plugin "x": CNI_PATH is not set; a container runtime sets it',
    },
  });
});

const DEADLINE = new AbortController().signal;
const CONFIG = { cniVersion: "1.0.0", name: "n", ipam: { type: "x" } };

function asked(ended: EndedPlugin | Error, signal: AbortSignal = DEADLINE) {
  const calls: unknown[] = [];
  const ports = {
    deadline: () => signal,
    execute: (path: string, { command, input }: { readonly command: string; input: string }) => {
      calls.push([path, command, JSON.parse(input)]);
      return ended instanceof Error ? Promise.reject(ended) : Promise.resolve(ended);
    },
  };
  return { calls, outcome: delegate("/b/x", { command: "ADD", config: CONFIG, ports }) };
}

Deno.test("delegate() hands the configuration on, and gives what is printed", async () => {
  const { calls, outcome } = asked({ code: 0, printed: "{}" });
  assert.deepEqual(await outcome, { ok: true, value: "{}" });
  assert.deepEqual(calls, [["/b/x", "ADD", CONFIG]]);
});

Deno.test("delegate() gives a plugin's own refusal unchanged", async () => {
  for (const [code, expected] of [[11, 11], [50, 50], [999, 999], [100, 999], [123, 999]]) {
    const printed = JSON.stringify({ cniVersion: "1.0.0", code, msg: "No.", details: "why" });
    assert.deepEqual(await asked({ code: 1, printed }).outcome, {
      ok: false,
      error: { refusal: { code: expected, msg: "No.", details: "why" }, isAnswer: true },
    });
  }
});

Deno.test("delegate() says what a plugin without an answer did", async () => {
  const start = 'Cannot ADD with the plugin "/b/x": ';
  const cases: readonly (readonly [ReturnType<typeof asked>, string])[] = [
    [
      asked({ code: 139, printed: "" }),
      "it ended with 139 and no error object; see what it wrote to standard error",
    ],
    [
      asked({ code: 1, printed: '{"msg":""}' }),
      "it ended with 1 and no error object; see what it wrote to standard error",
    ],
    [
      asked(new Error("Permission denied")),
      "Permission denied; see that it is a program that can be run",
    ],
    [
      asked({ code: 143, printed: "" }, AbortSignal.abort()),
      "it has not ended within 150000 ms; see what it waits for",
    ],
  ];
  for (const [{ outcome }, why] of cases) {
    assert.deepEqual(await outcome, {
      ok: false,
      error: { refusal: { code: 999, msg: start + why }, isAnswer: false },
    });
  }
});
