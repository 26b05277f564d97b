/**
 * A thread that adds rules and routes to a namespace, one after the other, and says how often the
 * kernel made each, had it already, or refused it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { openNetns } from "../../src/netlink/netns.ts";
import { addRoute } from "../../src/netlink/route.ts";
import { addRule } from "../../src/netlink/rule.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { cidr } from "../support/netlink_records.ts";

/** What the thread is told. */
export interface AddOrder {
  readonly path: string;
  readonly linkIndex: number;
  readonly count: number;
  /** Shared by all threads: how many have come so far that they can begin. */
  readonly ready: SharedArrayBuffer;
  readonly threads: number;
}

/** What became of each object, in order. */
export type AddReport = readonly ("made" | "exists" | "refused")[];

function add({ path, linkIndex, count, ready, threads }: AddOrder): AddReport {
  using netns = openNetns(path);
  using socket = NetlinkSocket.openRoute({ netns });
  const gate = new Int32Array(ready);
  Atomics.add(gate, 0, 1);
  Atomics.notify(gate, 0);
  for (let here = Atomics.load(gate, 0); here < threads; here = Atomics.load(gate, 0)) {
    Atomics.wait(gate, 0, here);
  }
  const report: AddReport[number][] = [];
  for (let number = 1; number <= count; number++) {
    for (const family of [4, 6] as const) {
      const from = cidr(family === 4 ? `10.99.${number}.1/32` : `fd00:99::${number}/128`);
      const made = [
        addRule(socket, { family, priority: 2_000 + number, from, table: 101 }),
        addRoute(socket, { family, destination: from, table: 101, linkIndex, scope: 253 }),
      ];
      for (const one of made) {
        report.push(one.ok ? "made" : one.error.code === "exists" ? "exists" : "refused");
      }
    }
  }
  return report;
}

parentPort?.postMessage(add(workerData));
