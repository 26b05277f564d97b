import { err, ok } from "../../src/base/result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { CNI_CODES } from "../../src/cni/refusal.ts";
import { begin, type PluginPorts, unhealthyText } from "./commands.ts";

/** Says whether an ADD could be served: whether the agent serves. */
export async function status(call: CniCall, ports: PluginPorts): Promise<CniOutcome> {
  const setting = begin("STATUS", call, { ports });
  if (!setting.ok) return setting;
  const { agent, log } = setting.value;
  const healthy = await agent.healthy({ isLast: true });
  if (healthy.ok) {
    log.debug("agent serves");
    return ok(undefined);
  }
  log.warn("agent does not serve", { problem: healthy.error.text });
  return err({ code: CNI_CODES.unavailable, msg: unhealthyText(healthy.error) });
}
