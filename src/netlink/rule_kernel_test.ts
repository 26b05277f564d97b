import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import { type Namespace, openNamespace } from "../../tests/kernel/namespace.ts";
import { cidr } from "../../tests/support/netlink_records.ts";
import { program, root, testWith } from "../../tests/support/require.ts";
import { refusalSentence } from "./kernel_refusal.ts";
import { openNetns } from "./netns.ts";
import { addRule, listRules, removeRule } from "./rule.ts";
import { NetlinkSocket } from "./socket.ts";
import { describeRule, ruleOf, type RuleSpec } from "./wire/rule.ts";

const needs = [root, program("ip"), program("nsenter")];

function openSocket(pod: Namespace): NetlinkSocket {
  using netns = openNetns(`/proc/${pod.pid}/ns/net`);
  return NetlinkSocket.openRoute({ netns });
}

/** Rules of all kinds, each by what `ip rule` prints of it. */
const RULES: Readonly<Record<string, RuleSpec>> = {
  "999:\tfrom 10.6.0.5 lookup 101": {
    family: 4,
    priority: 999,
    from: cidr("10.6.0.5/32"),
    table: 101,
  },
  "999:\tfrom fd00:10:6::5 lookup 1000": {
    family: 6,
    priority: 999,
    from: cidr("fd00:10:6::5/128"),
    table: 1000,
  },
  "1000:\tfrom all fwmark 0x1 lookup 100": {
    family: 4,
    priority: 1000,
    fwMark: 1,
    fwMask: 0xffff_ffff,
    table: 100,
  },
  "1001:\tfrom all tos 0x10 fwmark 0x10/0xf0 iif n0 [detached] oif n1 [detached] lookup 102": {
    family: 4,
    priority: 1001,
    tos: 16,
    fwMark: 0x10,
    fwMask: 0xf0,
    inputName: "n0",
    outputName: "n1",
    table: 102,
  },
  "1002:\tnot from all to 10.9.0.0/16 lookup 500 suppress_prefixlength 0 proto 83": {
    family: 4,
    priority: 1002,
    isInverted: true,
    to: cidr("10.9.0.0/16"),
    suppressPrefixLength: 0,
    protocol: 83,
    table: 500,
  },
  "1003:\tfrom 10.1.0.0/16 unreachable": {
    family: 4,
    priority: 1003,
    from: cidr("10.1.0.0/16"),
    action: 7,
  },
  "1004:\tfrom all uidrange 1-5 ipproto tcp sport 100-200 dport 443 lookup 100": {
    family: 4,
    priority: 1004,
    users: { first: 1, last: 5 },
    ipProtocol: 6,
    sourcePorts: { first: 100, last: 200 },
    destinationPorts: { first: 443, last: 443 },
    table: 100,
  },
};

for (const [text, spec] of Object.entries(RULES)) {
  const printed = `ip -${spec.family} rule`;
  testWith({
    name: `addRule() makes what ip shows as: ${text.replaceAll(/\s+/g, " ")}`,
    needs,
    async fn() {
      await using pod = await openNamespace();
      using socket = openSocket(pod);
      const before = listRules(socket);
      expectOk(addRule(socket, spec), "the rule is possible");
      const shown = await pod.run(...printed.split(" "));
      assert.ok(shown.includes(text), shown);
      const made = listRules(socket, { family: spec.family })
        .filter(({ priority }) => priority === spec.priority);
      assert.deepEqual(made, [ruleOf(spec)]);
      const again = addRule(socket, spec);
      assert.equal(again.ok ? "made" : again.error.code, "exists");
      for (const rule of made) expectOk(removeRule(socket, rule), "it was read just now");
      assert.deepEqual(listRules(socket), before);
      const gone = removeRule(socket, spec);
      assert.equal(gone.ok ? "removed" : gone.error.code, "not_found");
    },
  });
}

testWith({
  name: "listRules() lists the kernel's own rules of one family, in the order they are asked in",
  needs,
  async fn() {
    await using pod = await openNamespace();
    using socket = openSocket(pod);
    const names = listRules(socket, { family: 4 }).map(describeRule);
    assert.deepEqual(names, [
      "0: from all lookup 255",
      "32766: from all lookup 254",
      "32767: from all lookup 253",
    ]);
    const families = new Set(listRules(socket).map(({ family }) => family));
    assert.ok(families.has(4));
  },
});

testWith({
  name: "a refused rule comes with its reason",
  needs,
  async fn() {
    await using pod = await openNamespace();
    using socket = openSocket(pod);
    const rule = { family: 4, priority: 7, action: 2, goto: 3 } as const;
    const made = addRule(socket, rule);
    assert.ok(!made.ok);
    assert.equal(
      refusalSentence(`add rule ${describeRule(rule)}`, made.error),
      "Cannot add rule 7: from all goto: Backward goto not supported (EINVAL)",
    );
  },
});
