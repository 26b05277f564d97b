/** Pods on the model kernel, and the life of their NICs: what the plugin does with plans. */
import assert from "node:assert/strict";
import { planAdd } from "../../src/datapath/coordinator_plan.ts";
import type { CoordinatorWish } from "../../src/datapath/facts.ts";
import type { Plan } from "../../src/datapath/plan.ts";
import { type CoordinatorRecord, formatRecord, parseRecord } from "../../src/datapath/record.ts";
import { planRemove } from "../../src/datapath/remove_plan.ts";
import { ModelKernel } from "./model_kernel.ts";

/** Hardware addresses of new pairs. */
export const MACS = { pod: "0a:00:00:00:00:01", node: "0a:00:00:00:00:02" };

/** What an ADD is asked for, unless a test says otherwise. */
export function wishOf(ifName: string, more: Partial<CoordinatorWish> = {}): CoordinatorWish {
  return {
    containerId: "abcdef0123456789",
    ifName,
    firstNic: "eth0",
    mode: "auto",
    hijackCidrs: [
      "10.244.0.0/16",
      "fd00:244::/56",
      "10.233.0.0/18",
      "fd00:233::/116",
      "169.254.20.10/32",
    ],
    policyRoutes: [],
    tunePodRoutes: true,
    laterNics: [],
    hostRuleTable: 500,
    podRpFilter: 0,
    vethMtu: 1500,
    addresses: [],
    ...more,
  };
}

/** A node with one NIC in 10.6.0.0/24 and fd00:10:6::/64, and an empty pod. */
export function modelNode(): ModelKernel {
  const kernel = new ModelKernel();
  kernel.addLink("node", "up0");
  kernel.addAddress("node", "up0", "10.6.0.2/24");
  kernel.addAddress("node", "up0", "fd00:10:6::2/64");
  kernel.addLink("node", "docker0");
  kernel.addAddress("node", "docker0", "172.17.0.1/16");
  return kernel;
}

/** Gives the pod a macvlan NIC with default routes. */
export function addNic(
  kernel: ModelKernel,
  name: string,
  { last, families = [4, 6], metric, defaults = families, isUp = true }: {
    readonly last: number;
    readonly families?: readonly (4 | 6)[];
    readonly metric?: number;
    readonly defaults?: readonly (4 | 6)[];
    readonly isUp?: boolean;
  },
): void {
  kernel.addLink("pod", name, { kind: "macvlan", isUp });
  if (families.includes(4)) kernel.addAddress("pod", name, `10.6.0.${last}/24`);
  if (families.includes(6)) kernel.addAddress("pod", name, `fd00:10:6::${last}/64`);
  const way = { device: name, ...(metric !== undefined && { metric }) };
  if (isUp && defaults.includes(4)) {
    const base = { version: 4, destination: "0.0.0.0/0" } as const;
    kernel.addRoute("pod", { ...base, gateway: "10.6.0.1", ...way });
  }
  if (isUp && defaults.includes(6)) {
    const base = { version: 6, destination: "::/0" } as const;
    kernel.addRoute("pod", { ...base, gateway: "fd00:10:6::1", ...way });
  }
}

/** Gives the pod a NIC of an overlay network, as calico makes it. */
export function addOverlayNic(kernel: ModelKernel): void {
  const base = { kind: "veth", mac: "ee:ee:ee:ee:ee:ee" };
  const peer = kernel.addLink("node", "cali123", base);
  const nic = kernel.addLink("pod", "eth0", { kind: "veth", parentIndex: peer.index });
  kernel.node.links = kernel.node.links.map((link) =>
    link === peer ? { ...link, parentIndex: nic.index } : link
  );
  kernel.addAddress("pod", "eth0", "10.244.1.5/32");
  kernel.addRoute("pod", {
    version: 4,
    destination: "169.254.1.1/32",
    device: "eth0",
    scope: 253,
  });
  const way = { gateway: "169.254.1.1", device: "eth0" };
  kernel.addRoute("pod", { version: 4, destination: "0.0.0.0/0", ...way });
}

/** Plans, and says why not if there is no plan. */
export function planOf(
  kernel: ModelKernel,
  wish: CoordinatorWish,
  { record }: { readonly record?: CoordinatorRecord | undefined } = {},
): Plan {
  const plan = planAdd(wish, kernel.facts(wish.hostRuleTable), { macs: MACS, record });
  if (!plan.ok) throw new Error(plan.error.message);
  return plan.value;
}

/** The sentence of a plan that is refused, after its code. */
export function refusalOf(kernel: ModelKernel, wish: CoordinatorWish): string {
  const plan = planAdd(wish, kernel.facts(), { macs: MACS, record: undefined });
  assert(!plan.ok, "it is planned");
  return `${plan.error.code}: ${plan.error.message}`;
}

/**
 * Does an ADD, round by round as the plugin does.
 *
 * @param options.stepsMax Steps after which the plugin is killed.
 * @returns The record as it is stored then.
 */
export function add(
  kernel: ModelKernel,
  wish: CoordinatorWish,
  { record, stepsMax = Infinity }: {
    readonly record?: CoordinatorRecord | undefined;
    readonly stepsMax?: number;
  } = {},
): { readonly record: CoordinatorRecord; readonly isWhole: boolean; readonly steps: number } {
  let stored = record;
  let steps = 0;
  for (let round = 0; round < 3; round++) {
    const plan = planOf(kernel, wish, { record: stored });
    stored = readBack(plan.record);
    for (const { operation } of plan.steps) {
      if (steps === stepsMax) return { record: stored, isWhole: false, steps };
      kernel.perform(operation);
      steps++;
    }
    if (!plan.isPartial) return { record: stored, isWhole: true, steps };
  }
  throw new Error("the plan is never whole");
}

/** As it comes out of its file. */
function readBack(record: CoordinatorRecord): CoordinatorRecord {
  const read = parseRecord(formatRecord(record));
  assert(read.ok, read.ok ? "" : read.error);
  return read.value;
}

/** Does a DEL. @returns How many operations it took. */
export function remove(
  kernel: ModelKernel,
  record: CoordinatorRecord | undefined,
  { wish, isPodGone = false }: { readonly wish: CoordinatorWish; readonly isPodGone?: boolean },
): number {
  const { pod, node } = kernel.facts(wish.hostRuleTable);
  const facts = { pod: isPodGone ? undefined : pod, node };
  const operations = planRemove(record, facts, { wish });
  for (const operation of operations) kernel.perform(operation);
  return operations.length;
}
