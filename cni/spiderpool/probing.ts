/**
 * Addresses are used once nobody on the wire has them and their gateways answer; what conflicts is
 * exchanged inside the same ADD. Loaded only where the agent asks for it.
 */
import {
  AGENT_STATUS,
  type IpamAddResponse,
  type IpConfig,
  type SeenConflict,
} from "../../src/api/agent.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { AgentProblem } from "../../src/cni/agent_line.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import type { ProbeVerdict, ProbeWish } from "../../src/datapath/probe.ts";
import { type Address, formatAddress, parseAddress } from "../../src/ip/address.ts";
import { codeOf } from "./commands.ts";
import type { OpenNic, ProbingOptions } from "./nic.ts";

/** Conflicts of one ADD until it fails: that many hosts with stolen addresses are another fault. */
export const EXCHANGES_MAX = 8;

/** An address of the NIC that the agent wants looked at. */
interface Entry {
  readonly address: Address;
  readonly wish: Omit<ProbeWish, "ownMac">;
}

/** What other hosts had so far, in the order in which it was seen. */
type Conflicts = ReadonlyMap<Address, SeenConflict>;

/**
 * Probes what the agent gave to the NIC, has what conflicts exchanged, and announces the rest.
 *
 * @returns The answer that holds in the end.
 */
export async function prove(
  first: IpamAddResponse,
  options: ProbingOptions,
): Promise<Result<IpamAddResponse, CniRefusal>> {
  const { wish: { ifName: name, netNamespace: netns }, log, openNic, nowMs } = options;
  const opened = openNic({ netns, name, nowMs });
  if (!opened.ok) {
    const { code, message } = opened.error;
    if (code === "failed") return refuse(`cannot probe NIC "${name}": ${message}`);
    log.warn("addresses not probed", { problem: message });
    return ok(first);
  }
  using nic = opened.value;
  const proven = new Set<Address>();
  const refused = new Map<Address, SeenConflict>();
  let answer = first;
  for (let exchanges = 0;; exchanges++) {
    const entries = entriesOf(answer, options).filter(({ address }) => !proven.has(address));
    const found = nic.probe(entries.map(({ wish }) => wish));
    if (!found.ok) return refuse(`cannot probe NIC "${name}": ${found.error.message}`);
    const { conflicts, unreachable } = sorted(entries, found.value, { proven, refused });
    if (conflicts.length === 0) {
      if (unreachable !== undefined) return refuse(gatewayText(unreachable, name));
      announce(nic, answer, options);
      return ok(answer);
    }
    log.warn("addresses conflict", { conflicts });
    if (exchanges === EXCHANGES_MAX) {
      const why = `no more than ${exchanges} are exchanged in one ADD; see who took them`;
      return refuse(conflictText(refused, name, { why }));
    }
    const next = await exchanged(conflicts, { ...options, refused });
    if (!next.ok) return next;
    const again = entriesOf(next.value, options).find(({ address }) => refused.has(address));
    if (again !== undefined) {
      const why = "the agent has no other for it; free one there, or add addresses to the pools";
      return refuse(conflictText(refused, name, { why }));
    }
    answer = next.value;
  }
}

/** What the agent wants looked at; `resultOf` has seen that addresses have their form. */
function entriesOf(
  { ips }: IpamAddResponse,
  { wish: { ifName }, timing }: ProbingOptions,
): readonly Entry[] {
  return ips.flatMap((ip) => {
    const address = addressOf(ip);
    if (ip.nic !== ifName || address === undefined) return [];
    const gateway = ip.enableGatewayDetection ? parseAddress(ip.gateway) : undefined;
    const detectsConflict = ip.enableIPConflictDetection;
    if (!detectsConflict && gateway?.ok !== true) return [];
    const isOfFamily = gateway?.ok === true && typeof gateway.value === typeof address;
    const wish = { address, detectsConflict, timing };
    return [{ address, wish: isOfFamily ? { ...wish, gateway: gateway.value } : wish }];
  });
}

