/** Where a cluster says which networks its pods and services have. Pure. */
import { parse } from "yaml";
import type { ConfigMap } from "../../api/kubernetes/config_map.ts";
import { type CommandPod, CONTROLLER_MANAGER_LABEL } from "../../api/kubernetes/control_plane.ts";
import type { CalicoPool, CiliumPool } from "../../api/kubernetes/pod_networks.ts";
import type { ServiceCidr } from "../../api/kubernetes/service_cidr.ts";
import { isRecord } from "../../api/decode.ts";
import { errorText } from "../../base/log.ts";
import { keyOf, keyText, type ObjectKey, type StoredObject } from "../../base/object_store.ts";
import { quoted } from "../../ipam/brief.ts";
import { cidrsIn, cidrsOf, firstFound, type Found, foundIn, nothing, type Told } from "./found.ts";

/** Namespace of the control plane and of what describes it. */
export const CONTROL_PLANE_NAMESPACE = "kube-system";
/** ConfigMap that kubeadm writes, and a person where there is no kubeadm. */
export const KUBEADM_CONFIG: ObjectKey = {
  namespace: CONTROL_PLANE_NAMESPACE,
  name: "kubeadm-config",
};

/** Which networks are looked for. */
export type Whose = "pods" | "services";

/** How each place calls them. */
const FIELDS = {
  pods: { kubeadm: "podSubnet", flag: "--cluster-cidr" },
  services: { kubeadm: "serviceSubnet", flag: "--service-cluster-ip-range" },
} as const;
const KUBEADM_KEY = "ClusterConfiguration";

/** What is known of the cluster. Asking for a kind makes it watched, so few are asked for. */
export interface ClusterFacts {
  readonly serviceCidrs: () => Told<ServiceCidr>;
  readonly kubeadmConfig: () => Told<ConfigMap>;
  readonly controllerManagers: () => Told<CommandPod>;
  readonly calicoPools: () => Told<CalicoPool>;
  readonly ciliumConfig: () => Told<ConfigMap>;
  readonly ciliumPools: () => Told<CiliumPool>;
  /** Which ConfigMap is Cilium's. */
  readonly ciliumKey: ObjectKey;
}

/** Networks of services: of ServiceCIDRs, where the server has them; else as configured. */
export function serviceNetworks(facts: ClusterFacts): Found {
  return firstFound([
    () => serviceCidrNetworks(facts.serviceCidrs()),
    () => configuredNetworks("services", facts),
  ]);
}

/** What kubeadm was told; else what kube-controller-manager was. */
export function configuredNetworks(whose: Whose, facts: ClusterFacts): Found {
  return firstFound([
    () => kubeadmNetworks(whose, facts.kubeadmConfig()),
    () => controllerManagerNetworks(whose, facts.controllerManagers()),
  ]);
}

/** Networks of Calico's pools that give addresses, oldest first. */
export function calicoNetworks(facts: ClusterFacts): Found {
  return foundIn(facts.calicoPools(), {
    kind: "IPPool of Calico",
    read: (pools) => {
      const used = oldestFirst(pools.filter(({ metadata, spec }) => {
        return spec.disabled !== true && metadata.deletionTimestamp === undefined;
      }));
      if (used.length === 0) return nothing("Calico has no IPPool that is not disabled");
      return together(used.map(({ metadata, spec }) => {
        return cidrsOf([spec.cidr], {
          where: `IPPool ${quoted(metadata.name)} of Calico has spec.cidr`,
        });
      }));
    },
  });
}

/** Networks that Cilium gives to pods, as its ConfigMap says. */
export function ciliumNetworks(facts: ClusterFacts): Found {
  const name = configMapText(facts.ciliumKey);
  return foundIn(facts.ciliumConfig(), {
    kind: "ConfigMap",
    read: ([config]) => {
      if (config === undefined) return nothing(`${name} is missing`);
      const { ipam } = config.data ?? {};
      switch (ipam) {
        case "cluster-pool":
        case "cluster-pool-v2beta":
          return ciliumClusterPool(config.data ?? {}, name);
        case "multi-pool":
          return ciliumPoolNetworks(facts.ciliumPools());
        case "kubernetes":
          return configuredNetworks("pods", facts);
        case undefined:
          return nothing(`${name} has no key "ipam"`);
        default:
          return nothing(
            `${name} has ipam ${quoted(ipam)}, which says no network of pods: write their ` +
              `networks into spec.hijackCIDR and "none" into spec.podCIDRType`,
          );
      }
    },
  });
}

function serviceCidrNetworks(told: Told<ServiceCidr>): Found {
  // One that is being deleted stays until no service has an address of it.
  return foundIn(told, {
    kind: "ServiceCIDR",
    read: (objects) => {
      if (objects.length === 0) return nothing("there is no ServiceCIDR");
      return together(
        oldestFirst(objects).map(({ metadata, spec }) => {
          const where = `ServiceCIDR ${quoted(metadata.name)} has spec.cidrs`;
          return cidrsOf(spec?.cidrs ?? [], { where });
        }),
      );
    },
  });
}

