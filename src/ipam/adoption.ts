/** Taking over the reference's records of a pool as SpiderIPs (design.md 2.3). */
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import type { SpiderIpPool } from "../api/ip_pool.ts";
import { type AllocationRecord, readAllocatedIps } from "../api/ip_pool_records.ts";
import { controllerOf } from "../api/metadata.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { TRUTH } from "../api/truth_fence.ts";
import type { StoredObject } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import {
  type Address,
  describeRefusal,
  formatAddress,
  guessVersion,
  IPV4,
  IPV6,
  parseAddress,
  parseDestination,
  versionOf,
} from "../ip/mod.ts";
import { type Holder, type Keeper, newClaim } from "./claim.ts";
import { positionalNic } from "./wish.ts";

/** A pod, or its metadata alone. */
export interface AdoptedPod extends StoredObject {
  readonly spec?: { readonly nodeName?: string | undefined } | undefined;
  readonly status?: { readonly phase?: string | undefined } | undefined;
}

/** What the claims of a pool are made of. */
export interface AdoptionFacts {
  /** As it was read: its resourceVersion guards the marker. */
  readonly pool: SpiderIpPool;
  /** Every endpoint of the cluster. */
  readonly endpoints: readonly SpiderEndpoint[];
  /** Every pod of the cluster, by UID; read after the pool. */
  readonly pods: ReadonlyMap<string, AdoptedPod>;
}

/** An address that two pods use: the reference gave it twice. */
export interface Dispute {
  readonly address: string;
  /** `namespace/name` of who gets the claim. */
  readonly winner: string;
  readonly loser: string;
}

/** What is to be created for a pool. */
export interface Adoption {
  readonly claims: readonly SpiderIp[];
  readonly disputes: readonly Dispute[];
}

interface Draft {
  readonly address: Address;
  readonly holder: Holder;
}

/** An address of an entry of an endpoint. */
interface Listed {
  readonly address: Address;
  readonly nic: string;
}

/** As `adoptedClaims`, with the addresses that two pods use: somebody should hear of them. */
export function planAdoption(facts: AdoptionFacts): Result<Adoption, string> {
  const { pool, endpoints, pods } = facts;
  const byPod = new Map(endpoints.map((endpoint) => [endpointKey(endpoint), endpoint]));
  const read = readRecords(pool);
  if (!read.ok) return read;
  const drafts = new Map<string, Draft>();
  for (const { address, record } of read.value) {
    const holder = holderOfRecord(record, { address, endpoint: byPod.get(record.pod), facts });
    drafts.set(formatAddress(address), { address, holder });
  }
  const recordedUids = new Set(read.value.map(({ record }) => record.podUid));
  const disputes: Dispute[] = [];
  for (const endpoint of endpoints) {
    const { uid } = endpoint.status?.current ?? { uid: "" };
    const pod = pods.get(uid);
    if (pod === undefined) continue;
    const listed = listedOf(endpoint, { pool, isStrict: !recordedUids.has(uid) });
    if (!listed.ok) return listed;
    for (const { address, nic } of listed.value) {
      const holder = holderOfEndpoint(endpoint, { pod, nic });
      const dispute = settle(drafts, { draft: { address, holder }, pods });
      if (dispute !== undefined) disputes.push(dispute);
    }
  }
  const { name } = pool.metadata;
  const claims = Array.from(drafts.values(), ({ address, holder }) => {
    return newClaim({ pool: name, address }, holder);
  });
  return ok({ claims, disputes });
}

/**
 * Makes a claim for every record of a pool, be its pod dead or alive, and for every address that
 * the endpoint of an existing pod says it has of the pool. What is dead, reclaim frees, with proof.
 *
 * Claims name no sandbox: nobody recorded it. Of two pods with one address that which has not ended
 * gets the claim, else that which the pool recorded.
 *
 * @returns A refusal names pool and value: nothing is guessed of a record that cannot be read.
 */
export function adoptedClaims(facts: AdoptionFacts): Result<readonly SpiderIp[], string> {
  const planned = planAdoption(facts);
  return planned.ok ? ok(planned.value.claims) : planned;
}

