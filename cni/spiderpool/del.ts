import { ok } from "../../src/base/result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { readPod } from "../../src/cni/pod.ts";
import { begin, type PluginPorts, podFields } from "./commands.ts";

/**
 * Milliseconds that a DEL waits to hear whether the agent serves. Less than an ADD: a runtime ends
 * one NIC of a pod after the other, within two minutes.
 */
export const DEL_HEALTH_TIMEOUT_MS = 10_000;

/** What the NIC was to stand on, if the configuration has a master. */
function placeOf({ network: { name, config: { master } } }: CniCall): {
  readonly network?: string;
  readonly master?: string;
} {
  return typeof master === "string" && master !== "" ? { network: name, master } : {};
}

/** Words that people look for. */
const FAILED = "spiderpool IP release error";

/**
 * Has the addresses of the container's NIC released. What cannot be released now is reclaimed
 * later, with proof that the pod is dead; so nothing but an unreadable configuration fails a DEL.
 */
export async function del(call: CniCall, ports: PluginPorts): Promise<CniOutcome> {
  const setting = begin("DEL", call, { ports });
  if (!setting.ok) return setting;
  const { agent } = setting.value;
  const { containerId, netns, ifName, args } = call.attachment;
  const read = readPod(args, { tolerant: true });
  if (!read.ok) {
    // The ADD was refused for the same reason, so there is nothing to release.
    setting.value.log.warn("nothing released", { problem: read.error.msg });
    return ok(undefined);
  }
  const { pod } = read.value;
  const log = setting.value.log.with(podFields(pod));
  const healthy = await agent.healthy({ timeoutMs: DEL_HEALTH_TIMEOUT_MS });
  if (!healthy.ok) {
    log.warn("agent does not serve: the addresses are reclaimed later", {
      problem: healthy.error.text,
    });
    return ok(undefined);
  }
  const released = await agent.release({
    containerID: containerId,
    ifName,
    netNamespace: netns,
    ...pod,
    ...placeOf(call),
  });
  if (released.ok) log.info("addresses released");
  else {
    const { status, text } = released.error;
    log.error(`${FAILED}: the addresses are reclaimed later`, { problem: text, status });
  }
  return ok(undefined);
}
