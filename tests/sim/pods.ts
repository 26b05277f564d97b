/** Pods as the simulation makes them, and what its kubelets read of them. */
import {
  ANNOTATION_IP_NUMBER,
  ANNOTATION_IP_POOL,
  ANNOTATION_IP_POOLS,
  ANNOTATION_NETWORKS,
  ANNOTATION_SUBNET,
} from "../../src/api/annotations.ts";
import type { Pod } from "../../src/api/kubernetes/pod.ts";
import type { OwnerReference, StoredObject } from "../../src/base/object_store.ts";

/** Annotation of the simulation alone: the NICs that Multus would add. */
const NICS = "sim.spidernet.io/nics";
/** Annotation of the simulation alone: milliseconds after which the pod has done its work. */
const RUNTIME = "sim.spidernet.io/runtime-ms";
/** Label of a pod: the name of its workload. */
export const WORKLOAD_LABEL = "sim";
/** Annotation of the simulation alone: which pools each NIC may have, for the checkers. */
const WANTS = "sim.spidernet.io/wants";

/** Pools of one NIC, by family; a family without pools gets no address. */
export interface NicWant {
  readonly nic: string;
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
  /** SpiderSubnets that lend to pools of the pod's application, instead. */
  readonly lenders?: { readonly ipv4?: string; readonly ipv6?: string } | undefined;
}

/** How a workload's pods name their pools. */
export type PoolsMode = "ippool" | "ippools" | "positional" | "default" | "subnet";

/** What the pods of one workload are like. */
export interface PodTemplatePlan {
  readonly wants: readonly NicWant[];
  readonly mode: PoolsMode;
  /** With mode `subnet`: how many addresses the application has. */
  readonly number?: string | undefined;
  readonly runtimeMs?: number | undefined;
  /** Labels of the nodes that may run them. */
  readonly nodeLabels?: Readonly<Record<string, string>> | undefined;
  readonly graceSeconds: number;
}

/** Annotations of a pod of this template. */
export function annotationsOf(plan: PodTemplatePlan): Record<string, string> {
  const { wants, mode, runtimeMs } = plan;
  const annotations: Record<string, string> = {
    [NICS]: wants.map(({ nic }) => nic).join(","),
    [WANTS]: JSON.stringify(wants),
    ...(runtimeMs !== undefined && { [RUNTIME]: String(runtimeMs) }),
    ...(wants.length > 1 && { [ANNOTATION_NETWORKS]: wants.slice(1).map(networkOf).join(",") }),
  };
  switch (mode) {
    case "ippool": {
      const { ipv4 = [], ipv6 = [] } = wants[0] ?? {};
      annotations[ANNOTATION_IP_POOL] = JSON.stringify({ ipv4, ipv6 });
      return annotations;
    }
    case "ippools":
      annotations[ANNOTATION_IP_POOLS] = JSON.stringify(
        wants.map(({ nic, ipv4, ipv6 }) => ({ interface: nic, ipv4, ipv6 })),
      );
      return annotations;
    case "positional":
      annotations[ANNOTATION_IP_POOLS] = JSON.stringify(
        wants.map(({ ipv4, ipv6 }) => ({ ipv4, ipv6 })),
      );
      return annotations;
    case "subnet": {
      const lists = Object.entries(wants[0]?.lenders ?? {}).map(([key, name]) => [key, [name]]);
      annotations[ANNOTATION_SUBNET] = JSON.stringify(Object.fromEntries(lists));
      annotations[ANNOTATION_IP_NUMBER] = plan.number ?? "1";
      return annotations;
    }
    case "default":
      return annotations;
  }
}

/** The network that gives a pod its further NIC; which one it is matters to no pool. */
function networkOf({ nic }: NicWant): string {
  return `spiderpool/of-${nic}`;
}

/** A pod to be stored. */
export function podObject(
  key: { readonly namespace: string; readonly name: string },
  { plan, owner, labels = {} }: {
    readonly plan: PodTemplatePlan;
    readonly owner?: OwnerReference | undefined;
    readonly labels?: Readonly<Record<string, string>>;
  },
): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...key,
      labels,
      annotations: annotationsOf(plan),
      ...(owner !== undefined && { ownerReferences: [owner] }),
    },
    spec: {
      containers: [{ name: "main" }],
      restartPolicy: plan.runtimeMs === undefined ? "Always" : "Never",
      terminationGracePeriodSeconds: plan.graceSeconds,
    },
  };
}

/** Reference of a controller. */
export function controllerReference(owner: StoredObject): OwnerReference {
  const { apiVersion, kind, metadata } = owner;
  return {
    apiVersion,
    kind,
    name: metadata.name,
    uid: metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** NICs in the order in which they are added. */
export function nicsOfPod(pod: Pod): readonly string[] {
  return (pod.metadata.annotations?.[NICS] ?? "eth0").split(",");
}

/** Pools of each NIC, as the checkers know them. */
export function wantsOfPod(pod: Pod): readonly NicWant[] {
  const text = pod.metadata.annotations?.[WANTS];
  return text === undefined ? [] : JSON.parse(text) as readonly NicWant[];
}

export function runtimeMsOfPod(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[RUNTIME];
  return text === undefined ? undefined : Number(text);
}

/** Who keeps the addresses of a pod when it is replaced: `StatefulSet/namespace/name`. */
export function keeperOfPod(pod: Pod): string | undefined {
  const owner = pod.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner?.kind !== "StatefulSet") return undefined;
  return `StatefulSet/${pod.metadata.namespace}/${owner.name}`;
}
