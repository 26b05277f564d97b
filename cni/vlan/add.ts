import { isHardwareAddress } from "../../src/api/agent.ts";
import type { VlanConfig } from "../../src/api/cni_config.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import {
  type DelegatedResult,
  nicResult,
  readDelegatedResult,
} from "../../src/cni/delegated_result.ts";
import { isJsonObject, type JsonObject } from "../../src/cni/network.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { readPod } from "../../src/cni/pod.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import {
  canonicalAddress,
  disableIpv6Path,
  planAddresses,
} from "../../src/datapath/vlan_addresses.ts";
import { type NicWish, planNic, refusedVlanText } from "../../src/datapath/vlan_plan.ts";
import { NetlinkError } from "../../src/netlink/netlink_error.ts";
import { Agent } from "./agent.ts";
import { type AddPorts, begin, type Setting, type VlanKernel } from "./commands.ts";
import { release, removeNic } from "./del.ts";

/** Milliseconds that the kernel may look for IPv6 addresses on the wire: it takes one or two s. */
const SETTLE_MS_MAX = 10_000;
const SETTLE_GAP_MS = 20;
/** The wait has its own end. */
const NEVER = new AbortController().signal;

type AutoConfig = Extract<VlanConfig, { readonly mode: "auto" }>;

/** One ADD under way. */
interface Adding {
  readonly call: CniCall;
  readonly setting: Setting;
  readonly ports: AddPorts;
  /** What has to be taken back if it fails. */
  readonly done: { mayHaveNic: boolean; mayHaveAddresses: boolean };
}

/** Where a NIC belongs, as configuration or agent say. */
interface Tag {
  readonly vlanId: number;
  /** Absent: as the master's. */
  readonly mac?: string | undefined;
  /** Those that it belongs to, if they say it. */
  readonly addresses?: string;
  /** The master's, where the IPAM plugin is told: it is what a network provider goes by. */
  readonly parentMac?: string | undefined;
}

/**
 * Makes a VLAN of the master in the pod, and gives it the addresses of the IPAM plugin. All is
 * done, or nothing: a NIC that is not whole is removed, and its addresses are released.
 */
export async function add(call: CniCall, ports: AddPorts): Promise<CniOutcome> {
  const setting = begin(call, { ports });
  if (!setting.ok) return setting;
  const done = { mayHaveNic: false, mayHaveAddresses: false };
  const adding: Adding = { call, setting: setting.value, ports, done };
  const attached = await attach(adding);
  if (attached.ok) return ok({ whole: attached.value });
  const left = await takeBack(adding);
  return err({ ...attached.error, msg: [attached.error.msg, ...left].join("; ") });
}

/** @returns What could not be taken back. */
async function takeBack({ call, ports, done }: Adding): Promise<readonly string[]> {
  const steps = [
    done.mayHaveNic ? removeNic(call, ports) : ok(undefined),
    done.mayHaveAddresses ? await release(call, ports) : ok(undefined),
  ];
  return steps.flatMap((step) => step.ok ? [] : [step.error.msg]);
}

async function attach(adding: Adding): Promise<Result<JsonObject, CniRefusal>> {
  const { setting: { config }, call, ports } = adding;
  try {
    using pod = ports.openPod(call.attachment.netns);
    const tag = config.mode === "manual"
      ? ok<Tag>(config)
      : await learnTag(adding, { config, pod });
    if (!tag.ok) return tag;
    const made = makeNic(adding, { tag: tag.value, pod });
    if (!made.ok) return made;
    const given = await askIpam(adding, { parentMac: tag.value.parentMac });
    if (!given.ok) return given;
    if (config.mode === "auto") {
      const stays = await keepsTag(adding, { tag: tag.value, given: given.value, config });
      if (!stays.ok) return stays;
    }
    ports.endConnecting();
    return await complete(adding, { given: given.value, pod });
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return refuse(error.message);
  }
}

/**
 * Has the addresses given, for the agent knows the VLAN by them. They are asked for again when the
 * NIC is there: the answer is the same, and then they can be looked for on the VLAN.
 */
async function learnTag(
  adding: Adding,
  { config, pod }: { readonly config: AutoConfig; readonly pod: VlanKernel },
): Promise<Result<Tag, CniRefusal>> {
  const parentMac = pod.facts(config.master).master?.mac;
  const given = await askIpam(adding, { parentMac, more: { probe_later: true } });
  if (!given.ok) return given;
  const tag = await askTag(adding, { given: given.value, config });
  return tag.ok ? ok({ ...tag.value, parentMac }) : tag;
}

/** Another address, in the place of one that somebody has, may belong elsewhere. */
async function keepsTag(
  adding: Adding,
  { tag, given, config }: {
    readonly tag: Tag;
    readonly given: DelegatedResult | undefined;
    readonly config: AutoConfig;
  },
): Promise<Result<undefined, CniRefusal>> {
  if (tag.addresses === addressesText(given)) return ok(undefined);
  const now = await askTag(adding, { given, config });
  if (!now.ok) return now;
  if (now.value.vlanId === tag.vlanId && now.value.mac === tag.mac) return ok(undefined);
  const { ifName } = adding.call.attachment;
  const msg = `Cannot make NIC "${ifName}": while it was made, its addresses became ` +
    `${addressesText(given)}, which belong to VLAN ${now.value.vlanId} and not to ${tag.vlanId}`;
  return err({ code: CNI_CODES.tryAgain, msg });
}

