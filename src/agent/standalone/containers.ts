/**
 * The objects that stand for containers where there is no Kubernetes: for each NIC of a container a
 * Pod, and for each fixed name and NIC a StatefulSet with that Pod as its only one. Pure.
 */
import { podLabelValue } from "../../api/labels.ts";
import type { Pod } from "../../api/kubernetes/pod.ts";
import type { StatefulSet } from "../../api/kubernetes/workload.ts";
import { nameProblem } from "../../store/names.ts";

/** Namespace of all of them. */
export const CONTAINER_NAMESPACE = "containers";

/** Label of a Pod: its container. Compare with `containerLabelValue`. */
export const LABEL_CONTAINER = "standalone.spidernet.io/container";
/** Label of a StatefulSet: the fixed name. */
export const LABEL_FIXED = "standalone.spidernet.io/fixed";

const ANNOTATION_CONTAINER = "standalone.spidernet.io/container-id";
const ANNOTATION_NIC = "standalone.spidernet.io/nic";
const ANNOTATION_NETNS = "standalone.spidernet.io/netns";
const ANNOTATION_NETNS_IDENTITY = "standalone.spidernet.io/netns-identity";

/** Characters of a container's ID that its Pod's name shows. */
const SHORT_ID_CHARACTERS = 12;
/** Characters of a fixed name: it is the value of a label. */
const FIXED_CHARACTERS_MAX = 63;

/** A NIC of a container. */
export interface ContainerNic {
  readonly containerID: string;
  readonly nic: string;
}

/** A network namespace as it was when the container got its addresses. */
export interface SeenNetns {
  readonly path: string;
  /** Differs between all network namespaces that exist at a time. */
  readonly identity: string;
}

/** What a Pod says of its container. */
export interface ContainerFacts extends ContainerNic {
  readonly node: string;
  /** Absent: the agent could not see it, so nobody can say that it is gone. */
  readonly netns?: SeenNetns;
}

/** What is wrong with a fixed name, as a sentence; `undefined`: nothing. */
export function fixedNameProblem(fixed: string): string | undefined {
  if (nameProblem(fixed) === undefined && fixed.length <= FIXED_CHARACTERS_MAX) return undefined;
  return `Cannot use fixed ${JSON.stringify(fixed)}: write 1 to ${FIXED_CHARACTERS_MAX} ` +
    `lower-case letters, digits, "-" and ".", with a letter or digit at both ends of each part`;
}

/** Value of `LABEL_CONTAINER`. */
export function containerLabelValue(containerID: string): string {
  return podLabelValue({ namespace: "", name: containerID });
}

/** Name of the Pod of a NIC that has no fixed name. */
export function plainPodName({ node, containerID, nic }: ContainerFacts): string {
  const short = containerID.toLowerCase().replaceAll(/[^a-z0-9]/g, "-")
    .slice(0, SHORT_ID_CHARACTERS).replace(/-+$/, "");
  const all = podLabelValue({ namespace: node, name: `${containerID}/${nic}` });
  return `${short}.${nicPart(nic)}.${all}`;
}

/** The StatefulSet that keeps the addresses of a fixed name on one NIC. */
export function fixedSet({ fixed, nic }: { readonly fixed: string; readonly nic: string }): {
  readonly set: StatefulSet;
  /** Name of its only Pod. */
  readonly podName: string;
} {
  const name = `${fixed}.${nicPart(nic)}`;
  return {
    podName: `${name}-0`,
    set: {
      apiVersion: "apps/v1",
      kind: "StatefulSet",
      metadata: { name, namespace: CONTAINER_NAMESPACE, labels: { [LABEL_FIXED]: fixed } },
      spec: { replicas: 1, template: {} },
    },
  };
}

/** The fixed name that an owner of addresses stands for. */
export function fixedNameOf({ name }: { readonly name: string }): string {
  return name.slice(0, name.lastIndexOf("."));
}

/** The Pod that stands for a NIC. @param set Its StatefulSet, as stored, if its name is fixed. */
export function containerPod(
  name: string,
  { facts, set }: { readonly facts: ContainerFacts; readonly set?: StatefulSet | undefined },
): Pod {
  const { containerID, nic, netns, node: nodeName } = facts;
  const owner = set === undefined ? undefined : {
    apiVersion: set.apiVersion,
    kind: set.kind,
    name: set.metadata.name,
    uid: set.metadata.uid ?? "",
    controller: true,
  };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: CONTAINER_NAMESPACE,
      labels: { [LABEL_CONTAINER]: containerLabelValue(containerID) },
      annotations: {
        [ANNOTATION_CONTAINER]: containerID,
        [ANNOTATION_NIC]: nic,
        ...(netns !== undefined && {
          [ANNOTATION_NETNS]: netns.path,
          [ANNOTATION_NETNS_IDENTITY]: netns.identity,
        }),
      },
      ...(owner !== undefined && { ownerReferences: [owner] }),
    },
    spec: { nodeName, restartPolicy: "Always", containers: [{ name: "container" }] },
  };
}

/** What a Pod of this file says. */
export function containerFacts({ metadata, spec }: Pod): ContainerFacts {
  const { annotations = {} } = metadata;
  const path = annotations[ANNOTATION_NETNS];
  const identity = annotations[ANNOTATION_NETNS_IDENTITY];
  return {
    containerID: annotations[ANNOTATION_CONTAINER] ?? "",
    nic: annotations[ANNOTATION_NIC] ?? "",
    node: spec.nodeName ?? "",
    ...(path !== undefined && identity !== undefined && { netns: { path, identity } }),
  };
}

/** Whether two say the same of the same NIC of the same container of the same machine. */
export function isSameNic(one: ContainerFacts, other: ContainerFacts): boolean {
  return one.containerID === other.containerID && one.nic === other.nic && one.node === other.node;
}

/** Part of a name for a NIC: itself, or a hash that is longer than any NIC's name. */
function nicPart(nic: string): string {
  const isPlain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(nic);
  return isPlain ? nic : podLabelValue({ namespace: "", name: nic });
}