function addressOf({ address }: IpConfig): Address | undefined {
  const parsed = parseAddress(address.replace(/\/\d+$/, ""));
  return parsed.ok ? parsed.value : undefined;
}

/** Notes what is proven and what is not, and gives what has to be done about it. */
function sorted(
  entries: readonly Entry[],
  verdicts: readonly ProbeVerdict[],
  { proven, refused }: {
    readonly proven: Set<Address>;
    readonly refused: Map<Address, SeenConflict>;
  },
): {
  readonly conflicts: readonly SeenConflict[];
  readonly unreachable?: { readonly address: Address; readonly gateway: Address };
} {
  const conflicts: SeenConflict[] = [];
  let unreachable: { readonly address: Address; readonly gateway: Address } | undefined;
  for (const [at, { address }] of entries.entries()) {
    const verdict = verdicts[at];
    if (verdict?.kind === "usable") proven.add(address);
    else if (verdict?.kind === "conflict") {
      const conflict = { ip: formatAddress(address), mac: verdict.mac };
      refused.set(address, conflict);
      conflicts.push(conflict);
    } else if (verdict?.kind === "unreachable") {
      unreachable ??= { address, gateway: verdict.gateway };
    }
  }
  return { conflicts, ...(unreachable !== undefined && { unreachable }) };
}

/** Gives addresses back and asks anew. A failure names all conflicts of the ADD. */
async function exchanged(
  conflicts: readonly SeenConflict[],
  { agent, wish, refused }: ProbingOptions & { readonly refused: Conflicts },
): Promise<Result<IpamAddResponse, CniRefusal>> {
  const { containerID, ifName, netNamespace, podNamespace, podName, podUID } = wish;
  const given = await agent.exchange({
    ...{ containerID, ifName, netNamespace, podNamespace, podName, podUID },
    isReleaseConflictIPs: true,
    conflicts,
  });
  if (!given.ok) {
    return refuse(conflictText(refused, ifName, { why: reasonOf(given.error) }), given.error);
  }
  const next = await agent.add(wish);
  if (next.ok) return next;
  const why = `there is no other for it: ${next.error.text}`;
  return refuse(conflictText(refused, ifName, { why }), next.error);
}

function reasonOf({ status, text }: AgentProblem): string {
  if (status === AGENT_STATUS.statefulReleaseForbidden) {
    return "it is kept for this pod and never exchanged, so free it there";
  }
  if (status === AGENT_STATUS.statelessReleaseForbidden) {
    return "it is not exchanged, as SPIDERPOOL_ENABLED_RELEASE_CONFLICT_IPS of the agent is false";
  }
  return `it could not be exchanged: ${text}`;
}

/** Only what can be heard counts for a switch, so failures are noted and no more. */
function announce(nic: OpenNic, { ips }: IpamAddResponse, { wish, log }: ProbingOptions): void {
  const own = ips.filter((ip) => ip.nic === wish.ifName).map(addressOf);
  const unsaid = nic.announce(own.filter((address) => address !== undefined));
  if (unsaid.length > 0) log.warn("addresses not announced", { problems: unsaid });
  nic.keep();
}

function gatewayText(
  { address, gateway }: { readonly address: Address; readonly gateway: Address },
  nic: string,
): string {
  return `gateway ${formatAddress(gateway)} is unreachable from NIC "${nic}" with address ` +
    `"${
      formatAddress(address)
    }"; see that it answers, and that VLAN and master of the NIC are right`;
}

function conflictText(
  conflicts: Conflicts,
  nic: string,
  { why }: { readonly why: string },
): string {
  const places = [...conflicts.values()].map(({ ip, mac }) =>
    `"${ip}" of NIC "${nic}" is located at ${mac}`
  );
  return `ip conflict: ${places.join(", ")}; ${why}`;
}

function refuse(problem: string, cause?: AgentProblem): Result<never, CniRefusal> {
  const code = cause === undefined ? CNI_CODES.failed : codeOf(cause);
  return err({ code, msg: `spiderpool IP allocation error: ${problem}` });
}
