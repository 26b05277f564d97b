/** What people are told of Subnets and of pools that are not as they should be. */
import { SPIDERPOOL_API_VERSION } from "../../api/group.ts";
import { SUBNET_CONDITIONS } from "../../api/subnet.ts";
import type { Address } from "../../ip/mod.ts";
import type { Transition } from "../../ipam/conditions.ts";
import { unmetText } from "../../ipam/lending/status.ts";
import type { LendingEnd } from "../../ipam/lending/steps.ts";
import { poolReference } from "../pool_news.ts";
import type { LookWork } from "./work.ts";

const ACTION = "Lend";

/** Records an Event on the Subnet for each condition that changed. */
export function tellSubnet(
  { parts: { recorder }, subnet }: Pick<LookWork, "parts" | "subnet">,
  transitions: readonly Transition[],
): void {
  const { name, uid } = subnet.metadata;
  const regarding = {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind: "SpiderSubnet",
    name,
    ...(uid !== undefined && { uid }),
  };
  for (const { type, holds, reason, message } of transitions) {
    const isGood = holds === (type === SUBNET_CONDITIONS.ready);
    recorder.record({
      type: isGood ? "Normal" : "Warning",
      reason: holds ? type : reason,
      action: ACTION,
      note: message === "" ? `${type} does not hold any more` : message,
      regarding,
    });
  }
}

/** Records an Event on each pool that cannot be what it should be, once for each reason. */
export function tellPools<A extends Address>(
  { plan, inUse }: LendingEnd<A>,
  { parts: { recorder }, memory, pools, subnet }: LookWork,
): void {
  const short = new Map(plan.unmet.map((unmet) => [unmet.pool, unmet]));
  for (const [name, { metadata }] of pools) {
    const unmet = short.get(name);
    const told = unmet !== undefined
      ? {
        reason: "InsufficientAddresses",
        note: `${unmetText(unmet)} in SpiderSubnet "${subnet.metadata.name}": add addresses ` +
          `there, or make other pools smaller`,
      }
      : inUse.has(name)
      ? {
        reason: "AddressesInUse",
        note: "It has more addresses than it should: pods use them, and each is given back when " +
          "its pod ends",
      }
      : undefined;
    if (!memory.isNews(name, told?.note) || told === undefined) continue;
    recorder.record({
      type: told.reason === "AddressesInUse" ? "Normal" : "Warning",
      action: ACTION,
      ...told,
      regarding: poolReference(metadata),
    });
  }
}
