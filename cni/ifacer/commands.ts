/** What ADD and CHECK have in common: the wish, the lock, the links, and the plan. */
import { readBondOptions } from "../../src/api/bond_options.ts";
import { readIfacerConfig } from "../../src/api/cni_config.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import type { JsonObject } from "../../src/cni/network.ts";
import { lockNode, type LockPorts } from "../../src/cni/node_lock.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";
import {
  type IfacerStep,
  type IfacerWish,
  type NodeLink,
  planIfacer,
} from "../../src/datapath/ifacer_plan.ts";
import { NetlinkError } from "../../src/netlink/netlink_error.ts";

/** The node's links, as the plugin needs them. */
export interface IfacerKernel extends Disposable {
  /** @throws {NetlinkError} */
  links(): readonly NodeLink[];
  /** Does all steps, or takes back those that it did. @returns Why not, as one sentence. */
  apply(steps: readonly IfacerStep[]): Result<undefined, string>;
}

/** What the plugin needs of the world. */
export type PluginPorts = LockPorts & {
  /** Opens the node. @throws {NetlinkError} */
  readonly openNode: () => IfacerKernel;
};

/** Where the lock is: two pods of one VLAN must not both find it missing. */
export const LOCK_PATH = "/var/run/spidernet/ifacer.lock";

/** Reads what is asked for. */
export function readWish(config: JsonObject): Result<IfacerWish, CniRefusal> {
  const read = readIfacerConfig(config);
  if (!read.ok) return err({ code: CNI_CODES.badConfig, msg: read.error });
  const { interfaces, vlanId, bond } = read.value;
  if (bond === undefined) return ok({ interfaces, vlanId });
  const settings = readBondOptions(bond.options, { root: "the CNI configuration" });
  if (!settings.ok) return err({ code: CNI_CODES.badConfig, msg: settings.error });
  const { name, mode } = bond;
  return ok({ interfaces, vlanId, bond: { name, mode, settings: settings.value } });
}

/** Holds the lock while something is done with the node and what is missing on it. */
export async function withPlan<T>(
  { wish, ports }: { readonly wish: IfacerWish; readonly ports: PluginPorts },
  body: (node: IfacerKernel, steps: readonly IfacerStep[]) => Result<T, CniRefusal>,
): Promise<Result<T, CniRefusal>> {
  const lock = await lockNode(LOCK_PATH, { ports, plugin: "ifacer" });
  if (!lock.ok) return err({ code: CNI_CODES.tryAgain, msg: lock.error });
  using _lock = lock.value;
  try {
    using node = ports.openNode();
    const plan = planIfacer(wish, node.links());
    return plan.ok ? body(node, plan.value) : err({ code: CNI_CODES.failed, msg: plan.error });
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return err({ code: CNI_CODES.failed, msg: error.message });
  }
}
