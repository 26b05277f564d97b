/** What people are told of Subnets and of pools that are not as they should be. */
import { SPIDERPOOL_API_VERSION } from "../../api/group.ts";
import { applicationText } from "../../ipam/applications.ts";
import { quoted } from "../../ipam/brief.ts";
import type { ApplicationWish } from "../../ipam/lending/wishes.ts";
import type { TopController } from "../../ipam/top_controller.ts";
import type { EventRecorder } from "../../kube/mod.ts";
import type { LendingMemory } from "./memory.ts";
import { SUBNET_CONDITIONS } from "../../api/subnet.ts";
import type { Address } from "../../ip/mod.ts";
import type { Transition } from "../../ipam/conditions.ts";
import { unmetText } from "../../ipam/lending/status.ts";
import type { LendingEnd } from "../../ipam/lending/steps.ts";
import { poolReference } from "../pool_news.ts";
import type { LenderParts, LookWork } from "./work.ts";

const ACTION = "Lend";

/** Records an Event on an application whose pools are not as it wants them. */
export function tellApplication(
  recorder: EventRecorder,
  { controller, reason, note }: {
    readonly controller: TopController;
    /** One word. */
    readonly reason: string;
    readonly note: string;
  },
): void {
  recorder.record({ type: "Warning", reason, action: ACTION, note, regarding: controller });
}

/** Records an Event on each application that wants addresses of a Subnet which gives none. */
export function tellNoSubnet(
  { recorder, memory }: Pick<LenderParts, "recorder"> & { readonly memory: LendingMemory },
  { wishes, why }: {
    readonly wishes: Iterable<ApplicationWish>;
    /** What is wrong and what to do, as the rest of a sentence about the Subnet. */
    readonly why: string;
  },
): void {
  for (const { identity, pool: { name } } of wishes) {
    const { application, nic, version, subnet } = identity;
    const note = `Cannot make an IPv${version} pool for NIC "${nic}" of ` +
      `${applicationText(application)}: SpiderSubnet ${quoted(subnet)} ${why}`;
    if (!memory.isNews(noSubnetKey(name), note)) continue;
    tellApplication(recorder, { controller: application, reason: "NoSubnet", note });
  }
}

/** Notes that applications have a Subnet: if it goes, that is news. */
export function haveSubnet(memory: LendingMemory, wishes: Iterable<ApplicationWish>): void {
  for (const { pool: { name } } of wishes) memory.told.delete(noSubnetKey(name));
}

function noSubnetKey(pool: string): string {
  return `no subnet for ${pool}`;
}

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
  work: LookWork,
): void {
  const { parts: { recorder }, memory, pools, subnet } = work;
  const short = new Map(plan.unmet.map((unmet) => [unmet.pool, unmet]));
  tellShort(short, work);
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

/** Records an Event on each application whose pool, made or not, is lent too little. */
function tellShort<A extends Address>(
  short: ReadonlyMap<string, LendingEnd<A>["plan"]["unmet"][number]>,
  { parts: { recorder }, memory, subnet, wishes: { made, missing } }: LookWork,
): void {
  for (const [name, { identity }] of [...made, ...missing]) {
    const unmet = short.get(name);
    const note = unmet && `${unmetText(unmet)} in SpiderSubnet ${quoted(subnet.metadata.name)}: ` +
        `add addresses there, make other pools smaller, or want fewer`;
    const { application, nic } = identity;
    const key = `${application.uid}/${nic}/${name}`;
    if (!memory.isNews(key, note) || note === undefined) continue;
    tellApplication(recorder, { controller: application, reason: "InsufficientAddresses", note });
  }
}
