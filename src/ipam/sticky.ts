/** Addresses that outlive their pods: who keeps them, for how long, and who may take them over. */
import type { SpiderEndpoint } from "../api/endpoint.ts";
import type { VirtualMachine, VirtualMachineInstance } from "../api/kubernetes/kube_virt.ts";
import type { Pod } from "../api/kubernetes/pod.ts";
import type { StatefulSet } from "../api/kubernetes/workload.ts";
import { isTerminating } from "../api/metadata.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import type { Holder, Keeper } from "./claim.ts";
import { uidMatches } from "./pod_life.ts";
import type { PodReading } from "./release.ts";
import type { IpamSettings } from "./settings.ts";
import type { TopController } from "./top_controller.ts";
import type { AllowedPools } from "./wished_pools.ts";

/** Which owners keep addresses in this installation. */
export type KeeperSettings = Pick<IpamSettings, "statefulSet" | "kubevirt">;

/** Whether an owner still wants an address, and why, as a whole sentence. */
export interface KeeperWord {
  readonly keeps: boolean;
  readonly reason: string;
}

/** Whether a pod may take over a claim. */
export type Rebind =
  /** The claim names this pod already. */
  | { readonly kind: "ours" }
  | { readonly kind: "rebind" }
  | { readonly kind: "refuse"; readonly reason: string };

/** Who keeps the addresses of the controller's pods when they are replaced; nobody: `undefined`. */
export function keeperOf(
  { apiVersion, kind, name }: TopController,
  settings: KeeperSettings,
): Keeper | undefined {
  if (kind === "StatefulSet" && apiVersion === "apps/v1") {
    return settings.statefulSet ? { kind, name } : undefined;
  }
  if (kind === "VirtualMachineInstance" && apiVersion === "kubevirt.io/v1") {
    return settings.kubevirt ? { kind, name } : undefined;
  }
  return undefined;
}

/** Who keeps a claimed address, if this installation lets them. */
export function keeperOfClaim(claim: SpiderIp, settings: KeeperSettings): Keeper | undefined {
  const { kind, name } = claim.spec.owner ?? { kind: "", name: "" };
  if (kind === "StatefulSet") return settings.statefulSet ? { kind, name } : undefined;
  if (kind === "VirtualMachineInstance") return settings.kubevirt ? { kind, name } : undefined;
  return undefined;
}

/** Name of the pod's SpiderEndpoint: its own, or its machine's where that keeps the addresses. */
export function endpointNameOf(
  pod: Pod,
  { controller, settings }: {
    readonly controller: TopController;
    readonly settings: KeeperSettings;
  },
): string {
  const keeper = keeperOf(controller, settings);
  return keeper?.kind === "VirtualMachineInstance" ? keeper.name : pod.metadata.name;
}

/**
 * Whether a StatefulSet still wants the address of its pod: while it has a pod of this number.
 *
 * @param facts.statefulSet By a live read of the name that the claim says; `undefined`: it is gone.
 */
export function statefulSetKeeps(
  { podName, statefulSet }: {
    readonly podName: string;
    readonly statefulSet: StatefulSet | undefined;
  },
): KeeperWord {
  if (statefulSet === undefined) return { keeps: false, reason: "Its StatefulSet is gone" };
  const { metadata: { name }, spec: { replicas = 1, ordinals } } = statefulSet;
  const set = `StatefulSet ${JSON.stringify(name)}`;
  const [, prefix, digits] = /^(.+)-(0|[1-9]\d{0,9})$/.exec(podName) ?? [];
  if (prefix !== name || digits === undefined) {
    return { keeps: false, reason: `${set} has no pod ${JSON.stringify(podName)}` };
  }
  const start = ordinals?.start ?? 0;
  const keeps = Number(digits) >= start && Number(digits) < start + replicas;
  if (keeps) return { keeps, reason: `${set} wants the pod ${JSON.stringify(podName)}` };
  const rest = replicas === 0 ? "no pods" : `only the pods ${start} to ${start + replicas - 1}`;
  return { keeps, reason: `${set} wants ${rest}, not ${digits}` };
}

/**
 * Whether a virtual machine still wants its address: while its instance exists, and after that
 * while the machine does and is not being deleted.
 *
 * @source spiderpool `pkg/kubevirtmanager`, which gives up an instance of its own when its deletion
 *   begins; then its pod still runs, and after a failed migration no claim names that pod.
 */
