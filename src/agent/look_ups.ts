/** What other plugins and checks ask of an agent: reads only. */
import { err, type Result } from "../base/result.ts";
import { formatObjectName } from "../ip/mod.ts";
import type { CoordinatorArgs, CoordinatorConfig, WorkloadEndpointStatus } from "../api/agent.ts";
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { coordinatorAnswer, workloadStatus } from "../ipam/answer.ts";
import { addressesOf } from "../ipam/endpoint.ts";
import { uidMatches } from "../ipam/pod_life.ts";
import { endpointNameOf } from "../ipam/sticky.ts";
import { COORDINATOR_NAME } from "./coordinator_reader.ts";
import type { AgentParts } from "./parts.ts";

interface PodName {
  readonly podNamespace: string;
  readonly podName: string;
}

/**
 * What a pod has: NICs all of whose addresses are its SpiderIPs. A virtual machine's pod is found
 * under its own name and under the machine's.
 *
 * @returns `undefined` if the pod has no endpoint.
 */
export async function podStatus(
  parts: AgentParts,
  { pod, signal }: { readonly pod: PodName; readonly signal: AbortSignal },
): Promise<WorkloadEndpointStatus | undefined> {
  const namespace = pod.podNamespace;
  const own = await parts.endpoints.read({ namespace, name: pod.podName }, { signal });
  const endpoint = own ?? await machineEndpoint(parts, { pod, signal });
  if (endpoint === undefined) return undefined;
  return workloadStatus(await proven(parts, { endpoint, signal }));
}

async function machineEndpoint(
  parts: AgentParts,
  { pod: { podNamespace: namespace, podName }, signal }: {
    readonly pod: PodName;
    readonly signal: AbortSignal;
  },
): Promise<SpiderEndpoint | undefined> {
  const pod = await parts.view.livePod({ namespace, name: podName }, { signal });
  if (pod === undefined) return undefined;
  const controller = await parts.owners.of(pod, { signal });
  const name = endpointNameOf(pod, { controller, settings: parts.settings.ipam });
  return name === podName ? undefined : await parts.endpoints.read({ namespace, name }, { signal });
}

/** The endpoint without NICs that have an address no SpiderIP gives this pod. */
async function proven(
  { settler }: AgentParts,
  { endpoint, signal }: { readonly endpoint: SpiderEndpoint; readonly signal: AbortSignal },
): Promise<SpiderEndpoint> {
  const { status } = endpoint;
  if (status === undefined) return endpoint;
  const ips: EndpointNic[] = [];
  for (const nic of status.current.ips) {
    const claims = await Promise.all(
      addressesOf(nic).map(({ address }) => {
        return settler.get(SPIDER_IPS, { name: formatObjectName(address) }, { signal });
      }),
    );
    const isOwn = claims.every((claim) => claim !== undefined && isOf(claim, endpoint));
    if (isOwn) ips.push(nic);
  }
  return { ...endpoint, status: { ...status, current: { ...status.current, ips } } };
}

/** Of a static pod the claim has the UID that its node knows, and the endpoint the API's. */
function isOf({ spec }: SpiderIp, { metadata, status }: SpiderEndpoint): boolean {
  if (spec.podUID === status?.current.uid) return true;
  const isNamedSo = spec.podNamespace === metadata.namespace && spec.podName === metadata.name;
  return isNamedSo && spec.owner === undefined && spec.node === status?.current.node;
}

/** What coordinators do for a pod, or why that is not known. */
export async function coordinatorConfig(
  parts: AgentParts,
  { args, signal }: { readonly args: CoordinatorArgs; readonly signal: AbortSignal },
): Promise<Result<CoordinatorConfig, string>> {
  const coordinator = await parts.coordinators.read({ signal });
  if (coordinator === undefined) {
    return err(
      `coordinator config not found: create a SpiderCoordinator named "${COORDINATOR_NAME}"`,
    );
  }
  return coordinatorAnswer(coordinator, await askedPod(parts, { args, signal }));
}

/**
 * The pod whose annotation counts. The copy is believed where it has this very UID, for it may
 * still show a former pod of the name; plugins of the reference say no UID, and have it read live.
 */
async function askedPod(
  { view }: AgentParts,
  { args: { podNamespace: namespace, podName: name, podUID }, signal }: {
    readonly args: CoordinatorArgs;
    readonly signal: AbortSignal;
  },
): Promise<Pod | undefined> {
  if (namespace === "" || name === "") return undefined;
  const copy = view.pods.isStale ? undefined : view.pods.get({ namespace, name });
  if (copy !== undefined && podUID !== "" && uidMatches(copy, podUID)) return copy;
  return await view.livePod({ namespace, name }, { signal });
}
