/** What sysfs tells of devices: folders and links. */
import { err, ok, type Result } from "../base/result.ts";
import { listFolder, readLink } from "./ffi.ts";

/** A sysfs. Paths are relative to its root. */
export interface Sysfs {
  /** Names in a folder, in order; nothing if there is none. */
  readonly list: (path: string) => readonly string[] | undefined;
  /** Where a link leads, as written; nothing if there is none. */
  readonly readLink: (path: string) => string | undefined;
}

/**
 * The sysfs below a folder, `/sys` outside tests. It shows the NICs of the network namespace that
 * it was mounted in, whatever namespace its reader is in.
 *
 * It is read through libc: Deno opens `/sys` only to programs that may do everything.
 */
export function sysfsAt(root: string): Sysfs {
  return {
    list: (path) => listFolder(`${root}/${path}`),
    readLink: (path) => readLink(`${root}/${path}`),
  };
}

/** Masters above each other; the kernel nests no deeper. */
const MASTERS_MAX = 8;

/** Why a device leads to no NIC of a physical function. */
export type FunctionRefusal =
  | { readonly code: "not_pci" }
  /** sysfs does not show the device at all. */
  | { readonly code: "not_seen" }
  /** It is a device of its own. */
  | { readonly code: "not_virtual" }
  /** @param physical PCI address of the physical function, such as `0000:3b:00.0`. */
  | { readonly code: "no_nic"; readonly physical: string };

/**
 * Finds the NICs of the physical function (PF) that a virtual function (VF) of SR-IOV belongs to:
 * more than one where one device has several ports, or represents its VFs.
 *
 * Equivalent: `ls /sys/bus/pci/devices/ADDRESS/physfn/net`.
 *
 * @param busInfo Where the VF's driver says that it is: `0000:3b:00.2`.
 * @outcome `not_pci` That is no PCI address.
 * @outcome `no_nic` The PF has no driver of the kernel, or its NICs are in another namespace.
 */
export function physicalNicsOf(
  busInfo: string,
  sysfs: Sysfs,
): Result<readonly string[], FunctionRefusal> {
  // It becomes part of a path.
  if (!/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(busInfo)) {
    return err({ code: "not_pci" });
  }
  const device = `bus/pci/devices/${busInfo}`;
  const physical = sysfs.readLink(`${device}/physfn`);
  if (physical === undefined) {
    return err({ code: sysfs.list(device) === undefined ? "not_seen" : "not_virtual" });
  }
  const nics = sysfs.list(`${device}/physfn/net`) ?? [];
  return nics.length > 0 ? ok(nics) : err({ code: "no_nic", physical: lastOf(physical) });
}

/**
 * The bond, bridge or VRF that a NIC is a port of, the one that that one is a port of, and so on.
 *
 * Equivalent: `readlink /sys/class/net/NIC/master`, repeated.
 */
export function mastersOf(nic: string, sysfs: Sysfs): readonly string[] {
  const masters: string[] = [];
  for (let below = nic; masters.length < MASTERS_MAX;) {
    const link = sysfs.readLink(`class/net/${below}/master`);
    if (link === undefined) break;
    below = lastOf(link);
    masters.push(below);
  }
  return masters;
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
