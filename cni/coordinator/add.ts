import { errorText, type Log } from "../../src/base/log.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import { completedResult } from "../../src/cni/completed_result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import { planAdd } from "../../src/datapath/coordinator_plan.ts";
import type { CoordinatorWish } from "../../src/datapath/facts.ts";
import type { Step } from "../../src/datapath/operation.ts";
import type { PlanOutcome } from "../../src/datapath/plan.ts";
import { NetlinkError } from "../../src/netlink/netlink_error.ts";
import { codeOf, kernelRefusal } from "./codes.ts";
import { begin, type PluginPorts } from "./commands.ts";
import type { KernelView } from "./kernel.ts";
import { randomMacs } from "./macs.ts";
import { operationText } from "../../src/datapath/operation_text.ts";
import type { KeptRecord, Records } from "./records.ts";
import { readRequest } from "./request.ts";

/** Times that facts are read and planned on: a NIC that comes up brings routes. */
const PASSES_MAX = 4;

/** One ADD under way. */
interface Adding {
  readonly call: CniCall;
  readonly wish: CoordinatorWish;
  readonly view: KernelView;
  readonly records: Records;
  readonly ports: PluginPorts;
  readonly log: Log;
  /** What an earlier ADD of this NIC left; it stands again where this one fails. */
  readonly before: KeptRecord | undefined;
  /** What this ADD did so far. */
  readonly done: Step[];
}

/**
 * Connects a pod's NIC with its node, and has the pod's NICs share its routes. All is done, or
 * nothing; what a DEL needs is kept on the node before anything is done.
 */
export async function add(call: CniCall, ports: PluginPorts): Promise<CniOutcome> {
  const setting = begin("ADD", call, { ports });
  if (!setting.ok) return setting;
  const { records, log } = setting.value;
  const request = await readRequest(call, setting.value);
  if (!request.ok) {
    log.error("request refused", { problem: request.error.msg });
    return request;
  }
  const { previous, wish } = request.value;
  if (wish === undefined) {
    log.info("nothing done: the mode is disabled");
    return ok({ whole: previous });
  }
  const lock = await records.lock();
  if (!lock.ok) return refuse(CNI_CODES.tryAgain, lock.error, { log });
  using _lock = lock.value;
  const outcome = connect(call, { wish, records, ports, log });
  return outcome.ok ? complete(call, { wish, outcome: outcome.value }) : outcome;
}

function connect(
  call: CniCall,
  parts: Pick<Adding, "wish" | "records" | "ports" | "log">,
): Result<PlanOutcome, CniRefusal> {
  const { records, ports, log } = parts;
  try {
    using view = ports.kernel.open(call.attachment.netns);
    const kept = records.read(call.attachment);
    if (!kept.ok) log.warn("record of an earlier ADD not used", { problem: kept.error });
    const before = kept.ok ? kept.value : undefined;
    return perform({ ...parts, call, view, before, done: [] });
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    const { code, msg } = kernelRefusal(error);
    return refuse(code, msg, { log });
  }
}

/** Plans and does, again as long as a plan says that not all could be known. */
function perform(adding: Adding): Result<PlanOutcome, CniRefusal> {
  const { call: { network, attachment }, wish, view, ports, records, log, before, done } = adding;
  const macs = randomMacs(ports.random);
  let record = before?.record;
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const plan = planAdd(wish, factsOf(adding), { macs, record });
    if (!plan.ok) {
      return undo(adding, { problem: plan.error.message, code: codeOf(plan.error) });
    }
    const { steps, isPartial, outcome } = plan.value;
    record = plan.value.record;
    const { netns } = attachment;
    const kept = records.write(attachment, { network: network.name, netns, record });
    if (!kept.ok) return undo(adding, { problem: kept.error });
    const applied = view.apply(steps);
    if (!applied.ok) return undo(adding, { problem: applied.error.message });
    done.push(...steps);
    if (isPartial) continue;
    const untold = outcome.notice === undefined ? [] : view.carryOut([outcome.notice]);
    for (const problem of untold) log.warn("neighbours not told", { problem });
    for (const remark of outcome.remarks) log.warn("left out", { remark });
    log.info("pod connected", {
      ...{ mode: outcome.mode, isFirst: outcome.isFirst, addresses: outcome.addresses },
      steps: done.map(({ operation }) => operationText(operation)),
    });
    return ok(outcome);
  }
  const problem = `Cannot settle NIC "${attachment.ifName}": its routes change again and again; ` +
    `see what else configures this pod`;
  return undo(adding, { problem });
}

/** A kernel that cannot be asked is as a plan that cannot be made: what was done is undone. */
function factsOf(adding: Adding) {
  try {
    return adding.view.factsForAdd(adding.wish);
  } catch (error) {
    if (error instanceof NetlinkError) takeBack(adding);
    throw error;
  }
}

function undo(
  adding: Adding,
  { problem, code = CNI_CODES.failed }: {
    readonly problem: string;
    readonly code?: CniRefusal["code"];
  },
): Result<never, CniRefusal> {
  return refuse(code, [problem, ...takeBack(adding)].join("; "), adding);
}

/** Takes back what was done, and the record with it. @returns What could not be taken back. */
function takeBack({ call, view, records, log, before, done }: Adding): readonly string[] {
  const { attachment } = call;
  const undos = done.toReversed().flatMap((step) => step.undo === undefined ? [] : [step.undo]);
  const left = view.carryOut(undos);
  // A DEL finds in the record what is left; where nothing is, what was before is true again.
  if (left.length > 0) return left;
  try {
    if (before === undefined) records.remove(attachment);
    else records.write(attachment, before);
  } catch (error) {
    log.warn("record not removed", { problem: errorText(error) });
  }
  return [];
}

function complete(
  { network, attachment: { ifName } }: CniCall,
  { wish, outcome: { isFirst, veth, mac } }: {
    readonly wish: CoordinatorWish;
    readonly outcome: PlanOutcome;
  },
): CniOutcome {
  // Multus takes each link of the pod for a NIC of the network, and the last one's to be addresses
  // that name no link: the pod's end of the pair is not listed.
  const made = veth === undefined || !isFirst
    ? []
    : [{ name: veth.nodeName, mac: veth.nodeMac, mtu: wish.vethMtu }];
  const result = completedResult(network.config, {
    version: network.version,
    made,
    ...(mac !== undefined && { changed: { name: ifName, mac } }),
  });
  return result.ok ? ok({ whole: result.value }) : result;
}

function refuse(
  code: CniRefusal["code"],
  msg: string,
  { log }: { readonly log: Log },
): Result<never, CniRefusal> {
  log.error("pod not connected", { problem: msg });
  return err({ code, msg });
}
