/** The kernel: what programs ask of it. Nothing is loaded before the first question. */
export { driverOf, type DriverRefusal, type NicPlace } from "./ethtool.ts";
export { type MasterPorts, masterSubnetsOf, type NodeAddress } from "./master_subnets.ts";
export { NetlinkError, type NetlinkErrorCode } from "./netlink_error.ts";
export { type Sysfs, sysfsAt } from "./sysfs.ts";
export type { DriverInfo } from "./wire/ethtool.ts";
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
