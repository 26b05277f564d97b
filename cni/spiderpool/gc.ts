import { err, ok } from "../../src/base/result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { begin, codeOf, type PluginPorts } from "./commands.ts";

/**
 * Has the agent look at once for addresses of this node whose pods are dead.
 *
 * The attachments that the runtime calls valid are not passed on: the agent frees on proof that a
 * pod is dead, and a list that leaves one out is no proof. An agent that is away is an error: the
 * specification wants errors reported, and runtimes go on after one. Nothing is lost by it, since
 * the agent looks by itself as well.
 *
 * @source CNI specification 1.1.0, "GC: Clean up any stale resources"
 */
export async function gc(call: CniCall, ports: PluginPorts): Promise<CniOutcome> {
  const setting = begin("GC", call, { ports });
  if (!setting.ok) return setting;
  const { agent, log } = setting.value;
  const settled = await agent.settle();
  if (settled.ok) {
    log.info("addresses of dead pods looked for");
    return ok(undefined);
  }
  log.warn("addresses of dead pods not looked for", { problem: settled.error.text });
  const msg = `Cannot look for addresses of dead pods: ${settled.error.text}`;
  return err({ code: codeOf(settled.error), msg });
}
