/** What stands for the machine and its namespaces where there is no Kubernetes. */
import { NAMESPACES, NODES } from "../../api/kubernetes/node.ts";
import {
  keyOf,
  type ObjectStore,
  type Resource,
  type StoredObject,
  StoreFailure,
} from "../../base/object_store.ts";
import type { IpamSettings } from "../../ipam/settings.ts";
import type { StandaloneArguments } from "./arguments.ts";
import { CONTAINER_NAMESPACE } from "./containers.ts";

/** Namespace of what the agents keep for themselves. */
const AGENT_NAMESPACE = "spiderpool";

/** Both families, fixed names, and nothing that needs a cluster; what is probed is asked for. */
export function standaloneIpam({ probes }: Pick<StandaloneArguments, "probes">): IpamSettings {
  return {
    ...STANDALONE_IPAM,
    conflictDetection: probes.includes("conflicts"),
    gatewayDetection: probes.includes("gateways"),
  };
}

const STANDALONE_IPAM: Omit<IpamSettings, "conflictDetection" | "gatewayDetection"> = {
  ipv4: true,
  ipv6: true,
  statefulSet: true,
  kubevirt: false,
  spiderSubnet: false,
  autoPool: false,
  agentNamespace: AGENT_NAMESPACE,
  clusterNetwork: "",
  releaseConflicting: true,
};

/** Makes sure that the machine and the namespaces are there. @throws {StoreFailure} */
export async function ensureMachine(
  store: ObjectStore,
  { nodeName, signal }: { readonly nodeName: string; readonly signal: AbortSignal },
): Promise<void> {
  for (const name of [CONTAINER_NAMESPACE, AGENT_NAMESPACE]) {
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } } as const;
    await ensure(NAMESPACES, namespace, { store, signal });
  }
  const labels = { "kubernetes.io/hostname": nodeName };
  const node = await ensure(NODES, {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: nodeName, labels },
    spec: {},
  }, { store, signal });
  const status = { conditions: [{ type: "Ready", status: "True" }] };
  const written = await store.replaceStatus(NODES, { ...node, status }, { signal });
  // Another agent that starts writes the same.
  if (!written.ok && written.error.code !== "conflict") throw new StoreFailure(written.error);
}

async function ensure<T extends StoredObject>(
  resource: Resource<T>,
  object: T,
  { store, signal }: { readonly store: ObjectStore; readonly signal: AbortSignal },
): Promise<T> {
  const made = await store.create(resource, object, { signal });
  if (made.ok) return made.value;
  if (made.error.code !== "already_exists") throw new StoreFailure(made.error);
  const found = await store.get(resource, keyOf(object), { signal });
  if (!found.ok) throw new StoreFailure(found.error);
  return found.value;
}
