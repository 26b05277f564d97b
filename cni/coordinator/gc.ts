import { err, ok } from "../../src/base/result.ts";
import { isJsonObject, type JsonObject } from "../../src/cni/network.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { CNI_CODES } from "../../src/cni/refusal.ts";
import { beginAnyway, type PluginPorts } from "./commands.ts";
import { disconnect } from "./del.ts";

/**
 * Undoes ADDs of this network whose DEL never came: those that the runtime does not list, and whose
 * network namespace is gone. The list alone is no proof; another runtime may use the same network.
 *
 * @source CNI specification 1.1.0, "GC: Clean up any stale resources"
 */
export async function gc(call: CniCall, ports: PluginPorts): Promise<CniOutcome> {
  const setting = beginAnyway("GC", call, { ports });
  ports.endConnecting();
  const { records, log } = setting;
  const valid = validAttachments(call.network.config);
  const lock = await records.lock();
  if (!lock.ok) return err({ code: CNI_CODES.tryAgain, msg: lock.error });
  using _lock = lock.value;
  const problems: string[] = [];
  for (const key of records.list()) {
    const kept = records.read(key);
    if (!kept.ok || kept.value === undefined) continue;
    const { network, netns } = kept.value;
    if (network !== call.network.name || valid.has(`${key.containerId}@${key.ifName}`)) continue;
    if (ports.kernel.isThere(netns)) continue;
    const attachment = { ...call.attachment, ...key, netns: "" };
    const own = log.with({ ContainerID: key.containerId, IfName: key.ifName });
    const problem = disconnect({ ...call, attachment }, { ...setting, log: own }, { ports });
    if (problem !== undefined) problems.push(problem.msg);
  }
  if (problems.length === 0) return ok(undefined);
  return err({ code: CNI_CODES.failed, msg: problems.join("; ") });
}

function validAttachments(config: JsonObject): ReadonlySet<string> {
  const listed = config["cni.dev/valid-attachments"];
  const attachments: readonly unknown[] = Array.isArray(listed) ? listed : [];
  return new Set(
    attachments.filter(isJsonObject).map(({ containerID, ifname }) => {
      return `${containerID}@${ifname}`;
    }),
  );
}
