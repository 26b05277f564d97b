import { err, ok, type Result } from "../../src/base/result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import { ifacerText } from "../../src/datapath/ifacer_plan.ts";
import { type PluginPorts, readWish, withPlan } from "./commands.ts";

/**
 * Says whether what an ADD makes is there.
 *
 * @source CNI specification 1.1.0, "CHECK: Check container's networking is as expected"
 */
export async function check(call: CniCall, ports: PluginPorts): Promise<CniOutcome> {
  const wish = readWish(call.network.config);
  if (!wish.ok) return wish;
  return await withPlan(
    { wish: wish.value, ports },
    (_node, steps): Result<undefined, CniRefusal> => {
      const missing = steps.map(({ operation }) => ifacerText(operation));
      if (missing.length === 0) return ok(undefined);
      const msg =
        `The node lacks what this network stands on: ${missing.join("; ")}; the next pod ` +
        `that is added makes it`;
      return err({ code: CNI_CODES.failed, msg });
    },
  );
}
