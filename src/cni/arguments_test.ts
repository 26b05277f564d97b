import assert from "node:assert/strict";
import { readCniArguments } from "./arguments.ts";

const KNOWN = ["K8S_POD_NAME", "IP"];

function read(text: string, { tolerant = false }: { readonly tolerant?: boolean } = {}) {
  return readCniArguments(text, { known: KNOWN, tolerant });
}

const TAKEN: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
  ["", {}],
  [";", {}],
  ["K8S_POD_NAME=web-0", { K8S_POD_NAME: "web-0" }],
  ["K8S_POD_NAME=web-0;", { K8S_POD_NAME: "web-0" }],
  ["K8S_POD_NAME=", { K8S_POD_NAME: "" }],
  ["K8S_POD_NAME=a=b", { K8S_POD_NAME: "a=b" }],
  ["K8S_POD_NAME=a;K8S_POD_NAME=b", { K8S_POD_NAME: "b" }],
  ["IgnoreUnknown=1;FOO=bar;IP=10.0.0.1", { IP: "10.0.0.1" }],
  ["FOO=bar;IgnoreUnknown=true", {}],
  ["IgnoreUnknown=TRUE;FOO=bar", {}],
  ["IgnoreUnknown=0;IP=1", { IP: "1" }],
  ["IgnoreUnknown=false", {}],
];

for (const [text, values] of TAKEN) {
  Deno.test(`readCniArguments() takes "${text}"`, () => {
    const taken = read(text);
    assert.ok(taken.ok);
    assert.deepEqual(Object.fromEntries(taken.value), values);
  });
}

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ["FOO=bar", /^Cannot use CNI_ARGS: "FOO" not known; leave it out, or add IgnoreUnknown=1$/],
  ["FOO=bar;BAR=foo", /"FOO", "BAR" not known/],
  ["k8s_pod_name=a", /"k8s_pod_name" not known/],
  ["FOO=bar;IgnoreUnknown=0", /"FOO" not known/],
  ["K8S_POD_NAME", /"K8S_POD_NAME" is no pair; write KEY=value$/],
  ["=a", /"=a" is no pair/],
  ["a b", /"a b" is no pair/],
  ["IgnoreUnknown=yes", /IgnoreUnknown "yes" is no switch; write 1 or 0$/],
  ["IgnoreUnknown=", /IgnoreUnknown "" is no switch/],
];

for (const [text, msg] of REFUSED) {
  Deno.test(`readCniArguments() refuses "${text}"`, () => {
    const refused = read(text);
    assert.ok(!refused.ok);
    assert.equal(refused.error.code, 4);
    assert.match(refused.error.msg, msg);
  });
}

Deno.test("readCniArguments() drops unknown keys without being told, where it is tolerant", () => {
  const taken = read("FOO=bar;IP=1;IgnoreUnknown=0", { tolerant: true });
  assert.ok(taken.ok);
  assert.deepEqual([...taken.value], [["IP", "1"]]);
});
