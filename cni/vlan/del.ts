import { err, ok, type Result } from "../../src/base/result.ts";
import { readVlanConfig } from "../../src/api/cni_config.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import { planRemoval } from "../../src/datapath/vlan_plan.ts";
import { NetlinkError } from "../../src/netlink/netlink_error.ts";
import { begin, type KernelPorts } from "./commands.ts";

/**
 * Removes the NIC, then has its addresses released: nobody else gets them before. What is gone is
 * no mistake; the namespace may be. A configuration that no ADD could have come with has nothing to
 * release. Both are tried whatever becomes of the other.
 */
export async function del(call: CniCall, ports: KernelPorts): Promise<CniOutcome> {
  const removed = removeNic(call, ports);
  const released = await release(call, ports);
  if (removed.ok) return released;
  if (released.ok) return removed;
  return err({ ...removed.error, msg: `${removed.error.msg}; ${released.error.msg}` });
}

/** Removes the NIC from the pod, under either of its names. */
export function removeNic(
  { attachment: { netns, ifName } }: CniCall,
  ports: KernelPorts,
): Result<undefined, CniRefusal> {
  try {
    using pod = ports.openPodIfThere(netns);
    if (pod === undefined) return ok(undefined);
    const applied = pod.apply(planRemoval(ifName, pod.podLinks()));
    if (applied.ok) return applied;
    return err({ code: CNI_CODES.failed, msg: applied.error.message });
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return err({ code: CNI_CODES.failed, msg: error.message });
  }
}

/** Has the IPAM plugin release the addresses of the NIC. */
export async function release(
  call: CniCall,
  ports: KernelPorts,
): Promise<Result<undefined, CniRefusal>> {
  if (!readVlanConfig(call.network.config).ok) return ok(undefined);
  const setting = begin(call, { ports });
  if (!setting.ok) return setting;
  const done = await setting.value.ipam?.ask("DEL", call.network.config);
  return done?.ok === false ? err(done.error.refusal) : ok(undefined);
}
