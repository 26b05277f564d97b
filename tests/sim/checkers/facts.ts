/** What several checkers ask about the stored objects and the past. */
import { type Pod, PODS } from "../../../src/api/kubernetes/pod.ts";
import { NODES } from "../../../src/api/kubernetes/node.ts";
import { STATEFUL_SETS, type StatefulSet } from "../../../src/api/kubernetes/workload.ts";
import { SPIDER_ENDPOINTS, type SpiderEndpoint } from "../../../src/api/endpoint.ts";
import { SPIDER_IPS, type SpiderIp } from "../../../src/api/spider_ip.ts";
import { kindId } from "../../../src/store/backend.ts";
import type { Commit } from "../api_server.ts";
import type { ReclaimSwitches } from "../../../src/ipam/reclaim.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../../src/api/ip_pool.ts";
import {
  LABEL_INTERFACE,
  LABEL_IP_VERSION,
  LABEL_OWNER_APPLICATION_NAME,
  LABEL_OWNER_APPLICATION_NAMESPACE,
  LABEL_OWNER_SUBNET,
} from "../../../src/api/labels.ts";
import type { Control } from "../control.ts";
import { type NicWant, WORKLOAD_LABEL } from "../pods.ts";
import { EPOCH_MS } from "../scheduler.ts";
import { PoolHistory } from "../pools.ts";

/**
 * Milliseconds that an agent's knowledge of a pool, with a request sent late in a call and carried
 * out later still, may be behind: 90 s of a silent watch, 60 s of a call, 60 s of a late commit.
 */
export const KNOWLEDGE_MS_MAX = 240_000;
/** Seconds of grace that count where a pod has fewer. */
const GRACE_SECONDS = 30;
/** Milliseconds from a live read to the commit of what it decided. */
export const DECISION_MS_MAX = 130_000;
/** The same of a controller that stands still in between, without what makes writes late. */
export const PAUSED_DECISION_MS_MAX = 60_000;

/** Reads and remembers; follows every commit. */
export class Facts {
  readonly control: Control;
  readonly pools = new PoolHistory();
  /** By namespace, StatefulSet and ordinal: when it last was not wanted. */
  readonly #unwantedMs = new Map<string, number>();
  /** By name of a SpiderIP: when it last existed. */
  readonly #busyMs = new Map<string, number>();
  /** By `namespace/name`: when a SpiderEndpoint last went. */
  readonly #endpointGoneMs = new Map<string, number>();
  /** Pools that are gone, as they were, and when they went. */
  readonly #gonePools: { readonly pool: SpiderIpPool; readonly goneMs: number }[] = [];
  /** Every `podUID name`, with and without a sandbox, that an ADD of the pod was answered with. */
  readonly #answered = new Set<string>();
  /** By name: the sandbox that the SpiderIP that there is was created for. */
  readonly createdFor = new Map<string, string>();
  /** UIDs of pods whose kept addresses their owner handed on to another pod. */
  readonly handedOn = new Set<string>();
  /** UIDs of pods that outlived their deletion, and so lost their addresses. */
  readonly outlived = new Set<string>();
  /** Addresses whose SpiderIPs a person deleted: two pods may have them. */
  readonly wiped = new Set<string>();
  /** Pods whose addresses were all to be released, by UID. */
  readonly releasedAll = new Set<string>();

  readonly #switches: ReclaimSwitches;