/** The pool with the marker that its addresses are SpiderIPs from now on. */
export function markedPool(pool: SpiderIpPool): SpiderIpPool {
  return { ...pool, status: { ...pool.status, truth: TRUTH } };
}

function readRecords(
  pool: SpiderIpPool,
): Result<readonly { readonly address: Address; readonly record: AllocationRecord }[], string> {
  const records = readAllocatedIps(pool.status?.allocatedIPs);
  if (!records.ok) return refused(pool, records.error);
  const version = guessVersion(pool.spec.subnet);
  const read = new Map<string, { readonly address: Address; readonly record: AllocationRecord }>();
  for (const [text, record] of Object.entries(records.value)) {
    const path = `status.allocatedIPs[${JSON.stringify(text)}]`;
    const value = JSON.stringify(record.pod);
    const parsed = parseAddress(text);
    if (!parsed.ok) {
      return refused(pool, describeRefusal(parsed.error, "the key of status.allocatedIPs"));
    }
    const address = parsed.value;
    if (version !== undefined && versionOf(address) !== version) {
      return refused(pool, `Cannot use ${path}: spec.subnet is IPv${version}; remove the record`);
    }
    if (!/^[^/]+\/[^/]+$/.test(record.pod)) {
      return refused(pool, `Cannot use ${path}.pod ${value}: write "namespace/name"`);
    }
    if (record.podUid === "") {
      const remedy = `write the UID of pod ${value}, or remove the record if there is none`;
      return refused(pool, `Cannot use ${path}.podUid "": ${remedy}`);
    }
    const canonical = formatAddress(address);
    const other = read.get(canonical);
    if (other !== undefined && !isSameRecord(other.record, record)) {
      const { pod, podUid } = other.record;
      const said = `names pod ${JSON.stringify(pod)} of UID ${JSON.stringify(podUid)}`;
      const cause = `another record of this address ${said}`;
      return refused(pool, `Cannot use ${path}: ${cause}; remove one of them`);
    }
    read.set(canonical, { address, record });
  }
  return ok([...read.values()]);
}

function holderOfRecord(
  { pod: key, podUid }: AllocationRecord,
  { address, endpoint, facts: { pods, pool } }: {
    readonly address: Address;
    readonly endpoint: SpiderEndpoint | undefined;
    readonly facts: AdoptionFacts;
  },
): Holder {
  const [podNamespace = "", name = ""] = key.split("/");
  const found = pods.get(podUid);
  const pod = found?.metadata.namespace === podNamespace ? found : undefined;
  const current = endpoint?.status?.current;
  const listed = listedOf(endpoint, { pool, isStrict: false });
  const place = listed.ok ? listed.value.find((place) => place.address === address) : undefined;
  // An endpoint that does not list it says that nobody is to have it again.
  const isOver = endpoint !== undefined && place === undefined;
  return {
    podNamespace,
    podName: pod?.metadata.name ?? name,
    podUID: podUid,
    containerID: "",
    nic: place?.nic ?? "",
    node: pod?.spec?.nodeName ?? (current?.uid === podUid ? current.node : ""),
    keeper: isOver ? undefined : keeperOf(endpoint, pod),
    endpointName: name,
  };
}

/** Who has an address that an endpoint of a pod lists; nobody recorded his sandbox. */
export function holderOfEndpoint(
  endpoint: SpiderEndpoint,
  { pod, nic }: { readonly pod: AdoptedPod; readonly nic: string },
): Holder {
  return {
    podNamespace: endpoint.metadata.namespace ?? "",
    podName: pod.metadata.name,
    podUID: endpoint.status?.current.uid ?? "",
    containerID: "",
    nic,
    node: pod.spec?.nodeName ?? endpoint.status?.current.node ?? "",
    keeper: keeperOf(endpoint, pod),
    endpointName: endpoint.metadata.name,
  };
}

