/** Packets of the pods of a lab. */
import assert from "node:assert/strict";
import type { CniNetworkList } from "../../../scripts/demo/cni_runner.ts";
import { connect, ping } from "../coordinator/packets.ts";
import { type Lab, PEER, type Pod } from "./lab.ts";

/** Asserts that a pod reaches the host on the wire, in both families. */
export async function assertReaches({ namespace }: Pod): Promise<void> {
  for (const address of [PEER[4], PEER[6]]) await ping(namespace, address);
}

/**
 * Adds two pods at once, and asserts that they and the host on the wire reach each other.
 *
 * @param lists The network of both, or of each.
 * @param options.ready Waits for a pod's NIC.
 */
export async function addFlowing(
  lab: Lab,
  lists: CniNetworkList | readonly CniNetworkList[],
  { ready = () => Promise.resolve() }: { readonly ready?: (pod: Pod) => Promise<void> } = {},
): Promise<readonly Pod[]> {
  const [list, other = list] = [lists].flat();
  assert.ok(list !== undefined && other !== undefined, "there is a network");
  const pods = [await lab.pod("one"), await lab.pod("other")] as const;
  const [, addresses] = await Promise.all([lab.add(pods[0], list), lab.add(pods[1], other)]);
  await Promise.all(pods.map(ready));
  assert.equal(addresses.length, 2, "one of each family");
  for (const address of addresses) {
    await ping(pods[0].namespace, address);
    await connect({ from: lab.peer, address, to: pods[1].namespace });
  }
  await assertReaches(pods[0]);
  return pods;
}
