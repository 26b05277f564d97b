/** Codes of error objects, for what is known only once the kernel was asked. */
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import type { PlanRefusal } from "../../src/datapath/plan.ts";
import type { NetlinkError } from "../../src/netlink/netlink_error.ts";

/** Refusals that another configuration heals; the others are about what is in pod and node. */
const OF_CONFIGURATION: ReadonlySet<PlanRefusal["code"]> = new Set(
  [
    "bad_value",
    "unknown_nic",
    "overlay_on_first_nic",
    "overlay_on_underlay",
    "fixed_mac",
  ] as const,
);

/**
 * The code of a plan that cannot be made.
 *
 * @source CNI specification 1.1.0, "Error": 7 is an invalid network configuration
 */
export function codeOf({ code }: Pick<PlanRefusal, "code">): CniRefusal["code"] {
  return OF_CONFIGURATION.has(code) ? CNI_CODES.badConfig : CNI_CODES.failed;
}

/**
 * What is answered where the kernel cannot be asked. If a namespace is not there, the variable that
 * names it is wrong; code 3 would have the runtime leave out the DEL that other plugins need.
 *
 * @source CNI specification 1.1.0, "Error": 4 names the variables
 */
export function kernelRefusal({ code, message }: NetlinkError): CniRefusal {
  return code === "no_netns"
    ? { code: CNI_CODES.badEnvironment, msg: `${message}; CNI_NETNS names it` }
    : { code: CNI_CODES.failed, msg: message };
}