/** Puts a draft of an endpoint where it belongs, and says whom it leaves without an address. */
function settle(
  drafts: Map<string, Draft>,
  { draft, pods }: { readonly draft: Draft; readonly pods: AdoptionFacts["pods"] },
): Dispute | undefined {
  const address = formatAddress(draft.address);
  const other = drafts.get(address);
  if (other?.holder.podUID === draft.holder.podUID) return undefined;
  const [rank, otherRank] = [rankOf(draft, pods), other === undefined ? 0 : rankOf(other, pods)];
  const [winner, loser] = rank > otherRank ? [draft, other] : [other, draft];
  if (winner === draft) drafts.set(address, draft);
  if (winner === undefined || loser === undefined || rank !== otherRank || rank < 2) {
    return undefined;
  }
  return { address, winner: podText(winner), loser: podText(loser) };
}

/** 0: the pod does not exist, 1: it has ended, 2: it may use its address. */
function rankOf({ holder }: Draft, pods: AdoptionFacts["pods"]): 0 | 1 | 2 {
  const pod = pods.get(holder.podUID);
  if (pod === undefined) return 0;
  const phase = pod.status?.phase;
  return phase === "Succeeded" || phase === "Failed" ? 1 : 2;
}

/** The addresses of a pool that an endpoint lists. @param isStrict Unreadable ones are refused. */
function listedOf(
  endpoint: SpiderEndpoint | undefined,
  { pool, isStrict }: { readonly pool: SpiderIpPool; readonly isStrict: boolean },
): Result<readonly Listed[], string> {
  const found: Listed[] = [];
  for (const [index, entry] of (endpoint?.status?.current.ips ?? []).entries()) {
    for (const { text, field } of textsOf(entry, pool)) {
      const parsed = field === "ipv4" ? parseDestination(IPV4, text) : parseDestination(IPV6, text);
      if (parsed.ok) {
        const nic = entry.interface === "" ? positionalNic(index) : entry.interface;
        found.push({ address: parsed.value.address, nic });
      } else if (isStrict && endpoint !== undefined) {
        const place = JSON.stringify(endpointKey(endpoint));
        const path = `status.current.ips[${index}].${field} of SpiderEndpoint ${place}`;
        return refused(pool, describeRefusal(parsed.error, path));
      }
    }
  }
  return ok(found);
}

function textsOf(
  { ipv4, ipv4Pool, ipv6, ipv6Pool }: EndpointNic,
  { metadata: { name }, spec: { subnet } }: SpiderIpPool,
): readonly { readonly text: string; readonly field: "ipv4" | "ipv6" }[] {
  const isIpv6 = guessVersion(subnet) === 6;
  if (isIpv6) return ipv6Pool !== name || ipv6 === undefined ? [] : [{ text: ipv6, field: "ipv6" }];
  return ipv4Pool !== name || ipv4 === undefined ? [] : [{ text: ipv4, field: "ipv4" }];
}

/** Who keeps the addresses of a pod: its controller says it, or without a pod its endpoint. */
function keeperOf(
  endpoint: SpiderEndpoint | undefined,
  pod: AdoptedPod | undefined,
): Keeper | undefined {
  const owner = pod === undefined ? undefined : controllerOf(pod);
  const { ownerControllerType = "", ownerControllerName = "" } = endpoint?.status ?? {};
  const { kind, name } = owner ?? { kind: ownerControllerType, name: ownerControllerName };
  if (name === "" || (pod !== undefined && owner === undefined)) return undefined;
  if (kind !== "StatefulSet" && kind !== "VirtualMachineInstance") return undefined;
  const apiVersion = kind === "StatefulSet" ? "apps/v1" : "kubevirt.io/v1";
  return owner !== undefined && owner.apiVersion !== apiVersion ? undefined : { kind, name };
}

function isSameRecord(one: AllocationRecord, other: AllocationRecord): boolean {
  return one.pod === other.pod && one.podUid === other.podUid;
}

function endpointKey({ metadata }: SpiderEndpoint): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

function podText({ holder }: Draft): string {
  return `${holder.podNamespace}/${holder.podName}`;
}

/** @param sentence Begins with "Cannot". */
function refused(
  pool: SpiderIpPool,
  sentence: string,
): { readonly ok: false; readonly error: string } {
  const name = JSON.stringify(pool.metadata.name);
  return err(`Cannot adopt SpiderIPPool ${name}: c${sentence.slice(1)}`);
}
