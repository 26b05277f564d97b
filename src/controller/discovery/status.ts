/** What the status of a SpiderCoordinator says, from what was found. Pure. */
import { COORDINATOR_PHASES, type SpiderCoordinator } from "../../api/coordinator.ts";
import { unreachable } from "../../base/assert.ts";
import type { Result } from "../../base/result.ts";
import {
  calicoNetworks,
  ciliumNetworks,
  type ClusterFacts,
  configuredNetworks,
  serviceNetworks,
} from "./cluster_networks.ts";
import type { Found } from "./found.ts";
import type { NetworkSource } from "./own_network.ts";

/** The status of a SpiderCoordinator. */
export type CoordinatorStatus = NonNullable<SpiderCoordinator["status"]>;

/** What a person can do where the cluster does not say it. */
const BY_HAND = `of key "ClusterConfiguration" of ConfigMap "kube-system/kubeadm-config"`;

/**
 * Derives the status. Where the networks of pods are not to be found (`none`), it does not matter
 * that those of services cannot be; everywhere else pods wait until both are known, because one
 * that starts without them stays cut off.
 *
 * @param source Where networks of pods are read, or why that is not known.
 * @param former Members that are not ours are kept.
 * @returns `undefined` while something has not been told that decides.
 */
export function coordinatorStatus(
  source: Result<NetworkSource, string>,
  { facts, former }: {
    readonly facts: ClusterFacts;
    readonly former: CoordinatorStatus | undefined;
  },
): CoordinatorStatus | undefined {
  const services = serviceNetworks(facts);
  if (!source.ok) {
    return services.kind === "pending"
      ? undefined
      : statusOf({ former, services, pods: [], problem: source.error });
  }
  const pods = source.value === "none" ? undefined : podNetworks(source.value, facts);
  if (services.kind === "pending" || pods?.kind === "pending") return undefined;
  const podsWhy = pods?.kind === "nothing" ? podProblem(source.value, pods.why) : undefined;
  const servicesWhy = services.kind === "nothing"
    ? `Cannot find the networks of services: ${services.why}; ` +
      `write them into networking.serviceSubnet ${BY_HAND}`
    : undefined;
  return statusOf({
    former,
    services,
    pods: pods?.kind === "found" ? pods.cidrs : [],
    problem: podsWhy ?? (pods === undefined ? undefined : servicesWhy),
    remark: servicesWhy,
  });
}

/** Whether both tell the same. */
export function sameStatus(one: CoordinatorStatus | undefined, other: CoordinatorStatus): boolean {
  const ours = ({ phase, reason = "", overlayPodCIDR, serviceCIDR }: CoordinatorStatus): string =>
    JSON.stringify([phase, reason, overlayPodCIDR, serviceCIDR]);
  return one !== undefined && ours(one) === ours(other);
}

function podNetworks(source: Exclude<NetworkSource, "none">, facts: ClusterFacts): Found {
  switch (source) {
    case "cluster":
      return configuredNetworks("pods", facts);
    case "calico":
      return calicoNetworks(facts);
    case "cilium":
      return ciliumNetworks(facts);
    default:
      return unreachable(source);
  }
}

function podProblem(source: NetworkSource, why: string): string {
  const remedy = source === "cluster"
    ? `write them into networking.podSubnet ${BY_HAND}, or another spec.podCIDRType`
    : "repair that, or write another spec.podCIDRType";
  return `Cannot find the networks of pods (podCIDRType ${source}): ${why}; ${remedy}`;
}

/** @param problem Why it is not ready. @param remark What is missing although it is. */
function statusOf({ former, services, pods, problem, remark }: {
  readonly former: CoordinatorStatus | undefined;
  readonly services: Exclude<Found, { readonly kind: "pending" }>;
  readonly pods: readonly string[];
  readonly problem?: string | undefined;
  readonly remark?: string | undefined;
}): CoordinatorStatus {
  const { reason: _former, ...others } = former ?? {};
  const reason = problem ?? remark;
  return {
    ...others,
    phase: problem === undefined ? COORDINATOR_PHASES.synced : COORDINATOR_PHASES.notReady,
    ...reason === undefined ? {} : { reason },
    overlayPodCIDR: [...pods],
    serviceCIDR: services.kind === "found" ? [...services.cidrs] : [],
  };
}
