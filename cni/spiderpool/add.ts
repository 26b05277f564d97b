import { AGENT_GONE_MS, type IpamAddResponse } from "../../src/api/agent.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { CniCall } from "../../src/cni/plugin.ts";
import { readPod } from "../../src/cni/pod.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import type { IpamResult } from "../../src/cni/result.ts";
import { type AddPorts, begin, codeOf, podFields, unhealthyText } from "./commands.ts";

/** Words that people look for. */
const FAILED = "spiderpool IP allocation error";

/**
 * Gives the container's NIC its addresses: asks the agent whether it serves, and then for the
 * addresses. One that is gone is waited for a while: agents are replaced under pods that start.
 */
export async function add(
  call: CniCall,
  ports: AddPorts,
): Promise<Result<IpamResult, CniRefusal>> {
  const setting = begin("ADD", call, { ports });
  if (!setting.ok) return setting;
  const { agent, config } = setting.value;
  const { containerId, netns, ifName, args } = call.attachment;
  const read = readPod(args);
  if (!read.ok) {
    setting.value.log.error("request refused", { problem: read.error.msg });
    return read;
  }
  const { pod, fixed = config.fixed } = read.value;
  const log = setting.value.log.with(podFields(pod));
  const wish = {
    containerID: containerId,
    ifName,
    netNamespace: netns,
    ...pod,
    defaultIPv4IPPool: config.defaultIpv4Pools,
    defaultIPv6IPPool: config.defaultIpv6Pools,
    cleanGateway: config.cleanGateway,
    matchMasterSubnet: config.matchMasterSubnet,
    ...(fixed !== undefined && { fixed }),
    ...(config.parentNicMac !== undefined && { parentNicMac: config.parentNicMac }),
  };
  log.debug("addresses asked for", { wish });
  const healthy = await agent.healthy({ goneMs: AGENT_GONE_MS });
  if (!healthy.ok) {
    log.error("agent does not serve", { problem: healthy.error.text });
    return err({ code: codeOf(healthy.error), msg: unhealthyText(healthy.error) });
  }
  const answer = await agent.add(wish);
  const { timing } = config;
  const nowMs = (): number => ports.clock.monotonicMs();
  const probed = async (first: IpamAddResponse) =>
    await (await ports.loadProbing())(first, { agent, wish, timing, log, nowMs });
  if (!answer.ok) {
    const { status, text } = answer.error;
    log.error("addresses not given", { problem: text, status });
    return err({ code: codeOf(answer.error), msg: `${FAILED}: ${text}` });
  }
  const first = resultOf(answer.value, ifName);
  const proven = first.ok && !config.probeLater && isToBeProbed(answer.value, ifName)
    ? await probed(answer.value)
    : answer;
  ports.endConnecting();
  const result = proven.ok ? resultOf(proven.value, ifName) : proven;
  if (result.ok) {
    log.info("addresses given", { ips: result.value.ips, routes: result.value.routes });
  } else log.error("addresses not usable", { problem: result.error.msg, answer: answer.value });
  return result;
}

/** Whether the agent wants addresses looked at on the wire before they are used. */
function isToBeProbed({ ips }: IpamAddResponse, ifName: string): boolean {
  return ips.some(({ nic, enableIPConflictDetection, enableGatewayDetection }) =>
    nic === ifName && (enableIPConflictDetection || enableGatewayDetection)
  );
}

/**
 * The result of one NIC: the answer may hold addresses of all NICs of the pod.
 *
 * Addresses are checked as far as their form goes: parsing them to their values costs a plugin more
 * than all its other work, and the plugin that asked does it again.
 */
function resultOf(
  { ips, routes, dns }: IpamAddResponse,
  ifName: string,
): Result<IpamResult, CniRefusal> {
  const own = ips.filter(({ nic }) => nic === ifName);
  if (own.length === 0) {
    const others = ips.map(({ nic, address }) => `${address} of "${nic}"`).join(", ") || "none";
    return refuse(
      `no address of NIC "${ifName}" is among what the agent gave (${others}); name this NIC in ` +
        `the pod's annotation, or attach the pod to one network less`,
    );
  }
  for (const { version, address, gateway } of own) {
    const hasForm = version === 4 ? /^[\d.]+\/\d+$/ : /^[\da-fA-F:]+\/\d+$/;
    if (!hasForm.test(address)) {
      return refuse(
        `the agent gave "${address}", which is no IPv${version} address with prefix ` +
          `length; see that agent and plugin fit`,
      );
    }
    if (gateway !== "" && !isAddress(gateway)) {
      return refuse(`the agent gave the gateway "${gateway}", which is no address; see the pool`);
    }
  }
  const ownRoutes = routes.filter((route) => route.ifName === ifName);
  for (const { dst, gw } of ownRoutes) {
    if (!/^[\da-fA-F.:]+\/\d+$/.test(dst) || !isAddress(gw)) {
      return refuse(
        `the agent gave the route "${dst}" via "${gw}", which is none; see the routes ` +
          `of pool and pod`,
      );
    }
  }
  return ok({
    ips: own.map(({ version, address, gateway }) =>
      gateway === "" ? { version, address } : { version, address, gateway }
    ),
    routes: ownRoutes.map(({ dst, gw }) => ({ dst, gw })),
    dns,
  });
}

function isAddress(text: string): boolean {
  return /^[\da-fA-F.:]+$/.test(text);
}

function refuse(problem: string): Result<never, CniRefusal> {
  return err({ code: CNI_CODES.failed, msg: `${FAILED}: ${problem}` });
}
