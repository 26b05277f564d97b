/** An address that another host has on the wire: given back, unless somebody keeps it. */
import { err, ok, type Result } from "../base/result.ts";
import { formatAddress, formatObjectName, parseAddress } from "../ip/mod.ts";
import { AGENT_STATUS, type IpamBatchDelArgs, type SeenConflict } from "../api/agent.ts";
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import type { SpiderIp } from "../api/spider_ip.ts";
import { addressesOf } from "../ipam/endpoint.ts";
import { CONFLICT_AVOIDED_MS } from "../ipam/ledger.ts";
import { factsOf } from "./allocation.ts";
import { podOf } from "./known_endpoints.ts";
import { removeClaim } from "../daemon/provided_claims.ts";
import type { AgentParts } from "./parts.ts";
import { STATEFUL_FORBIDDEN, STATELESS_FORBIDDEN } from "./release_flow.ts";
import type { ServiceFailure } from "./service.ts";

/** Times that an endpoint or a claim is read again because it changed meanwhile. */
const TRIES_MAX = 5;

/** What a plugin saw of one NIC. */
export interface ConflictOptions {
  readonly args: IpamBatchDelArgs;
  readonly conflicts: readonly SeenConflict[];
  readonly signal: AbortSignal;
}

/**
 * Frees those addresses of a sandbox's NIC, and avoids them for a while; the next ADD gives others
 * in their place. What else the pod has stays.
 *
 * An address that somebody keeps is never exchanged. It is freed all the same if this sandbox is
 * the first that ever had it: its keeper then gets another one when its pod is tried again.
 *
 * The endpoint goes first: what it lists would be made again.
 */
export async function giveConflictsBack(
  parts: AgentParts,
  { args, conflicts, signal }: ConflictOptions,
): Promise<Result<void, ServiceFailure>> {
  const names = new Set(conflicts.flatMap(({ ip }) => {
    const address = parseAddress(ip);
    return address.ok ? [formatObjectName(address.value)] : [];
  }));
  const claims = parts.claims.ofPod(args).filter(({ metadata, spec }) =>
    names.has(metadata.name) && spec.containerID === args.containerID &&
    (args.podUID === "" || spec.podUID === args.podUID) &&
    (args.ifName === undefined || spec.nic === args.ifName)
  );
  if (!parts.settings.ipam.releaseConflicting) return err(STATELESS_FORBIDDEN);
  let isKept = false;
  for (const claim of claims) {
    const isSticky = claim.spec.owner !== undefined;
    isKept ||= isSticky;
    if (isSticky && !isFirst(claim)) continue;
    const freed = await giveBack(parts, { claim, signal });
    if (!freed.ok) return freed;
  }
  return isKept ? err(STATEFUL_FORBIDDEN) : ok(undefined);
}

/** Whether nobody had the claim before: taking one over changes it. */
function isFirst({ metadata: { generation } }: SpiderIp): boolean {
  return generation === 1;
}

async function giveBack(
  parts: AgentParts,
  { claim, signal }: { readonly claim: SpiderIp; readonly signal: AbortSignal },
): Promise<Result<void, ServiceFailure>> {
  const { claims, book, reader, ports: { log } } = parts;
  const { ip: address, pool, nic, podUID } = claim.spec;
  const facts = await factsOf(parts, { pool, signal });
  // An agent that was started since has not asked this pool for anything yet.
  if (facts !== undefined) book.open(facts, await reader.reserved({ signal }));
  const isUnlisted = await unlist(parts, { claim, signal });
  const isGone = isUnlisted && await removeClaim(parts, claim, { signal }) === "gone";
  if (!isGone) {
    const message =
      `Cannot give address "${address}" back: others change what is recorded of it; ` +
      `look at SpiderIP "${claim.metadata.name}"`;
    return err({ status: AGENT_STATUS.failed, message });
  }
  claims.forget(claim);
  book.avoid(claim, { forMs: CONFLICT_AVOIDED_MS });
  log.info("address given back after a conflict", { address, pool, nic, podUID });
  return ok(undefined);
}

/** Takes the addresses of the claim's NIC out of the pod's endpoint; the others are found again. */
async function unlist(
  { endpoints }: AgentParts,
  { claim, signal }: { readonly claim: SpiderIp; readonly signal: AbortSignal },
): Promise<boolean> {
  const { podNamespace: namespace, podName, podUID, owner } = claim.spec;
  if (namespace === undefined || podName === undefined) return true;
  const name = owner === undefined || owner.kind === "StatefulSet" ? podName : owner.name;
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    const endpoint = await endpoints.read({ namespace, name }, { signal });
    if (endpoint === undefined || podOf(endpoint) !== podUID) return true;
    const next = withoutAddressesOf(endpoint, claim);
    if (next === undefined) return true;
    if (await endpoints.write(next, { signal }) !== undefined) return true;
  }
  return false;
}

/** The endpoint with the entry that lists a claim emptied; nothing if none does. */
function withoutAddressesOf(
  endpoint: SpiderEndpoint,
  { metadata: { name } }: SpiderIp,
): SpiderEndpoint | undefined {
  const { status } = endpoint;
  const lists = (nic: EndpointNic): boolean =>
    addressesOf(nic).some(({ address }) => formatObjectName(address) === name);
  if (status === undefined || !status.current.ips.some(lists)) return undefined;
  const ips = status.current.ips.map((nic) => lists(nic) ? emptied(nic) : nic);
  return { ...endpoint, status: { ...status, current: { ...status.current, ips } } };
}

const ADDRESS_FIELDS = [
  "ipv4",
  "ipv4Pool",
  "ipv4Gateway",
  "ipv6",
  "ipv6Pool",
  "ipv6Gateway",
] as const;

function emptied(nic: EndpointNic): EndpointNic {
  const rest: { -readonly [Name in keyof EndpointNic]: EndpointNic[Name] } = { ...nic };
  for (const field of ADDRESS_FIELDS) delete rest[field];
  return rest;
}

/** The conflicts that are readable, each as it is told to people. */
export function conflictTexts(
  { ifName = "" }: IpamBatchDelArgs,
  conflicts: readonly SeenConflict[],
): readonly string[] {
  return conflicts.flatMap(({ ip, mac }) => {
    const address = parseAddress(ip);
    if (!address.ok) return [];
    return [
      `Address "${formatAddress(address.value)}" of NIC "${ifName}" is used by another host, ` +
      `with the hardware address ${mac}: free it there, or take it out of the pool`,
    ];
  });
}
