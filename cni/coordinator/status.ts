import { err, ok } from "../../src/base/result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { CNI_CODES } from "../../src/cni/refusal.ts";
import { agentRefusal } from "./agent.ts";
import { begin, type CommandPorts } from "./commands.ts";

/** Says whether an ADD could be served: whether the agent is there to be asked. */
export async function status(call: CniCall, ports: CommandPorts): Promise<CniOutcome> {
  const setting = begin("STATUS", call, { ports });
  if (!setting.ok) return setting;
  const healthy = await setting.value.agent.healthy();
  if (healthy.ok) return ok(undefined);
  const { msg } = agentRefusal(healthy.error);
  setting.value.log.warn("agent does not serve", { problem: msg });
  return err({ code: CNI_CODES.unavailable, msg });
}
