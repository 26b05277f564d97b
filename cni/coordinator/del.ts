import { errorText } from "../../src/base/log.ts";
import { err, ok } from "../../src/base/result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { previousAddresses } from "../../src/cni/previous_result.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import { planRemove, type RemovalWish } from "../../src/datapath/remove_plan.ts";
import { NetlinkError } from "../../src/netlink/netlink_error.ts";
import { beginAnyway, type PluginPorts, type Setting } from "./commands.ts";
import { operationText } from "../../src/datapath/operation_text.ts";
import { HOST_RULE_TABLE_DEFAULT } from "../../src/api/coordinator_mode.ts";

/**
 * Brings pod and node back to how they were before the ADD, from what the ADD kept on the node:
 * neither agent nor API server is asked. What is gone already is no mistake; only what the kernel
 * refuses fails it, and the record stays for the next try.
 */
export async function del(call: CniCall, ports: PluginPorts): Promise<CniOutcome> {
  const setting = beginAnyway("DEL", call, { ports });
  ports.endConnecting();
  const lock = await setting.records.lock();
  if (!lock.ok) {
    setting.log.error("pod not disconnected", { problem: lock.error });
    return err({ code: CNI_CODES.tryAgain, msg: lock.error });
  }
  using _lock = lock.value;
  const problem = disconnect(call, setting, { ports });
  return problem === undefined ? ok(undefined) : err(problem);
}

/** Undoes the ADD of one NIC; the lock is held. @returns Why not all is undone. */
export function disconnect(
  call: CniCall,
  { config, records, log }: Setting,
  { ports }: { readonly ports: PluginPorts },
): CniRefusal | undefined {
  const { containerId, ifName, netns } = call.attachment;
  const kept = records.read(call.attachment);
  if (!kept.ok) log.warn("record not used", { problem: kept.error });
  const record = kept.ok ? kept.value?.record : undefined;
  const isNone = kept.ok && kept.value === undefined;
  if (isNone && config.mode === "disabled") return undefined;
  const addresses = previousAddresses(call.network.config, { ifName });
  const wish: RemovalWish = {
    containerId,
    ifName,
    firstNic: config.podDefaultCniNic,
    hostRuleTable: config.hostRuleTable || HOST_RULE_TABLE_DEFAULT,
    addresses: addresses.ok ? addresses.value : [],
  };
  try {
    using view = ports.kernel.openWhatIsThere(netns);
    const facts = view.factsForRemoval(wish, record);
    const operations = planRemove(record, facts, { wish });
    const left = view.carryOut(operations);
    if (left.length > 0) return refuse(left.join("; "));
    records.remove(call.attachment);
    log.info("pod disconnected", {
      hasRecord: record !== undefined,
      operations: texts(operations),
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return refuse(errorText(error));
  }
  function refuse(msg: string): CniRefusal {
    log.error("pod not disconnected", { problem: msg });
    return { code: CNI_CODES.failed, msg };
  }
}

function texts(operations: readonly Parameters<typeof operationText>[0][]): readonly string[] {
  return operations.map(operationText);
}
