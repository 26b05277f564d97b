/** What pods are given that ask for a group of networks. Pure. */
import {
  ANNOTATION_NETWORK_INJECT,
  ANNOTATION_NETWORKS,
  ANNOTATION_RDMA_INJECT,
} from "../../../api/annotations.ts";
import type { Namespace } from "../../../api/kubernetes/node.ts";
import type { Container, Pod } from "../../../api/kubernetes/pod.ts";
import { isTerminating } from "../../../api/metadata.ts";
import type { MultusConfigSpec, SpiderMultusConfig } from "../../../api/multus_config.ts";
import { isPlainName, type NetworkSelection, readNetworks } from "../../../api/multus_networks.ts";
import { err, ok, type Result } from "../../../base/result.ts";
import { fault, faultSentence } from "./fault.ts";
import { blockResource } from "./multus_blocks.ts";
import { mutateMultusConfig } from "./multus_mutation.ts";
import { attachmentName, multusFaults } from "./multus_rules.ts";
import type { AdmissionSettings } from "./settings.ts";

/** A group of networks that somebody asks for: of these the first one counts. */
const KEYS = [ANNOTATION_RDMA_INJECT, ANNOTATION_NETWORK_INJECT] as const;

/** Which networks a pod is to get, and who says so. */
export interface InjectionWish {
  readonly key: typeof KEYS[number];
  readonly group: string;
  /** `the pod`, or `Namespace "team"`. */
  readonly asker: string;
}

/**
 * What a pod itself asks for.
 *
 * @returns `nothing`: it wants none, whatever its namespace says. `undefined`: it says nothing.
 */
export function podWish({ metadata }: Pod): InjectionWish | "nothing" | undefined {
  return wishIn(metadata.annotations ?? {}, "the pod");
}

/** What a namespace asks for, for its pods: by annotation, or by label. */
export function namespaceWish(
  { metadata: { name, annotations, labels } }: Namespace,
): InjectionWish | undefined {
  const wish = wishIn({ ...labels, ...annotations }, `Namespace ${JSON.stringify(name)}`);
  return wish === "nothing" ? undefined : wish;
}

function wishIn(
  said: Readonly<Record<string, string>>,
  asker: string,
): InjectionWish | "nothing" | undefined {
  for (const key of KEYS) {
    const group = said[key];
    if (group !== undefined) return group === "" ? "nothing" : { key, group, asker };
  }
  return undefined;
}

/**
 * Adds the networks of a group to a pod, and the resources that they need. What the pod has stays:
 * its networks come first, and a resource that one of its containers names is left as it is. Done
 * twice, it changes nothing the second time.
 *
 * @param networks Every SpiderMultusConfig.
 * @returns Or a sentence why the pod cannot get them.
 * @source spiderpool `pkg/podmanager`, which overwrites the pod's networks, and names a network
 *   with `cr-name` by a definition that there is not
 */
export function inject(
  pod: Pod,
  { wish, networks, settings }: {
    readonly wish: InjectionWish;
    readonly networks: readonly SpiderMultusConfig[];
    readonly settings: AdmissionSettings;
  },
): Result<Pod, string> {
  const members = networks.filter((network) => isMember(network, wish)).toSorted(byMaster);
  if (members.length === 0) {
    return refused(
      wish,
      "no SpiderMultusConfig has this annotation with this value; write it " +
        `into one, or remove it from ${wish.asker}`,
    );
  }
  for (const network of members) {
    const object = mutateMultusConfig({ object: network, settings });
    const [first] = multusFaults({ object, settings });
    if (first === undefined) continue;
    return refused(wish, `${named(network)} has it, and is wrong: ${faultSentence(first)}`);
  }
  const text = withNetworks(pod, members);
  if (!text.ok) return text;
  const annotations = { ...pod.metadata.annotations, [ANNOTATION_NETWORKS]: text.value };
  return ok(withResources(
    { ...pod, metadata: { ...pod.metadata, annotations } },
    resourcesOf(members),
  ));
}

