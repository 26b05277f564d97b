/** Which addresses the node has where a pod's NIC comes from: for `match_master_subnet`. */
import { unreachable } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import { type AnyAddressInCidr, parseAnyAddressInCidr } from "../ip/cidr.ts";
import type { DriverRefusal, NicPlace } from "./ethtool.ts";
import { NetlinkError } from "./netlink_error.ts";
import { type FunctionRefusal, mastersOf, physicalNicsOf, type Sysfs } from "./sysfs.ts";
import type { DriverInfo } from "./wire/ethtool.ts";

/** An address of the node, as `Deno.networkInterfaces` gives it. */
export interface NodeAddress {
  /** The NIC's name; for an IPv4 address with a label that label, `eth0:1`. */
  readonly name: string;
  /** With prefix length: `10.6.0.2/16`. */
  readonly cidr: string;
}

/** What it takes to find a NIC's master. */
export interface MasterPorts {
  /** `driverOf` of `ethtool.ts`. */
  readonly driverOf: (place: NicPlace) => Result<DriverInfo, DriverRefusal>;
  /** Of the node: it shows the NICs of the node's own network namespace. */
  readonly sysfs: Sysfs;
  /** Of the node's own network namespace. */
  readonly nodeAddresses: () => readonly NodeAddress[];
}

/** What a person does where there is no VF. */
const REMEDY = "take match_master_subnet out of its CNI configuration, or use a VF";

/**
 * Makes what answers the addresses of a NIC's master, with their prefix lengths. The NIC is a
 * virtual function (VF) of SR-IOV inside a pod's network namespace; its masters are the NICs of its
 * physical function (PF) on the node and, where those are ports of a bond or a bridge, that as
 * well. Other kinds of NIC are refused.
 *
 * Nothing is loaded before the first question.
 *
 * @returns Refusals are one sentence: which NIC, which namespace, what is missing, what to do. The
 *   answer is empty where the masters have no address.
 * @source behaviour of spiderpool's `match_master_subnet`; unlike there, all NICs of the PF count,
 *   and their masters.
 */
export function masterSubnetsOf(
  ports: MasterPorts,
): (place: NicPlace) => Promise<Result<readonly AnyAddressInCidr[], string>> {
  return (place) => Promise.try(() => readMasterSubnets(place, ports));
}

function readMasterSubnets(
  place: NicPlace,
  { driverOf, sysfs, nodeAddresses }: MasterPorts,
): Result<readonly AnyAddressInCidr[], string> {
  try {
    const driver = driverOf(place);
    if (!driver.ok) return err(sayDriverRefusal(driver.error, place));
    const physical = physicalNicsOf(driver.value.busInfo, sysfs);
    if (!physical.ok) {
      return err(sayFunctionRefusal(physical.error, { place, driver: driver.value }));
    }
    const masters = new Set(physical.value.flatMap((nic) => [nic, ...mastersOf(nic, sysfs)]));
    return ok(addressesOn(masters, nodeAddresses()));
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    return err(`Cannot ask for the master of NIC ${quoted(place.nic)}: ${error.message}`);
  }
}

function addressesOn(
  nics: ReadonlySet<string>,
  addresses: readonly NodeAddress[],
): readonly AnyAddressInCidr[] {
  return addresses.flatMap(({ name, cidr }) => {
    const [nic = ""] = name.split(":"); // No NIC's name has a colon, a label has.
    const parsed = nics.has(nic) ? parseAnyAddressInCidr(cidr) : undefined;
    // What is not read (IPv4-mapped IPv6) is in no pool's subnet either.
    return parsed?.ok === true ? [parsed.value] : [];
  });
}

function sayDriverRefusal({ code, reason }: DriverRefusal, { netns, nic }: NicPlace): string {
  switch (code) {
    case "no_nic":
      return `Network namespace ${quoted(netns)} has no NIC ${quoted(nic)}` +
        `${reason}: the plugin that makes the NIC must put it there before it asks for addresses`;
    case "no_driver":
      return `${nameOf({ netns, nic })} is no SR-IOV VF: it has no driver${reason}; ${REMEDY}`;
    default:
      return unreachable(code);
  }
}

function sayFunctionRefusal(
  refusal: FunctionRefusal,
  { place, driver: { driver, busInfo } }: {
    readonly place: NicPlace;
    readonly driver: DriverInfo;
  },
): string {
  const driven = `driver ${quoted(driver)}`;
  switch (refusal.code) {
    case "not_pci":
      return `${nameOf(place)} is no SR-IOV VF: its ${driven} has no PCI device` +
        `${busInfo === "" ? "" : ` but ${quoted(busInfo)}`}; ${REMEDY}`;
    case "not_virtual":
      return `${nameOf(place)} is no SR-IOV VF: its PCI device ${busInfo} (${driven}) is one of ` +
        `its own; ${REMEDY}`;
    case "not_seen":
      return `The PF of ${nameOf(place)} is not known: /sys does not show the VF's PCI device ` +
        `${busInfo} (${driven}); let the agent see the node's /sys`;
    case "no_nic":
      return `The PF of ${nameOf(place)}, PCI device ${refusal.physical}, has no NIC on the ` +
        `node: give it back to its kernel driver in the node's own network namespace, or take ` +
        `match_master_subnet out of the CNI configuration`;
    default:
      return unreachable(refusal);
  }
}

function nameOf({ netns, nic }: NicPlace): string {
  return `NIC ${quoted(nic)} in network namespace ${quoted(netns)}`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
