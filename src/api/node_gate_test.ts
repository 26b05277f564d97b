import assert from "node:assert/strict";
import fc from "fast-check";
import { type Node, NODES } from "./kubernetes/node.ts";
import { isShut, opened, shut, TAINT_NOT_READY } from "./node_gate.ts";
import { expectOk } from "../base/result.ts";

const taint = fc.record({
  key: fc.constantFrom(TAINT_NOT_READY, "a", "b"),
  effect: fc.constantFrom("NoSchedule", "NoExecute"),
});

function nodeWith(taints: readonly unknown[] | undefined): Node {
  const spec = { podCIDR: "10.1.0.0/24", ...(taints !== undefined && { taints }) };
  return expectOk(NODES.parse({ metadata: { name: "n1" }, spec }), "a node");
}

Deno.test("property: shut() and opened() change one taint, and nothing twice", () => {
  fc.assert(fc.property(fc.option(fc.array(taint), { nil: undefined }), (taints) => {
    const node = nodeWith(taints);
    const others = (taints ?? []).filter(({ key }) => key !== TAINT_NOT_READY);
    const closed = shut(node);
    assert.ok(isShut(closed));
    assert.equal(shut(closed), closed);
    const free = opened(closed);
    assert.ok(!isShut(free));
    assert.deepEqual(free.spec.taints, others);
    assert.equal(opened(free), free);
    assert.equal(Reflect.get(free.spec, "podCIDR"), "10.1.0.0/24");
  }));
});
