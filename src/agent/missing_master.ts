/** NICs that could not be made because their node lacks the link that they were to stand on. */
import type { IpamDelArgs } from "../api/agent.ts";
import { isDead, uidMatches } from "../ipam/pod_life.ts";
import { quoted, quotedNames } from "../ipam/brief.ts";
import type { AgentParts } from "./parts.ts";

/**
 * Says what a NIC stood on that the node does not have. Its main plugin failed before it asked for
 * an address, and says no more than that a link was not found; what is heard here is the DEL.
 *
 * @returns One sentence; `undefined` where the master is there, or it is an ordinary DEL: of a NIC
 *   that has an address, or of a pod that ends.
 */
export function missingMaster(
  { claims, view, ports }: Pick<AgentParts, "claims" | "view" | "ports">,
  args: IpamDelArgs,
): string | undefined {
  const { master, network = "", ifName, podNamespace: namespace, podName: name } = args;
  if (master === undefined) return undefined;
  const pod = view.pods.get({ namespace, name });
  if (pod === undefined || !uidMatches(pod, args.podUID) || isDead(pod) !== undefined) return;
  if (claims.ofPod(args).some(({ spec }) => spec.nic === ifName)) return undefined;
  const links = ports.nodeLinks?.();
  if (links === undefined || links.includes(master)) return undefined;
  const names = links.filter((link) => link !== "lo");
  return `Cannot make NIC ${quoted(ifName)} of network ${quoted(network)}: its master is ` +
    `${quoted(master)}, and the node has no such link; write one that it has ` +
    `(${quotedNames(names)}) as master (spec.macvlan.master of a SpiderMultusConfig, or what its ` +
    `cniType says), or keep the pod off this node`;
}
