import assert from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { openNamespace } from "./namespace.ts";
import type { AddOrder, AddReport } from "./object_adder.ts";

const COUNT = 100;
const THREADS = 2;
const LINK = 10;

testWith({
  name: "threads that add the same rules and routes at once: each is made once, the other has it",
  needs: [root, linkKind("veth"), program("ip"), program("nsenter")],
  async fn() {
    await using pod = await openNamespace();
    await pod.run(
      ...["sh", "-ec"],
      `ip link add n0 index ${LINK} type veth peer name n1; ip link set n0 up; ip link set n1 up`,
    );
    const order: AddOrder = {
      ...{ path: pod.path, linkIndex: LINK, count: COUNT, threads: THREADS },
      ready: new SharedArrayBuffer(4),
    };
    const reports = await Promise.all(Array.from({ length: THREADS }, () => addAll(order)));
    const answers = reports[0]?.map((_, index) => reports.map((report) => report[index]));
    assert.ok(answers?.length === 4 * COUNT);
    for (const answer of answers) assert.deepEqual(answer.toSorted(), ["exists", "made"]);
    for (const version of ["-4", "-6"]) {
      const rules = await pod.run("ip", version, "rule");
      assert.equal(rules.match(/lookup 101/g)?.length, COUNT);
      const routes = await pod.run("ip", version, "route", "show", "table", "101");
      assert.equal(routes.split("\n").length, COUNT);
    }
  },
});

async function addAll(order: AddOrder): Promise<AddReport> {
  const adder = new Worker(new URL("./object_adder.ts", import.meta.url), { workerData: order });
  try {
    const [report] = await once(adder, "message");
    return report;
  } finally {
    await adder.terminate();
  }
}
