/** Whether whoever keeps an address still wants it. */
import { VIRTUAL_MACHINE_INSTANCES, VIRTUAL_MACHINES } from "../api/kubernetes/kube_virt.ts";
import { STATEFUL_SETS } from "../api/kubernetes/workload.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { type KeeperWord, machineKeeps, statefulSetKeeps } from "../ipam/sticky.ts";
import type { Found, Settler } from "../kube/settler.ts";

/**
 * Milliseconds for which KubeVirt's kinds must not be served until KubeVirt counts as taken away,
 * and its machines with it: longer than an API server takes to serve what it is extended by.
 */
const UNSERVED_MS = 60_000;

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
  const [instance, machine] = await Promise.all([
    settler.find(VIRTUAL_MACHINE_INSTANCES, key, { signal }),
    settler.find(VIRTUAL_MACHINES, key, { signal }),
  ]);
  const isSure = [instance, machine].every((found) => {
    return found.kind !== "unserved" || found.forMs >= UNSERVED_MS;
  });
  const word = machineKeeps({ machineInstance: objectOf(instance), machine: objectOf(machine) });
  if (word.keeps || isSure) return word;
  return { keeps: true, reason: "the API server may only not yet serve KubeVirt's kinds" };
}

function objectOf<T>(found: Found<T>): T | undefined {
  return found.kind === "found" ? found.object : undefined;
}
