/** Packets of the pods of a lab. */
import assert from "node:assert/strict";
import type { CniNetworkList } from "../../../scripts/demo/cni_runner.ts";
import { connect, ping } from "../coordinator/packets.ts";
import { type Lab, PEER, type Pod } from "./lab.ts";

/** Asserts that a pod reaches the host on the wire, in both families. */
export async function assertReaches({ namespace }: Pod): Promise<void> {
  for (const address of [PEER[4], PEER[6]]) await ping(namespace, address);
}

/** Adds two pods at once, and asserts that they and the host on the wire reach each other. */
export async function addFlowing(lab: Lab, list: CniNetworkList): Promise<readonly Pod[]> {
  const [one, other] = [await lab.pod("one"), await lab.pod("other")];
  const [, addresses] = await Promise.all([lab.add(one, list), lab.add(other, list)]);
  assert.equal(addresses.length, 2, "one of each family");
  for (const address of addresses) {
    await ping(one.namespace, address);
    await connect({ from: lab.peer, address, to: other.namespace });
  }
  await assertReaches(one);
  return [one, other];
}
