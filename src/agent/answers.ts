/** Answers as the reference writes them: an optional member that is 0, "" or false is left out. */
import type { CoordinatorConfig, IpamAddResponse, WorkloadEndpointStatus } from "../api/agent.ts";

type Members = Readonly<Record<string, unknown>>;

/** Answer to an ADD. */
export function addAnswer({ ips, routes, dns }: IpamAddResponse): Members {
  return {
    ips: ips.map((ip) => sparse(ip, ["version", "address", "nic"])),
    routes,
    ...(dns !== undefined && { dns }),
  };
}

/** What a pod has. */
export function endpointAnswer(status: WorkloadEndpointStatus): Members {
  return { ...status, interfaces: status.interfaces.map((nic) => sparse(nic, ["interface"])) };
}

/** What coordinators do. */
export function coordinatorAnswer(config: CoordinatorConfig): Members {
  return sparse(config, ["mode", "overlayPodCIDR", "serviceCIDR", "tunePodRoutes"]);
}

function sparse(record: Members, required: readonly string[]): Members {
  const kept = Object.entries(record).filter(([name, value]) =>
    required.includes(name) ||
    (value !== undefined && value !== "" && value !== 0 && value !== false)
  );
  return Object.fromEntries(kept);
}