function kubeadmNetworks(whose: Whose, told: Told<ConfigMap>): Found {
  const name = configMapText(KUBEADM_CONFIG);
  return foundIn(told, {
    kind: "ConfigMap",
    read: ([config]) => {
      if (config === undefined) return nothing(`${name} is missing`);
      const text = config.data?.[KUBEADM_KEY];
      if (text === undefined) return nothing(`${name} has no key "${KUBEADM_KEY}"`);
      return clusterConfigurationNetworks(text, { whose, where: `${KUBEADM_KEY} of ${name}` });
    },
  });
}

/** `kubeadm.k8s.io/v1beta1` to `v1beta4` say it alike; what a person wrote may be less nested. */
function clusterConfigurationNetworks(
  text: string,
  { whose, where }: { readonly whose: Whose; readonly where: string },
): Found {
  let document: unknown;
  try {
    document = parse(text, { logLevel: "error" });
  } catch (error) {
    const [reason = ""] = errorText(error).split("\n"); // The lines below it quote the text.
    return nothing(`${where} is no YAML: ${reason.replace(/[.:]$/, "")}`);
  }
  if (!isRecord(document)) return nothing(`${where} is no YAML object`);
  const { networking } = document;
  const field = FIELDS[whose].kubeadm;
  const value = (isRecord(networking) ? networking[field] : undefined) ?? document[field];
  if (value === undefined || value === null || value === "") {
    return nothing(`${where} has no networking.${field}`);
  }
  if (typeof value !== "string") {
    return nothing(`${where} has networking.${field} ${JSON.stringify(value)}, which is no text`);
  }
  return cidrsIn(value, { where: `${where} has networking.${field}` });
}

/** Of the newest pod that says it: its command line is what runs. */
function controllerManagerNetworks(whose: Whose, told: Told<CommandPod>): Found {
  const { flag } = FIELDS[whose];
  return foundIn(told, {
    kind: "Pod",
    read: (pods) => {
      if (pods.length === 0) {
        return nothing(
          `namespace "${CONTROL_PLANE_NAMESPACE}" has no pod with the label ` +
            `${CONTROLLER_MANAGER_LABEL}`,
        );
      }
      return firstFound(
        oldestFirst(pods).toReversed().map((pod) => () => {
          const name = `pod ${quoted(keyText(keyOf(pod)))}`;
          const value = flagValue(flag, wordsOf(pod));
          if (value === undefined) return nothing(`${name} runs without ${flag}`);
          return cidrsIn(value, { where: `${name} runs with ${flag}` });
        }),
      );
    },
  });
}

/** Command lines, also those inside a line of a shell, word by word. */
function wordsOf({ spec }: CommandPod): readonly string[] {
  return spec.containers.flatMap(({ command = [], args = [] }) => [...command, ...args])
    .flatMap((word) => word.split(/\s+/)).map((word) => word.replaceAll(/["']/g, ""));
}

/** `--flag=value` or `--flag value`; the last one counts, as it does there. */
function flagValue(flag: string, words: readonly string[]): string | undefined {
  let value: string | undefined;
  for (const [index, word] of words.entries()) {
    if (word === flag) value = words[index + 1] ?? "";
    else if (word.startsWith(`${flag}=`)) value = word.slice(flag.length + 1);
  }
  return value === "" ? undefined : value;
}

function ciliumClusterPool(data: Readonly<Record<string, string>>, name: string): Found {
  const keys = ["cluster-pool-ipv4-cidr", "cluster-pool-ipv6-cidr"];
  const set = keys.filter((key) => (data[key] ?? "").trim() !== "");
  if (set.length === 0) return nothing(`${name} has neither ${keys.join(" nor ")}`);
  return together(set.map((key) => cidrsIn(data[key] ?? "", { where: `${name} has ${key}` })));
}

function ciliumPoolNetworks(told: Told<CiliumPool>): Found {
  return foundIn(told, {
    kind: "CiliumPodIPPool",
    read: (pools) => {
      const used = oldestFirst(
        pools.filter(({ metadata }) => metadata.deletionTimestamp === undefined),
      );
      if (used.length === 0) return nothing("Cilium has no CiliumPodIPPool");
      return together(used.map(({ metadata, spec: { ipv4, ipv6 } }) => {
        const where = `CiliumPodIPPool ${quoted(metadata.name)} has cidrs`;
        return cidrsOf([...ipv4?.cidrs ?? [], ...ipv6?.cidrs ?? []], { where });
      }));
    },
  });
}

/** All of them, or what is wrong with the first that is. */
function together(parts: readonly Found[]): Found {
  const cidrs = new Set<string>();
  for (const part of parts) {
    if (part.kind !== "found") return part;
    for (const cidr of part.cidrs) cidrs.add(cidr);
  }
  return { kind: "found", cidrs: [...cidrs] };
}

function oldestFirst<T extends StoredObject>(objects: readonly T[]): readonly T[] {
  const rank = ({ metadata: { creationTimestamp = "", name } }: T) =>
    `${creationTimestamp} ${name}`;
  return objects.toSorted((one, other) => rank(one) < rank(other) ? -1 : 1);
}

function configMapText(key: ObjectKey): string {
  return `ConfigMap ${quoted(keyText(key))}`;
}
