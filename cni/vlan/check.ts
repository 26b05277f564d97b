import { err, ok } from "../../src/base/result.ts";
import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { previousAddresses } from "../../src/cni/previous_result.ts";
import { CNI_CODES } from "../../src/cni/refusal.ts";
import { nicDifferences } from "../../src/datapath/vlan_plan.ts";
import { NetlinkError } from "../../src/netlink/netlink_error.ts";
import { begin, type KernelPorts } from "./commands.ts";

/**
 * Says whether the NIC is as its ADD left it, after the IPAM plugin has said so of its addresses.
 * Routes and the hardware address are not compared: later plugins of a chain may change them.
 *
 * @source CNI specification 1.1.0, "CHECK: Check container's networking is as expected"
 */
export async function check(call: CniCall, ports: KernelPorts): Promise<CniOutcome> {
  const setting = begin(call, { ports });
  if (!setting.ok) return setting;
  const { config, ipam } = setting.value;
  const { attachment: { netns, ifName }, network } = call;
  const previous = previousAddresses(network.config, { ifName });
  if (!previous.ok) return previous;
  const checked = await ipam?.ask("CHECK", network.config);
  if (checked?.ok === false) return err(checked.error.refusal);
  try {
    using pod = ports.openPod(netns);
    const { master } = config;
    const vlanId = config.mode === "manual" ? config.vlanId : undefined;
    const differences = nicDifferences({ ifName, master, vlanId, addresses: previous.value }, {
      ...pod.facts(master),
      addresses: pod.addresses(ifName).map(({ address }) => address),
    });
    if (differences.length === 0) return ok(undefined);
    const msg = `NIC "${ifName}" is not as it was made: ${differences.join("; ")}; make the ` +
      `pod anew`;
    return err({ code: CNI_CODES.failed, msg });
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return err({ code: CNI_CODES.failed, msg: error.message });
  }
}
