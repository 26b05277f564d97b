/** Services of a node, as kube-proxy makes them with nf_tables. */
import type { Namespace } from "../namespace.ts";
import { script } from "./namespaces.ts";

/** ClusterIPs of the scenarios; they are in the agent's `serviceCIDR`. */
export const CLUSTER_IP = { 4: "10.233.0.10", 6: "fd00:233::10" } as const;

/**
 * Sends what goes to the ClusterIP on to a backend, all protocols and ports alike: from the node
 * itself and from what it forwards.
 *
 * @param options.isMasqueraded Whether the backend sees the node as its client: kube-proxy has it
 *   so for clients outside `clusterCIDR`.
 */
export async function serve(
  node: Namespace,
  { version, backend, isMasqueraded = false }: {
    readonly version: 4 | 6;
    readonly backend: string;
    readonly isMasqueraded?: boolean;
  },
): Promise<void> {
  const family = version === 4 ? "ip" : "ip6";
  const rule = `${family} daddr ${CLUSTER_IP[version]} dnat to ${backend}`;
  await script(node, [
    `nft 'table ${family} kube; delete table ${family} kube'`,
    `nft 'table ${family} kube {
      chain pre { type nat hook prerouting priority -100; ${rule}; }
      chain out { type nat hook output priority -100; ${rule}; }
      chain post { type nat hook postrouting priority 100;
        ${isMasqueraded ? `${family} daddr ${backend} ct status dnat masquerade;` : ""} }
    }'`,
  ]);
}
