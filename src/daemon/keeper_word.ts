/** Whether whoever keeps an address still wants it. */
import { VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES } from "../api/kubernetes/kube_virt.ts";
import { STATEFUL_SETS } from "../api/kubernetes/workload.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { type KeeperWord, machineKeeps, statefulSetKeeps } from "../ipam/sticky.ts";
import type { Settler } from "../kube/settler.ts";

/** What of a claim says who keeps it. */
export interface KeptClaim {
  readonly spec: Pick<SpiderIp["spec"], "owner" | "podNamespace" | "podName">;
}

/** Asks the owner of a claim, by a live read. */
export async function keeperKeeps(
  { settler }: { readonly settler: Settler },
  { claim, signal }: { readonly claim: KeptClaim; readonly signal: AbortSignal },
): Promise<KeeperWord> {
  const { owner, podNamespace: namespace, podName = "" } = claim.spec;
  if (owner === undefined) return { keeps: false, reason: "nobody keeps it" };
  const key = { namespace, name: owner.name };
  if (owner.kind === "StatefulSet") {
    const statefulSet = await settler.get(STATEFUL_SETS, key, { signal });
    return statefulSetKeeps({ podName, statefulSet });
  }
  const [machineInstance, machine] = await Promise.all([
    settler.get(VIRTUAL_MACHINE_INSTANCES, key, { signal }),
    settler.get(VIRTUAL_MACHINES, key, { signal }),
  ]);
  return machineKeeps({ machineInstance, machine });
}
