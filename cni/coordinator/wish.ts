/** What an ADD is asked for: configuration before annotation and agent, each value checked. */
import type { CoordinatorConfig } from "../../src/api/agent.ts";
import type { CoordinatorPluginConfig } from "../../src/api/cni_config.ts";
import {
  COORDINATOR_MODES_ON_WIRE,
  type CoordinatorMode,
  HOST_RULE_TABLE_DEFAULT,
  parseCoordinatorMode,
  VETH_MTU_DEFAULT,
} from "../../src/api/coordinator_mode.ts";
import { choices, type Problem, problemSentence } from "../../src/api/problem.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { CniAttachment } from "../../src/cni/environment.ts";
import type { CoordinatorWish, PolicyRoute } from "../../src/datapath/facts.ts";
import { formatAddress, parseAddress } from "../../src/ip/address.ts";
import { formatCidr, parseAnyDestination } from "../../src/ip/cidr.ts";
import { describeRefusal, type IpRefusal } from "../../src/ip/refusal.ts";

/** Where a value comes from, as a sentence names it. */
type Source = "the CNI configuration" | "the SpiderCoordinator";

interface Sourced<T> {
  readonly value: T;
  readonly source: Source;
}

/** Tables of the kernel's own: default, main and local. */
const TABLES_RESERVED: ReadonlySet<number> = new Set([253, 254, 255]);
const TABLE_MAX = 0xffff_ffff;
const QUEUE_LENGTH_MAX = 0xffff_ffff;
/** What the kernel gives a veth. */
const VETH_MTU = { min: 68, max: 65_535 };
const NIC_NAME_BYTES_MAX = 15;
const MODES = choices(COORDINATOR_MODES_ON_WIRE);

/** What a wish is made of. */
export interface WishParts {
  readonly attachment: CniAttachment;
  readonly config: CoordinatorPluginConfig;
  readonly answer: CoordinatorConfig;
  /** Addresses that `prevResult` says the NIC has. */
  readonly addresses: readonly string[];
}

/** Thrown by a check and caught by `wishFrom`, never seen outside this file. */
class Refused extends Error {
  override readonly name = "Refused";
}

/**
 * The mode that counts: what a SpiderCoordinator says counts where the configuration says none.
 *
 * @returns Or why there is none, as one sentence.
 */
export function readMode(
  config: Pick<CoordinatorPluginConfig, "mode">,
  answer: Pick<CoordinatorConfig, "mode">,
): Result<CoordinatorMode, string> {
  const mode = config.mode ?? parseCoordinatorMode(answer.mode);
  if (mode !== undefined) return ok(mode);
  const problem = { path: ["mode"], value: answer.mode, allowed: MODES };
  return err(problemSentence(problem, { root: "the SpiderCoordinator" }));
}

/**
 * Puts together what an ADD is asked for.
 *
 * @param options.mode What `readMode` gave; `disabled` asks for nothing.
 * @returns Or which value cannot be used, as one sentence.
 */
export function wishFrom(
  parts: WishParts,
  { mode }: { readonly mode: CoordinatorWish["mode"] },
): Result<CoordinatorWish, string> {
  try {
    return ok(wishOf(parts, mode));
  } catch (error) {
    if (error instanceof Refused) return err(error.message);
    throw error;
  }
}

function wishOf(
  { attachment: { containerId, ifName }, config, answer, addresses }: WishParts,
  mode: CoordinatorWish["mode"],
): CoordinatorWish {
  const defaultRouteNic = nicName(
    "podDefaultRouteNic",
    chosen(config.podDefaultRouteNic, answer.podDefaultRouteNIC),
  );
  const podRpFilter = rpFilter(chosen(config.podRPFilter, answer.podRPFilter));
  const txQueueLength = queueLength(chosen(config.txQueueLen, answer.txQueueLen));
  const podMacPrefix = macPrefix(chosen(config.podMACPrefix, answer.podMACPrefix));
  const vethLinkAddress = linkAddress(chosen(config.vethLinkAddress, answer.vethLinkAddress));
  return {
    containerId,
    ifName,
    firstNic: firstNic(config.podDefaultCniNic),
    mode,
    hijackCidrs: [
      ...networks("overlayPodCIDR", list(config.overlayPodCIDR, answer.overlayPodCIDR)),
      ...networks("serviceCIDR", list(config.serviceCIDR, answer.serviceCIDR)),
      ...networks("hijackCIDR", list(config.hijackCIDR, answer.hijackCIDR)),
    ],
    policyRoutes: policyRoutes(list(config.policyRoutes, answer.policyRoutes)),
    tunePodRoutes: config.tunePodRoutes ?? answer.tunePodRoutes,
    ...(defaultRouteNic !== undefined && { defaultRouteNic }),
    ...(answer.podNICs !== undefined && {
      laterNics: answer.podNICs.filter((nic) => nic !== ifName),
    }),
    hostRuleTable: table(chosen(config.hostRuleTable, answer.hostRuleTable)),
    ...(podRpFilter !== undefined && { podRpFilter }),
    ...(txQueueLength !== undefined && { txQueueLength }),
    vethMtu: vethMtu(chosen(config.vethMTU, answer.vethMTU)),
    ...(vethLinkAddress !== undefined && { vethLinkAddress }),
    ...(podMacPrefix !== undefined && { podMacPrefix }),
    addresses,
  };
}