  /** @param options.switches Whether pods that outlive their deletion lose their addresses. */
  constructor(control: Control, { switches }: { readonly switches: ReclaimSwitches }) {
    this.control = control;
    this.#switches = switches;
    control.server.onCommit((commit) => this.#note(commit));
  }

  /** An ADD of a sandbox was answered with a SpiderIP. */
  noteAnswered(
    { uid, name, containerID }: {
      readonly uid: string;
      readonly name: string;
      readonly containerID: string;
    },
  ): void {
    this.#answered.add(`${uid} ${name}`).add(`${uid} ${name} ${containerID}`);
  }

  /**
   * Whether an ADD was answered with a SpiderIP, for the sandbox that it names now: what a sandbox
   * took over from a former one of its pod, and was refused with, is nobody's.
   */
  isAnswered({ metadata: { name }, spec: { podUID, containerID = "" } }: SpiderIp): boolean {
    const sandbox = containerID === "" ? "" : ` ${containerID}`;
    return this.#answered.has(`${podUID} ${name}${sandbox}`);
  }

  get nowMs(): number {
    return this.control.server.scheduler.nowMs;
  }

  claim(name: string): SpiderIp | undefined {
    return this.control.get(SPIDER_IPS, { name });
  }

  claims(): readonly SpiderIp[] {
    return this.control.list(SPIDER_IPS);
  }

  pod(namespace: string, name: string): Pod | undefined {
    return this.control.get(PODS, { namespace, name });
  }

  /**
   * Pools of the Deployment that a pod is of, which are named nowhere.
   *
   * @param options.isEver Also those that went in the pod's life.
   */
  lentPools(
    { metadata: { namespace = "", labels = {}, creationTimestamp = "" } }: Pod,
    want: NicWant,
    { isEver = false }: { readonly isEver?: boolean } = {},
  ): NicWant {
    const bornMs = Date.parse(creationTimestamp) - EPOCH_MS;
    const gone = this.#gonePools.filter(({ goneMs }) => isEver && goneMs >= bornMs);
    const pools = [...this.control.list(SPIDER_IP_POOLS), ...gone.map(({ pool }) => pool)];
    const of = (version: 4 | 6): readonly string[] => {
      const wanted = [
        [LABEL_OWNER_APPLICATION_NAMESPACE, namespace],
        [LABEL_OWNER_APPLICATION_NAME, labels[WORKLOAD_LABEL]],
        [LABEL_INTERFACE, want.nic],
        [LABEL_IP_VERSION, `IPv${version}`],
        [LABEL_OWNER_SUBNET, version === 4 ? want.lenders?.ipv4 : want.lenders?.ipv6],
      ] as const;
      return pools
        .filter((pool) => wanted.every(([key, value]) => pool.metadata.labels?.[key] === value))
        .map(({ metadata }) => metadata.name);
    };
    return { ...want, ipv4: of(4), ipv6: of(6) };
  }

  endpoint(namespace: string, name: string): SpiderEndpoint | undefined {
    return this.control.get(SPIDER_ENDPOINTS, { namespace, name });
  }

  /** Whether the SpiderEndpoint of a claim's pod lists its address. */
  isListed(claim: SpiderIp): boolean {
    const { podUID, podNamespace = "", podName = "" } = claim.spec;
    const current = this.endpoint(podNamespace, podName)?.status?.current;
    return current?.uid === podUID && this.endpointLists(claim);
  }

  /** The same, also where that endpoint is of another pod of the name. */
  endpointLists({ spec: { ip, podNamespace = "", podName = "" } }: SpiderIp): boolean {
    const current = this.endpoint(podNamespace, podName)?.status?.current;
    if (current === undefined) return false;
    return current.ips.some(({ ipv4, ipv6 }) =>
      ipv4?.split("/")[0] === ip || ipv6?.split("/")[0] === ip
    );
  }

  /** Whether the SpiderEndpoint of a name was deleted at that time or later. */
  hasEndpointGone(
    { namespace, name, sinceMs }: {
      readonly namespace: string;
      readonly name: string;
      readonly sinceMs: number;
    },
  ): boolean {
    return (this.#endpointGoneMs.get(`${namespace}/${name}`) ?? -Infinity) >= sinceMs;
  }

  /** Whether a pod of this UID is stored, not being deleted, and not finished. */
  livesAs(
    pod: { readonly namespace: string; readonly name: string; readonly uid: string },
  ): boolean {
    const stored = this.pod(pod.namespace, pod.name);
    return stored?.metadata.uid === pod.uid && !isDead(stored);
  }

  /**
   * Whether a pod exists past twice its grace, and the installation chose that it loses its address
   * then (design.md 2.1, rule 5); its sandbox may be up.
   */
  outlives({ spec }: SpiderIp): boolean {
    const { podNamespace = "", podName = "", podUID, owner } = spec;
    const pod = this.pod(podNamespace, podName);
    if (pod === undefined || pod.metadata.uid !== podUID) return false;
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
    if (deletionTimestamp === undefined) return false;
    const graceMs = Math.max(Number(deletionGracePeriodSeconds ?? 0), GRACE_SECONDS) * 1_000;
    if (EPOCH_MS + this.nowMs < Date.parse(deletionTimestamp) + graceMs) return false;
    const node = this.control.get(NODES, { name: spec.node ?? "" });
    const isReady = node?.status?.conditions?.some(({ type, status }) => {
      return type === "Ready" && status === "True";
    });
    const { readyNode, notReadyNode } = this.#switches;
    return owner === undefined && (isReady === true ? readyNode : notReadyNode);
  }

  /** Milliseconds for which an owner has wanted a pod without a break; 0 if it does not. */
  wantedForMs({ namespace, set, ordinal }: SetPlace): number {
    const stored = this.control.get(STATEFUL_SETS, { namespace, name: set });
    if (!wants(stored, ordinal)) return 0;
    return this.nowMs - (this.#unwantedMs.get(`${namespace}/${set}/${ordinal}`) ?? 0);
  }

  /** When a SpiderIP of this name last existed; infinite if it does. */
  busyMs(name: string): number {
    return this.claim(name) === undefined ? this.#busyMs.get(name) ?? -Infinity : Infinity;
  }

  #note(commit: Commit): void {
    const { change } = commit;
    this.pools.note(commit);
    if (change.kind === kindId(SPIDER_IPS)) this.#noteClaim(commit);
    if (change.kind === kindId(SPIDER_ENDPOINTS) && change.object === undefined) {
      this.#endpointGoneMs.set(change.key, commit.timeMs);
    }
    if (change.kind === kindId(STATEFUL_SETS)) this.#noteSet(commit);
    if (change.kind === kindId(SPIDER_IP_POOLS) && change.object === undefined) {
      this.#gonePools.push({ pool: change.previous as SpiderIpPool, goneMs: commit.timeMs });
    }
  }

  #noteClaim({ change, timeMs }: Commit): void {
    const before = change.previous as SpiderIp | undefined;
    const after = change.object as SpiderIp | undefined;
    if (before === undefined) this.createdFor.set(change.key, after?.spec.containerID ?? "");
    else if (after === undefined) this.#busyMs.set(change.key, timeMs);
    else if (before.spec.podUID !== after.spec.podUID) this.handedOn.add(before.spec.podUID ?? "");
  }

  /** Remembers for each ordinal when it was last not wanted. */
  #noteSet({ change, timeMs }: Commit): void {
    const before = change.previous as StatefulSet | undefined;
    const after = change.object as StatefulSet | undefined;
    const count = Math.max(before?.spec.replicas ?? 0, after?.spec.replicas ?? 0);
    for (let ordinal = 0; ordinal < count; ordinal++) {
      if (!wants(before, ordinal) || !wants(after, ordinal)) {
        this.#unwantedMs.set(`${change.key}/${ordinal}`, timeMs);
      }
    }
  }
}

/** A pod of a StatefulSet. */
export interface SetPlace {
  readonly namespace: string;
  readonly set: string;
  readonly ordinal: number;
}

/** The place of a sticky claim; `undefined` for others. */
export function placeOfClaim({ spec }: SpiderIp): SetPlace | undefined {
  const { owner, podNamespace, podName } = spec;
  if (owner?.kind !== "StatefulSet" || podNamespace === undefined) return undefined;
  const ordinal = Number(/-(\d+)$/.exec(podName ?? "")?.[1] ?? NaN);
  return Number.isNaN(ordinal) ? undefined : { namespace: podNamespace, set: owner.name, ordinal };
}

/** Whether a pod will not run again. */
export function isDead(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return pod.metadata.deletionTimestamp !== undefined || phase === "Succeeded" ||
    phase === "Failed";
}

function wants(set: StatefulSet | undefined, ordinal: number): boolean {
  return set !== undefined && ordinal < (set.spec.replicas ?? 1);
}
