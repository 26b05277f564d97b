/** NICs that are VLANs of a link of the node: which VLAN, the network provider says. */
import { err, ok, type Result } from "../base/result.ts";
import { formatAddress, formatCidr, formatObjectName } from "../ip/mod.ts";
import { ANNOTATION_NETWORK_PROVIDER } from "../api/annotations.ts";
import type { EndpointNic, SpiderEndpoint } from "../api/endpoint.ts";
import { type ProviderAllocation, type ProviderMark, readProviderMark } from "../api/provider.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { StoreFailure } from "../base/object_store.ts";
import { addressesOf, type EndpointAddress, findNic, withNicReplaced } from "../ipam/endpoint.ts";
import type { Refusal } from "../ipam/refusal.ts";
import type { Adding } from "./adding.ts";
import { factsOf } from "./allocation.ts";
import { podOf } from "./known_endpoints.ts";
import { ADD_MS_MAX } from "./limits.ts";
import type { AgentParts } from "./parts.ts";

/**
 * The endpoint with VLAN and hardware address of the NIC that is added, if its plugin asks for
 * them. Its SpiderIP remembers the question before it is asked: whatever ends meanwhile, the
 * provider is told when the address is free. Only IPv4 addresses are the provider's.
 *
 * @param options.found The endpoint as it is stored: what this very pod was told already stays.
 */
export async function withProvided(
  parts: AgentParts,
  { adding, endpoint, found }: {
    readonly adding: Adding;
    readonly endpoint: SpiderEndpoint;
    readonly found: SpiderEndpoint | undefined;
  },
): Promise<Result<SpiderEndpoint, Refusal>> {
  const { args: { parentNicMac, ifName }, apiUID } = adding;
  if (parts.ports.provider === undefined || parentNicMac === undefined) return ok(endpoint);
  const index = findNic(endpoint, ifName)?.index ?? -1;
  const nic = endpoint.status?.current.ips[index];
  const address = nic && addressesOf(nic).find(({ version }) => version === 4);
  if (nic === undefined || address === undefined) return ok(endpoint);
  const claim = await marked(parts, { adding, address, parentNicMac });
  const isTold = claim.isOld && nic.vlan !== 0 && found !== undefined && podOf(found) === apiUID;
  if (isTold) return ok(endpoint);
  const said = await ask(parts, { adding, mark: claim.mark, address });
  if (!said.ok) return said;
  return ok(withNicReplaced(endpoint, { index, nic: provided(nic, said.value) }));
}

/** What the provider leaves open is as the master has it. */
function provided(nic: EndpointNic, { vlanId: vlan, macAddress }: ProviderAllocation): EndpointNic {
  const { mac: _mac, ...rest } = nic;
  return macAddress === "" ? { ...rest, vlan } : { ...rest, vlan, mac: macAddress };
}

/** Writes down what the provider will be told of an address. */
async function marked(
  parts: AgentParts,
  { adding: { podUID, signal, created, found, former }, address, parentNicMac }: {
    readonly adding: Adding;
    readonly address: EndpointAddress;
    readonly parentNicMac: string;
  },
): Promise<{ readonly mark: ProviderMark; readonly isOld: boolean }> {
  const name = formatObjectName(address.address);
  const claim = await parts.settler.get(SPIDER_IPS, { name }, { signal });
  if (claim === undefined || claim.spec.podUID !== podUID) throw new StoreFailure(lost(name));
  const pool = await factsOf(parts, { pool: address.pool, signal });
  const before = readProviderMark(claim.metadata.annotations?.[ANNOTATION_NETWORK_PROVIDER]);
  const subnet = pool === undefined ? before?.subnet ?? "" : formatCidr(pool.subnet);
  const mark = { parentNicMac, podUID, subnet };
  const isOld = before?.podUID === podUID && before.parentNicMac === parentNicMac;
  if (isOld) return { mark, isOld };
  const text = JSON.stringify(mark);
  const annotations = { ...claim.metadata.annotations, [ANNOTATION_NETWORK_PROVIDER]: text };
  const isOurs = ({ metadata, spec }: SpiderIp): boolean =>
    metadata.annotations?.[ANNOTATION_NETWORK_PROVIDER] === text && spec.podUID === podUID;
  const next = { ...claim, metadata: { ...claim.metadata, annotations } };
  const written = await parts.settler.replace(SPIDER_IPS, next, { signal, isOurs });
  if (written.kind === "lost") throw new StoreFailure(lost(name));
  parts.claims.note(written.object);
  // What undoes this call deletes the claim as it now is.
  for (const own of [created, found, former]) if (own.has(name)) own.set(name, written.object);
  return { mark, isOld };
}

function lost(name: string): { readonly code: "conflict"; readonly message: string } {
  return { code: "conflict", message: `SpiderIP "${name}" was changed while it was given` };
}

async function ask(
  { ports: { provider, clock, log }, settings: { nodeName } }: AgentParts,
  { adding, mark, address: { address } }: {
    readonly adding: Adding;
    readonly mark: ProviderMark;
    readonly address: EndpointAddress;
  },
): Promise<Result<ProviderAllocation, Refusal>> {
  const { args: { podName, podNamespace }, podUID, begunMs, signal, provided } = adding;
  const ipAddress = formatAddress(address);
  const known = provided.get(ipAddress);
  if (known !== undefined) return ok(known);
  const { subnet, parentNicMac } = mark;
  const said = await provider?.allocate({
    ...{ podName, podNamespace, podUID, nodeName },
    iaasIPsAllocationRequest: [{ ipAddress, subnet, parentNicMac }],
  }, { leftMs: begunMs + ADD_MS_MAX - clock.monotonicMs(), signal });
  if (said === undefined) return err({ code: "provider", message: "There is no network provider" });
  if (!said.ok) return err({ code: "provider", message: said.error });
  const { vlanId: vlan, macAddress: mac } = said.value;
  log.info("network provider asked", { address: ipAddress, vlan, mac, parentNicMac, podUID });
  provided.set(ipAddress, said.value);
  return said;
}