async function askTag(
  { call: { attachment }, ports }: Adding,
  { given, config }: {
    readonly given: DelegatedResult | undefined;
    readonly config: AutoConfig;
  },
): Promise<Result<Tag, CniRefusal>> {
  const pod = readPod(attachment.args);
  if (!pod.ok) return pod;
  const agent = new Agent(ports, config.socketPath);
  const nic = await agent.nic({ pod: pod.value.pod, attachment });
  if (!nic.ok) return nic;
  const { vlan: vlanId, mac = "" } = nic.value;
  const cannot = `Cannot make NIC "${attachment.ifName}"`;
  const addresses = addressesText(given);
  if (vlanId === 0) {
    return refuse(
      `${cannot}: the spiderpool-agent knows no VLAN of ${addresses}, see that the network ` +
        `provider says one, or write vlanId into the CNI configuration`,
    );
  }
  if (mac === "") return ok({ vlanId, addresses });
  if (isHardwareAddress(mac)) return ok({ vlanId, addresses, mac: mac.toLowerCase() });
  return refuse(
    `${cannot}: the spiderpool-agent gave it the hardware address "${mac}", which is none; see ` +
      `the network provider`,
  );
}

/** @param options.more What else the IPAM plugin is told. */
async function askIpam(
  { call: { network: { config } }, setting: { ipam }, done }: Adding,
  { parentMac, more = {} }: {
    readonly parentMac: string | undefined;
    readonly more?: JsonObject;
  },
): Promise<Result<DelegatedResult | undefined, CniRefusal>> {
  if (ipam === undefined) return ok(undefined);
  const own = isJsonObject(config.ipam) ? config.ipam : {};
  const told = { ...own, ...(parentMac !== undefined && { parent_nic_mac: parentMac }), ...more };
  const answer = await ipam.ask("ADD", { ...config, ipam: told });
  // Who says no gave nothing; what anybody else did, nobody knows.
  done.mayHaveAddresses ||= answer.ok || !answer.error.isAnswer;
  return answer.ok ? readDelegatedResult(answer.value, ipam) : err(answer.error.refusal);
}

/** Makes the NIC, down and without addresses. */
function makeNic(
  { call: { attachment: { ifName } }, setting: { config: { master, mtu } }, done }: Adding,
  { tag: { vlanId, mac }, pod }: { readonly tag: Tag; readonly pod: VlanKernel },
): Result<undefined, CniRefusal> {
  const wish: NicWish = { ifName, master, vlanId, mtu, mac };
  const plan = planNic(wish, pod.facts(master));
  if (!plan.ok) return refuse(plan.error);
  done.mayHaveNic = true;
  const applied = pod.apply(plan.value);
  if (applied.ok) return applied;
  const { operation, refusal, message } = applied.error;
  if (operation.kind !== "vlan_add") return refuse(message);
  const why = refusedVlanText(wish, refusal, { links: pod.nodeLinks() });
  if (refusal.name !== "EEXIST") return refuse(why ?? message);
  // The pod that has the VLAN may be on its way out.
  return err({ code: CNI_CODES.tryAgain, msg: why ?? message });
}

/** Sets addresses and routes, sets the NIC up, and says how it became. */
async function complete(
  { call: { attachment: { ifName, netns: sandbox }, network: { version } }, ports }: Adding,
  { given, pod }: { readonly given: DelegatedResult | undefined; readonly pod: VlanKernel },
): Promise<Result<JsonObject, CniRefusal>> {
  const disableIpv6 = pod.setting(disableIpv6Path(ifName));
  const plan = planAddresses(ifName, given ?? { ips: [], routes: [] }, { disableIpv6 });
  if (!plan.ok) return refuse(plan.error);
  const applied = pod.apply(plan.value);
  if (!applied.ok) return refuse(applied.error.message);
  const unsettled = await settle(pod, { ifName, given, clock: ports.clock });
  if (unsettled !== undefined) return refuse(unsettled);
  const nic = pod.podLinks().find(({ name }) => name === ifName);
  if (nic === undefined) return refuse(`Cannot keep NIC "${ifName}": somebody removed it`);
  const link = { name: ifName, mac: nic.mac ?? "", sandbox, mtu: nic.mtu };
  return ok(nicResult(link, { given, version }));
}

/** Waits until the kernel knows that nobody else has the IPv6 addresses. @returns Why not. */
async function settle(
  pod: VlanKernel,
  { ifName, given, clock }: {
    readonly ifName: string;
    readonly given: DelegatedResult | undefined;
    readonly clock: AddPorts["clock"];
  },
): Promise<string | undefined> {
  const wanted = (given?.ips ?? []).map(({ address }) => canonicalAddress(address));
  if (!wanted.some((address) => address.includes(":"))) return undefined;
  const endMs = clock.monotonicMs() + SETTLE_MS_MAX;
  for (;;) {
    const own = pod.addresses(ifName).filter(({ address }) => wanted.includes(address));
    const taken = own.find(({ state }) => state === "taken");
    if (taken !== undefined) {
      return `Cannot use ${taken.address} for NIC "${ifName}": another host on its VLAN has ` +
        `it, find that host or take the address out of the pool`;
    }
    const open = own.find(({ state }) => state === "tentative");
    if (open === undefined) return undefined;
    if (clock.monotonicMs() >= endMs) {
      return `Cannot use ${open.address} for NIC "${ifName}": the kernel has looked for it ` +
        `for ${SETTLE_MS_MAX} ms, see that the master has a carrier`;
    }
    await clock.sleep(SETTLE_GAP_MS, { signal: NEVER });
  }
}

function addressesText(given: DelegatedResult | undefined): string {
  return (given?.ips ?? []).map(({ address }) => address).join(", ");
}

function refuse(msg: string): Result<never, CniRefusal> {
  return err({ code: CNI_CODES.failed, msg });
}
