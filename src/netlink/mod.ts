/**
 * The kernel: links, addresses, namespaces and settings over netlink, and what drives a NIC.
 * Nothing is loaded before the first question. Everything is synchronous: it is done when it
 * returns.
 *
 * A veth pair between this namespace and that of a container, with an address at its end:
 *
 * ```ts
 * import { IPV4 } from "../ip/mod.ts";
 * import {
 *   addAddress,
 *   addLink,
 *   findLink,
 *   NetlinkSocket,
 *   openNetns,
 *   openOwnNetns,
 *   refusalError,
 *   setLink,
 *   withNetns,
 *   writeSysctl,
 * } from "./mod.ts";
 *
 * function plugIn(path: string): void {
 *   using home = openOwnNetns();
 *   using netns = openNetns(path);
 *   using socket = NetlinkSocket.openRoute({ netns });
 *
 *   const peer = { name: "veth12345678", mtu: 1500, netns: home };
 *   const made = addLink(socket, { kind: "veth", name: "veth0", mtu: 1500, peer });
 *   // It may be there from an earlier try.
 *   if (!made.ok && made.error.code !== "exists") throw refusalError("add veth0", made.error);
 *
 *   const link = findLink(socket, { name: "veth0" });
 *   if (link === undefined) throw new Error("somebody removed it");
 *   done("set veth0 up", setLink(socket, link.index, { isUp: true }));
 *   const address = IPV4.parse("169.254.100.1");
 *   if (address.ok) {
 *     const spec = { linkIndex: link.index, address: address.value, prefixLength: 32 };
 *     done("give veth0 its address", addAddress(socket, spec));
 *   }
 *   const setting = ["net", "ipv4", "conf", link.name, "rp_filter"];
 *   done("set rp_filter", withNetns(netns, () => writeSysctl(setting, "0")));
 * }
 *
 * function done(operation: string, result: ReturnType<typeof setLink>): void {
 *   // "Cannot set veth0 up: this program needs the capability NET_ADMIN (EPERM)"
 *   if (!result.ok) throw refusalError(operation, result.error);
 * }
 * ```
 *
 * What an address sends goes by a table of its own, and what comes in by a link is marked:
 *
 * ```ts
 * import { parseAddress, parseAnyCidr } from "../ip/mod.ts";
 * import {
 *   addRoute,
 *   addRule,
 *   changeNfTables,
 *   describeRoute,
 *   findLink,
 *   isFromLink,
 *   listRoutes,
 *   NetlinkSocket,
 *   openNetns,
 *   openNfTables,
 *   refusalError,
 *   setMark,
 * } from "./mod.ts";
 *
 * function divert(path: string): readonly string[] {
 *   using netns = openNetns(path);
 *   using socket = NetlinkSocket.openRoute({ netns });
 *   const link = findLink(socket, { name: "veth0" });
 *   const gateway = parseAddress("10.6.0.2");
 *   const from = parseAnyCidr("169.254.100.1/32");
 *   if (link === undefined || !gateway.ok || !from.ok) throw new Error("see plugIn()");
 *
 *   // ip route add default via 10.6.0.2 dev veth0 onlink table 101
 *   const way = { gateway: gateway.value, linkIndex: link.index, isOnlink: true };
 *   const routed = addRoute(socket, { family: 4, ...way, table: 101 });
 *   if (!routed.ok) throw refusalError("add the route", routed.error);
 *   // ip rule add from 169.254.100.1 lookup 101 pref 999
 *   const ruled = addRule(socket, { family: 4, priority: 999, from: from.value, table: 101 });
 *   if (!ruled.ok) throw refusalError("add the rule", ruled.error);
 *
 *   using tables = openNfTables({ netns });
 *   const place = { family: "ip", table: "mine" } as const;
 *   const marked = changeNfTables(tables, [
 *     { kind: "add_table", table: { family: "ip", name: "mine" } },
 *     {
 *       kind: "add_chain",
 *       chain: { ...place, name: "pre", type: "filter", hook: "prerouting", priority: -150 },
 *     },
 *     {
 *       kind: "add_rule",
 *       rule: {
 *         ...place,
 *         chain: "pre",
 *         expressions: [...isFromLink(link.name), ...setMark({ mark: 1 })],
 *       },
 *     },
 *   ]);
 *   if (!marked.ok) throw refusalError("mark what comes in", marked.error.refusal);
 *   // "default via 10.6.0.2 dev #2 onlink table 101"
 *   return listRoutes(socket, { table: 101 }).map(describeRoute);
 * }
 * ```
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
export { arpAnnouncement, type ArpPacket, arpQuestion, decodeArp } from "./packet/arp.ts";
export { ETHERTYPE, groupMac } from "./packet/ethernet.ts";
export {
  ALL_NODES,
  decodeNdp,
  duplicateQuestion,
  type NdpMessage,
  neighborAnnouncement,
  neighborQuestion,
  solicitedNode,
  UNSPECIFIED,
} from "./packet/ndp.ts";
export { type PacketPlace, PacketSocket } from "./packet/packet_socket.ts";
