import assert from "node:assert/strict";
import { add, addNic, modelNode, wishOf } from "../../tests/support/model_pod.ts";
import { formatRecord, mergeSteps, parseRecord } from "./record.ts";
import type { CoordinatorRecord } from "./record.ts";
import type { Step } from "./operation.ts";

function recordOf(): CoordinatorRecord {
  const kernel = modelNode();
  addNic(kernel, "eth0", { last: 5 });
  const wish = wishOf("eth0", { vethLinkAddress: "169.254.100.1", txQueueLength: 7 });
  return add(kernel, wish).record;
}

Deno.test("parseRecord() reads what formatRecord() wrote", () => {
  const record = recordOf();
  const kinds = new Set(record.steps.map(({ operation }) => operation.kind));
  assert(kinds.size >= 9, [...kinds].join());
  assert.deepEqual(parseRecord(formatRecord(record)), { ok: true, value: record });
});

Deno.test("parseRecord() refuses another format, half a file and unknown operations", () => {
  const text = formatRecord(recordOf());
  const refusal = (content: string) => {
    const parsed = parseRecord(content);
    return parsed.ok ? "taken" : parsed.error;
  };
  assert.match(
    refusal(text.replace('"format":1', '"format":2')),
    /format of the coordinator's record 2: write 1/,
  );
  assert.match(refusal(text.slice(0, 100)), /write valid JSON/);
  assert.match(refusal(""), /write valid JSON/);
  assert.match(
    refusal(text.replace('"veth_add"', '"run"')),
    /write an operation of kind "veth_add"/,
  );
  const outside = text.replace("net/ipv4/conf/all/rp_filter", "net/../kernel/core_pattern");
  assert.match(refusal(outside), /path of a sysctl of the network/);
  assert.match(refusal(text.replace('"version":4', '"version":5')), /4 or 6/);
});

Deno.test("mergeSteps() knows how it was before the first of two ADDs", () => {
  const set = (value: string, before: string): Step => {
    const base = { kind: "sysctl_set", where: "pod", path: "net/a" } as const;
    return { operation: { ...base, value }, undo: { ...base, value: before } };
  };
  const up: Step = { operation: { kind: "link_state", where: "pod", name: "net1", isUp: true } };
  assert.deepEqual(mergeSteps([set("1", "2"), up], [set("0", "1")]), [set("0", "2"), up]);
  assert.deepEqual(mergeSteps([], [up]), [up]);
});
