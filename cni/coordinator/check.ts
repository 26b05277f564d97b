import { err, ok } from "../../src/base/result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import { planAdd } from "../../src/datapath/coordinator_plan.ts";
import type { CoordinatorWish } from "../../src/datapath/facts.ts";
import { NetlinkError } from "../../src/netlink/netlink_error.ts";
import { codeOf, kernelRefusal } from "./codes.ts";
import { begin, type PluginPorts } from "./commands.ts";
import { randomMacs } from "./macs.ts";
import { operationText } from "../../src/datapath/operation_text.ts";
import { readRequest } from "./request.ts";

/** Things that a refusal names; the log has all. */
const NAMED_MAX = 5;

/**
 * Says whether all is as an ADD would leave it now.
 *
 * @source CNI specification 1.1.0, "CHECK: Check container's networking is as expected"
 */
export async function check(call: CniCall, ports: PluginPorts): Promise<CniOutcome> {
  const setting = begin("CHECK", call, { ports });
  if (!setting.ok) return setting;
  const { records, log } = setting.value;
  const request = await readRequest(call, setting.value);
  if (!request.ok) return request;
  const { wish } = request.value;
  if (wish === undefined) return ok(undefined);
  const lock = await records.lock();
  if (!lock.ok) return err({ code: CNI_CODES.tryAgain, msg: lock.error });
  using _lock = lock.value;
  const kept = records.read(call.attachment);
  const record = kept.ok ? kept.value?.record : undefined;
  const problem = difference(wish, { call, ports, record });
  if (problem === undefined) return ok(undefined);
  log.error("pod differs", { problem: problem.msg, details: problem.details });
  return err(problem);
}

function difference(
  wish: CoordinatorWish,
  { call, ports, record }: {
    readonly call: CniCall;
    readonly ports: PluginPorts;
    readonly record: Parameters<typeof planAdd>[2]["record"];
  },
): CniRefusal | undefined {
  try {
    using view = ports.kernel.open(call.attachment.netns);
    const macs = randomMacs(ports.random);
    const plan = planAdd(wish, view.factsForAdd(wish), { macs, record });
    if (!plan.ok) return { code: codeOf(plan.error), msg: plan.error.message };
    const missing = plan.value.steps.map(({ operation }) => operationText(operation));
    if (missing.length === 0) return undefined;
    const named = missing.slice(0, NAMED_MAX).join("; ");
    const more = missing.length > NAMED_MAX ? ` and ${missing.length - NAMED_MAX} more` : "";
    const msg = `NIC "${wish.ifName}" of container "${wish.containerId}" is not as its ADD left ` +
      `it, this is missing: ${named}${more}; delete the pod to have it made anew`;
    return { code: CNI_CODES.failed, msg, details: missing.join("\n") };
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return kernelRefusal(error);
  }
}