export function machineKeeps(
  { machineInstance, machine }: {
    readonly machineInstance: VirtualMachineInstance | undefined;
    readonly machine: VirtualMachine | undefined;
  },
): KeeperWord {
  if (machineInstance !== undefined) {
    const state = isTerminating(machineInstance) ? "is still ending" : "exists";
    const name = JSON.stringify(machineInstance.metadata.name);
    return { keeps: true, reason: `VirtualMachineInstance ${name} ${state}` };
  }
  if (machine === undefined) return { keeps: false, reason: "Its virtual machine is gone" };
  const name = `VirtualMachine ${JSON.stringify(machine.metadata.name)}`;
  return isTerminating(machine)
    ? { keeps: false, reason: `${name} is being deleted` }
    : { keeps: true, reason: `${name} exists` };
}

/**
 * Entries of a kept endpoint whose pool the pod may no longer use, by index: the NIC gets another
 * address. Of the NIC that is being added alone; where the user named no NICs, one such entry (or
 * one too many) gives up all of them, as the NICs cannot be told apart.
 *
 * @source spiderpool `pkg/ipam`: the check before a StatefulSet's pod reuses its addresses.
 */
export function changedNics(
  endpoint: SpiderEndpoint,
  { nic, allowed }: { readonly nic: string; readonly allowed: readonly AllowedPools[] },
): readonly number[] {
  const entries = (endpoint.status?.current.ips ?? []).map((entry, index) => {
    const pools = [entry.ipv4Pool, entry.ipv6Pool];
    return { index, nic: entry.interface, pools: pools.filter((pool) => pool !== undefined) };
  });
  const isLayout = allowed.some(({ position }) => position !== undefined);
  const changed = entries.filter((entry) => {
    if (!isLayout && entry.nic !== nic) return false;
    const place = allowed.find((place) => {
      return isLayout ? place.position === entry.index : place.nic === nic;
    });
    if (place === undefined) return isLayout;
    return entry.pools.some((pool) => !place.names.has(pool));
  });
  const given = isLayout && changed.length > 0 ? entries : changed;
  return given.map(({ index }) => index);
}

/**
 * Whether a pod may take over a kept claim of its endpoint now.
 *
 * @param facts.recorded Live read of the pod that the claim names.
 * @param facts.isMigrationTarget Whether this pod is the target of a migration of the same machine
 *   that exists: then both pods have the address until the migration ends.
 */
export function rebindDecision(
  { claim, pod, holder, recorded, isMigrationTarget }: {
    readonly claim: SpiderIp;
    readonly pod: Pod;
    readonly holder: Holder;
    readonly recorded: PodReading;
    readonly isMigrationTarget: boolean;
  },
): Rebind {
  const { spec } = claim;
  if (spec.hold !== undefined) return refuse(claim, "its pool takes it back");
  if (spec.podNamespace !== holder.podNamespace) return refuse(claim, `it is ${ownerText(claim)}`);
  if (spec.podUID !== undefined && spec.podUID !== "" && spec.podUID === holder.podUID) {
    return isSameNic(spec.nic, holder.nic)
      ? { kind: "ours" }
      : refuse(claim, `NIC ${JSON.stringify(spec.nic)} of the same pod has it`);
  }
  const { keeper } = holder;
  if (keeper === undefined || !isSameKeeper(spec.owner, keeper)) {
    return refuse(claim, `it is ${ownerText(claim)}`);
  }
  if (keeper.kind === "StatefulSet" && spec.podName !== holder.podName) {
    return refuse(claim, `it is ${ownerText(claim)}`);
  }
  if (isMigrationTarget && keeper.kind === "VirtualMachineInstance") return { kind: "rebind" };
  if (recorded.kind === "absent" || recorded.pod.metadata.uid === pod.metadata.uid) {
    return { kind: "rebind" };
  }
  if (!uidMatches(recorded.pod, spec.podUID ?? "")) return { kind: "rebind" };
  return refuse(claim, `pod "${spec.podNamespace}/${spec.podName}", which has it, still exists`);
}

function refuse(claim: SpiderIp, cause: string): Rebind {
  return { kind: "refuse", reason: `Cannot hand over ${claim.spec.ip}: ${cause}` };
}

function ownerText({ spec }: SpiderIp): string {
  const owner = spec.owner === undefined ? "" : ` of ${spec.owner.kind} "${spec.owner.name}"`;
  return `the address of pod "${spec.podNamespace}/${spec.podName}"${owner}`;
}

function isSameKeeper(owner: SpiderIp["spec"]["owner"], keeper: Keeper): boolean {
  return owner?.kind === keeper.kind && owner.name === keeper.name;
}

/** A NIC that was allocated by position is named by its own ADD, and an adopted one may be none. */
function isSameNic(claimed: string | undefined, nic: string): boolean {
  return claimed === undefined || claimed === "" || claimed.startsWith("#") || claimed === nic;
}
