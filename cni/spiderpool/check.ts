import type { WorkloadEndpointStatus } from "../../src/api/agent.ts";
import { err, ok } from "../../src/base/result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { type PodIdentity, readPod } from "../../src/cni/pod.ts";
import { previousAddresses } from "../../src/cni/previous_result.ts";
import { CNI_CODES } from "../../src/cni/refusal.ts";
import { formatAddressInCidr, parseAnyAddressInCidr } from "../../src/ip/cidr.ts";
import { begin, codeOf, type PluginPorts, podFields } from "./commands.ts";

/** Words that people look for. */
const FAILED = "spiderpool IP check error";

/**
 * Compares what the last ADD printed with what is recorded for the container's NIC. Routes are not
 * compared: plugins that come later in a chain may change them.
 *
 * @source CNI specification 1.1.0, "CHECK: Check container's networking is as expected"
 */
export async function check(call: CniCall, ports: PluginPorts): Promise<CniOutcome> {
  const setting = begin("CHECK", call, { ports });
  if (!setting.ok) return setting;
  const { containerId, ifName, args } = call.attachment;
  const read = readPod(args);
  if (!read.ok) return read;
  const { pod } = read.value;
  const log = setting.value.log.with(podFields(pod));
  const previous = previousAddresses(call.network.config, { ifName });
  if (!previous.ok) return previous;
  const recorded = await setting.value.agent.endpoint({
    ...pod,
    containerID: containerId,
    ifName,
  });
  if (!recorded.ok) {
    const { status, text } = recorded.error;
    log.error("record not read", { problem: text, status });
    return err({ code: codeOf(recorded.error), msg: `${FAILED}: ${text}` });
  }
  const differences = [
    ...uidDifference(recorded.value, pod),
    ...addressDifferences(previous.value, recordedAddresses(recorded.value, ifName)),
  ];
  if (differences.length === 0) {
    log.debug("addresses are as recorded", { addresses: previous.value });
    return ok(undefined);
  }
  const { podNamespace, podName } = pod;
  const [what, remedy] = podName === ""
    ? [`container "${containerId}"`, "make the container anew"]
    : [`pod "${podNamespace}/${podName}"`, "delete the pod to have it made anew"];
  const msg = `${FAILED}: NIC "${ifName}" of ${what} differs from its SpiderEndpoint: ` +
    `${differences.join("; ")}; ${remedy}`;
  log.error("addresses differ from the record", { problem: msg });
  return err({ code: CNI_CODES.failed, msg });
}

function recordedAddresses(
  { interfaces }: WorkloadEndpointStatus,
  ifName: string,
): readonly string[] {
  const own = interfaces.filter((detail) => detail.interface === ifName);
  return own.flatMap(({ ipv4 = "", ipv6 = "" }) => [ipv4, ipv6]).filter((text) => text !== "");
}

/** A static pod's UID is another one for the kubelet: the hash of its file, without dashes. */
function uidDifference(
  recorded: WorkloadEndpointStatus,
  { podUID }: PodIdentity,
): readonly string[] {
  if (!podUID.includes("-") || recorded.podUID === podUID) return [];
  return [`it is recorded for pod UID "${recorded.podUID}", and this pod has "${podUID}"`];
}

/** Both ways, whatever the spelling of an address. */
function addressDifferences(
  previous: readonly string[],
  recorded: readonly string[],
): readonly string[] {
  const had = new Set(previous.map(canonical));
  const has = new Set(recorded.map(canonical));
  return [
    ...[...had].filter((one) => !has.has(one)).map((one) => `${one} of prevResult is not recorded`),
    ...[...has].filter((one) => !had.has(one)).map((one) => `recorded ${one} is not in prevResult`),
  ];
}

function canonical(text: string): string {
  const parsed = parseAnyAddressInCidr(text);
  return parsed.ok ? formatAddressInCidr(parsed.value) : text;
}