function chosen<T>(given: T | undefined, answered: T): Sourced<T> {
  return given === undefined
    ? { value: answered, source: "the SpiderCoordinator" }
    : { value: given, source: "the CNI configuration" };
}

/** A list that is empty is as good as none. */
function list<T>(given: readonly T[], answered: readonly T[]): Sourced<readonly T[]> {
  return chosen(given.length === 0 ? undefined : given, answered);
}

function refuse(problem: Problem, source: Source): never {
  throw new Refused(problemSentence(problem, { root: source }));
}

/** The value, or a sentence that names its field. */
function parsed<T>(
  result: Result<T, IpRefusal>,
  { field, source }: { readonly field: string; readonly source: Source },
): T {
  if (result.ok) return result.value;
  throw new Refused(describeRefusal(result.error, `${field} of ${source}`));
}

/** A bare address is a network of its own; host bits do not count. */
function networks(
  field: string,
  { value, source }: Sourced<readonly string[]>,
): readonly string[] {
  return value.map((text, index) => {
    const place = { field: `${field}[${index}]`, source };
    return formatCidr(parsed(parseAnyDestination(text.trim()), place).cidr);
  });
}

function policyRoutes(
  { value, source }: Sourced<readonly { readonly dst: string; readonly gw: string }[]>,
): readonly PolicyRoute[] {
  return value.map((route, index) => {
    const dst = { field: `policyRoutes[${index}].dst`, source };
    const gw = { field: `policyRoutes[${index}].gw`, source };
    const { cidr } = parsed(parseAnyDestination(route.dst.trim()), dst);
    const gateway = parsed(parseAddress(route.gw.trim()), gw);
    const version = typeof gateway === "number" ? 4 : 6;
    if (version !== cidr.version) {
      const allowed = `an address of IPv${cidr.version}, the family of dst ${formatCidr(cidr)}`;
      refuse({ path: ["policyRoutes", index, "gw"], value: route.gw, allowed }, source);
    }
    return { destination: formatCidr(cidr), gateway: formatAddress(gateway) };
  });
}

function rpFilter({ value, source }: Sourced<number>): number | undefined {
  if (value < 0) return undefined;
  if (value <= 2) return value;
  const allowed = "0, 1 or 2, or a negative number to leave it alone";
  return refuse({ path: ["podRPFilter"], value, allowed }, source);
}

function queueLength({ value, source }: Sourced<number>): number | undefined {
  if (value <= 0) return undefined;
  if (value <= QUEUE_LENGTH_MAX) return value;
  const allowed = `a number from 1 to ${QUEUE_LENGTH_MAX}, or 0 to leave it alone`;
  return refuse({ path: ["txQueueLen"], value, allowed }, source);
}

function vethMtu({ value, source }: Sourced<number>): number {
  if (value === 0) return VETH_MTU_DEFAULT;
  if (value >= VETH_MTU.min && value <= VETH_MTU.max) return value;
  const allowed = `a number from ${VETH_MTU.min} to ${VETH_MTU.max}`;
  return refuse({ path: ["vethMTU"], value, allowed }, source);
}

/** 0 is as good as none. The tables of the kernel's own would cut the node off. */
function table({ value, source }: Sourced<number>): number {
  if (value === 0) return HOST_RULE_TABLE_DEFAULT;
  if (value > 0 && value <= TABLE_MAX && !TABLES_RESERVED.has(value)) return value;
  const allowed = `a number from 1 to ${TABLE_MAX} other than 253, 254 and 255, which are the ` +
    `kernel's own tables`;
  return refuse({ path: ["hostRuleTable"], value, allowed }, source);
}

function macPrefix({ value, source }: Sourced<string>): string | undefined {
  if (value === "") return undefined;
  const isUnicast = /^[0-9a-fA-F][02468aceACE]:[0-9a-fA-F]{2}$/.test(value);
  if (isUnicast) return value.toLowerCase();
  const allowed = 'two bytes such as "0a:1b", the first of them even';
  return refuse({ path: ["podMACPrefix"], value, allowed }, source);
}

function linkAddress({ value, source }: Sourced<string>): string | undefined {
  if (value === "") return undefined;
  const address = parsed(parseAddress(value), { field: "vethLinkAddress", source });
  if (typeof address === "number") return formatAddress(address);
  const allowed = 'an IPv4 address such as "169.254.100.1"';
  return refuse({ path: ["vethLinkAddress"], value, allowed }, source);
}

function firstNic(value: string): string {
  const field = "podDefaultCniNic";
  return nicName(field, { value, source: "the CNI configuration" }) ?? value;
}

function nicName(field: string, { value, source }: Sourced<string>): string | undefined {
  if (value === "") return undefined;
  const isName = new TextEncoder().encode(value).length <= NIC_NAME_BYTES_MAX &&
    !/[\s/:]/.test(value) && value !== "." && value !== "..";
  if (isName) return value;
  const allowed = `the name of a NIC, at most ${NIC_NAME_BYTES_MAX} bytes without "/", ":" and ` +
    `spaces`;
  return refuse({ path: [field], value, allowed }, source);
}
