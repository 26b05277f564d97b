import { err, ok, type Result } from "../../src/base/result.ts";
import { completedResult } from "../../src/cni/completed_result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import { type PluginPorts, readWish, withPlan } from "./commands.ts";

/**
 * Makes what the next plugin of the chain stands on, if it is not there: all, or nothing. It makes
 * no NIC of the container, so its result is that of the plugin before it, or empty.
 */
export async function add(call: CniCall, ports: PluginPorts): Promise<CniOutcome> {
  const wish = readWish(call.network.config);
  if (!wish.ok) return wish;
  const done = await withPlan(
    { wish: wish.value, ports },
    (node, steps): Result<undefined, CniRefusal> => {
      const applied = node.apply(steps);
      return applied.ok ? applied : err({ code: CNI_CODES.failed, msg: applied.error });
    },
  );
  if (!done.ok) return done;
  const { network: { config, version } } = call;
  if (config.prevResult === undefined || config.prevResult === null) {
    return ok({ whole: { cniVersion: version, dns: {} } });
  }
  const result = completedResult(config, { version });
  return result.ok ? ok({ whole: result.value }) : result;
}
