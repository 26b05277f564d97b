/** The kernel: what programs ask of it. Nothing is loaded before the first question. */
export { driverOf, type DriverRefusal, type NicPlace } from "./ethtool.ts";
export { type MasterPorts, masterSubnetsOf, type NodeAddress } from "./master_subnets.ts";
export { NetlinkError, type NetlinkErrorCode } from "./netlink_error.ts";
export { type Sysfs, sysfsAt } from "./sysfs.ts";
export type { DriverInfo } from "./wire/ethtool.ts";
