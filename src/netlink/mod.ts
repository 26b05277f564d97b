/**
 * The kernel: links, addresses, namespaces and settings over netlink, and what drives a NIC.
 * Nothing is loaded before the first question. Everything is synchronous: it is done when it
 * returns.
 */
export { addAddress, listAddresses, removeAddress, replaceAddress } from "./address.ts";
export { driverOf, type DriverRefusal, type NicPlace } from "./ethtool.ts";
export { type KernelRefusal, refusalError, refusalSentence } from "./kernel_refusal.ts";
export { addLink, findLink, listLinks, removeLink, setBond, setLink } from "./link.ts";
export { type MasterPorts, masterSubnetsOf, type NodeAddress } from "./master_subnets.ts";
export { NetlinkError, type NetlinkErrorCode } from "./netlink_error.ts";
export { type Netns, openNetns, openOwnNetns, withNetns } from "./netns.ts";
export { type BatchRefusal, NetlinkSocket, type SocketOptions } from "./socket.ts";
export { readSysctl, type SysctlPath, writeSysctl } from "./sysctl.ts";
export { type Sysfs, sysfsAt } from "./sysfs.ts";
export { listNeighbors, type NeighborFilter, removeNeighbor, replaceNeighbor } from "./neighbor.ts";
export {
  addRoute,
  appendRoute,
  listRoutes,
  lookUpRoute,
  removeRoute,
  replaceRoute,
  type RouteFilter,
} from "./route.ts";
export { addRule, listRules, removeRule } from "./rule.ts";
export {
  describeNeighbor,
  NEIGHBOR_STATE,
  type NeighborRecord,
  type NeighborSpec,
} from "./wire/neighbor.ts";
export type { RouteQuestion } from "./wire/route.ts";
export {
  describeRoute,
  type Encapsulation,
  type NexthopSpec,
  ROUTE_METRIC,
  ROUTE_PROTOCOL,
  ROUTE_SCOPE,
  ROUTE_TABLE,
  ROUTE_TYPE,
  type RouteHop,
  type RouteMetrics,
  type RouteNexthop,
  type RouteRecord,
  type RouteSpec,
} from "./wire/route_record.ts";
export {
  describeRule,
  type NumberRange,
  RULE_ACTION,
  type RuleRecord,
  type RuleSpec,
} from "./wire/rule.ts";
export {
  changeNfTables,
  listRuleset,
  type NftChange,
  type NftRefusal,
  openNfTables,
  readGeneration,
  type Ruleset,
} from "./nft.ts";
export {
  NFT_FAMILY,
  NFT_HOOK,
  type NftChain,
  type NftFamily,
  type NftHook,
  type NftRule,
  type NftTable,
} from "./wire/nft.ts";
export {
  type Comparison,
  CT_KEY,
  CT_STATE,
  META_KEY,
  type NftExpression,
} from "./wire/nft_expression.ts";
export {
  hasConnectionMark,
  hasMark,
  isFromLink,
  isInState,
  type MarkWish,
  restoreMark,
  saveMark,
  setMark,
} from "./wire/nft_statement.ts";
export {
  ADDRESS_SCOPE,
  type AddressFilter,
  type AddressPlace,
  type AddressRecord,
  type AddressSpec,
  IFA_F,
} from "./wire/address.ts";
export {
  BOND_AD_SELECT,
  BOND_ARP_VALIDATE,
  BOND_FAIL_OVER_MAC,
  BOND_HASH_POLICIES,
  BOND_LACP_RATES,
  BOND_MODES,
  BOND_PRIMARY_RESELECT,
  type BondOptions,
} from "./wire/bond.ts";
export { type DriverInfo, isNicName } from "./wire/ethtool.ts";
export {
  IFF,
  type LinkBasics,
  type LinkChanges,
  type LinkPlace,
  type LinkRecord,
  type LinkSpec,
  type NetnsHandle,
  type OperState,
} from "./wire/link.ts";
export {
  type IpvlanMode,
  type IpvlanSharing,
  type LinkDetails,
  type MacvlanMode,
  VLAN_FLAGS,
  type VlanOptions,
  type VlanProtocol,
} from "./wire/link_kind.ts";
export { type MacAddress, macBytes, macOfBytes, type MacRefusal, parseMac } from "./wire/mac.ts";