function refused({ key, group, asker }: InjectionWish, why: string): Result<never, string> {
  const path = ["metadata", "annotations", key];
  const origin = asker === "the pod" ? "" : `(of ${asker}) `;
  return err(faultSentence(fault(path, group, { why: `${origin}${why}` })));
}

function isMember(network: SpiderMultusConfig, { key, group }: InjectionWish): boolean {
  return network.metadata.annotations?.[key] === group && !isTerminating(network);
}

/** By the master that NICs stand on, then by name: rails of a machine come in their order. */
function byMaster(one: SpiderMultusConfig, other: SpiderMultusConfig): number {
  const [a, b] = [one, other].map(({ spec, metadata: { namespace = "", name } }) => {
    return [masterOf(spec), namespace, name];
  });
  for (const [index, text] of (a ?? []).entries()) {
    const against = b?.[index] ?? "";
    if (text !== against) return text < against ? -1 : 1;
  }
  return 0;
}

function masterOf(spec: MultusConfigSpec): string {
  switch (spec.cniType) {
    case "macvlan":
    case "ipvlan":
    case "vlan": {
      const { master = [], bond } = spec[spec.cniType] ?? {};
      return (master.length > 1 ? bond?.name : master[0]) ?? "";
    }
    case "sriov":
    case "ib-sriov":
      return blockResource(spec).value;
    default:
      return "";
  }
}

/** The pod's networks with those that it lacks, in the form that it has. */
function withNetworks(
  { metadata: { annotations, namespace = "" } }: Pod,
  networks: readonly SpiderMultusConfig[],
): Result<string, string> {
  const text = annotations?.[ANNOTATION_NETWORKS] ?? "";
  const read: Result<readonly NetworkSelection[], string> = text.trim() === ""
    ? ok([])
    : readNetworks(text, { key: ANNOTATION_NETWORKS, namespace });
  if (!read.ok) return read;
  const missing = networks.map((network) => {
    return { namespace: network.metadata.namespace ?? "", name: attachmentName(network) };
  }).filter(({ namespace, name }) => {
    return !read.value.some((had) => had.namespace === namespace && had.name === name);
  });
  if (missing.length === 0) return ok(text);
  if (/[[{"]/.test(text)) return ok(JSON.stringify([...JSON.parse(text), ...missing]));
  if (missing.every(({ name }) => isPlainName(name))) {
    const added = missing.map(({ namespace, name }) => `${namespace}/${name}`);
    return ok([...text.trim() === "" ? [] : [text], ...added].join(","));
  }
  return ok(JSON.stringify([...read.value, ...missing]));
}

/** One device for each NIC that moves into the pod; a shared one once. */
function resourcesOf(networks: readonly SpiderMultusConfig[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { spec } of networks) {
    const name = spec.cniType === "ipoib" ? "" : blockResource(spec).value;
    if (name === "") continue;
    const isShared = spec.cniType !== "sriov" && spec.cniType !== "ib-sriov";
    counts.set(name, isShared ? 1 : (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function withResources(pod: Pod, wanted: ReadonlyMap<string, number>): Pod {
  const [first, ...others] = pod.spec.containers;
  if (first === undefined) return pod;
  const isNamed = (name: string): boolean => {
    return pod.spec.containers.some((container) => names(container).includes(name));
  };
  const missing = [...wanted].filter(([name]) => !isNamed(name));
  if (missing.length === 0) return pod;
  const added = Object.fromEntries(missing.map(([name, count]) => [name, String(count)]));
  const { resources = {} } = first;
  const container = {
    ...first,
    resources: {
      ...resources,
      limits: { ...resources.limits, ...added },
      requests: { ...resources.requests, ...added },
    },
  };
  return { ...pod, spec: { ...pod.spec, containers: [container, ...others] } };
}

function names({ resources: { limits, requests } = {} }: Container): readonly string[] {
  return [...Object.keys(limits ?? {}), ...Object.keys(requests ?? {})];
}

function named({ metadata: { namespace, name } }: SpiderMultusConfig): string {
  return `SpiderMultusConfig ${JSON.stringify(`${namespace}/${name}`)}`;
}
