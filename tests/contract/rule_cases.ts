/** What the rules of the definitions take and refuse: tried with CEL on a server, and without. */
import { ADDRESS_SPACE_MESSAGES } from "../../src/api/address_space.ts";
import { RESERVED_FAMILY_MESSAGE } from "../../src/api/reserved_ip.ts";
import { SPIDER_IP_MESSAGES } from "../../src/api/spider_ip.ts";

/** One write. */
export interface RuleCase {
  readonly kind:
    | "SpiderIPPool"
    | "SpiderSubnet"
    | "SpiderReservedIP"
    | "SpiderIP"
    | "SpiderMultusConfig";
  /** Absent: any name will do. */
  readonly name?: string;
  /** `spec` of what is stored; absent: the write is a creation. */
  readonly before?: object;
  /** `spec` of what would be stored. */
  readonly spec: object;
  /** What the refusal says; absent: the write is taken. */
  readonly refusal?: string;
  /** Refused by the pattern of names before any rule is asked. */
  readonly byPattern?: boolean;
}

const V4 = "10.6.0.0/16";
const V6 = "fd00:6::/64";
const said = ADDRESS_SPACE_MESSAGES;

const ADDRESS_SPACES: readonly Omit<RuleCase, "kind">[] = [
  { spec: { subnet: V4, ipVersion: 4 } },
  { spec: { subnet: V4, ipVersion: 6 }, refusal: said.ipVersion },
  { spec: { subnet: V6, ipVersion: 4 }, refusal: said.ipVersion },
  { spec: { subnet: V4, ips: ["fd00:6::1"] }, refusal: said.ips },
  { spec: { subnet: V4, ips: ["10.6.0.1", "fd00:6::1"] }, refusal: said.ips },
  { spec: { subnet: V6, ips: ["10.6.0.1"] }, refusal: said.ips },
  { spec: { subnet: V6, ips: ["fd00:6::1", "10.6.0.1"] }, refusal: said.ips },
  { spec: { subnet: V6, excludeIPs: ["10.6.0.1"] }, refusal: said.excludeIPs },
  { spec: { subnet: V4, gateway: "fd00:6::1" }, refusal: said.gateway },
  { spec: { subnet: V4, routes: [{ dst: "::/1", gw: "10.6.0.1" }] }, refusal: said.routes },
  { spec: { subnet: V4, routes: [{ dst: "10.7.0.0/16", gw: "::1" }] }, refusal: said.routes },
  { spec: { subnet: V4, ips: [], routes: [], excludeIPs: [], gateway: "" } },
  { spec: { subnet: V6, ips: ["fd00:6::1-fd00:6::2", "fd00:6::4"], gateway: "fd00:6::1" } },
  { spec: { subnet: "64:ff9b::/64", ips: ["64:ff9b::10.0.0.1"] } },
  // The reference's admission takes a reversed range; it never gives one out.
  { spec: { subnet: V4, ips: ["10.6.0.9-10.6.0.1"] } },
  { before: { subnet: V4 }, spec: { subnet: "10.7.0.0/16" }, refusal: said.subnetChanged },
  { before: { subnet: V4 }, spec: { subnet: V4, ipVersion: 4, ips: ["10.6.0.1"] } },
  {
    before: { subnet: V4, ipVersion: 4 },
    spec: { subnet: V4, ipVersion: 6 },
    refusal: said.ipVersionChanged,
  },
];

const HELD = { pool: "p", hold: "shrink" };
const POD = { pool: "p", podNamespace: "d", podName: "web-0", podUID: "u1" };
const names = SPIDER_IP_MESSAGES;

function ipv6Name(last: string): string {
  return ["fd00", ...Array<string>(6).fill("0000"), last].join("-");
}

const SPIDER_IPS: readonly Omit<RuleCase, "kind">[] = [
  { name: "10.201.0.1", spec: { ip: "10.201.0.1", ...HELD } },
  { name: "10.201.0.2", spec: { ip: "10.201.0.3", ...HELD }, refusal: names.name },
  { name: "10.201.0.04", spec: { ip: "10.201.0.04", ...HELD }, byPattern: true },
  { name: "10.201.0.256", spec: { ip: "10.201.0.256", ...HELD }, byPattern: true },
  { name: "10-201-0-1", spec: { ip: "10.201.0.1", ...HELD }, byPattern: true },
  { name: "web", spec: { ip: "10.201.0.5", ...HELD }, byPattern: true },
  { name: "fd00--1", spec: { ip: "fd00::1", ...HELD }, byPattern: true },
  { name: ipv6Name("0001"), spec: { ip: "fd00::1", ...HELD } },
  { name: ipv6Name("0002"), spec: { ip: "FD00::2", ...HELD }, refusal: names.name },
  { name: ipv6Name("0002"), spec: { ip: "fd00:0:0:0:0:0:0:2", ...HELD }, refusal: names.name },
  { name: ipv6Name("0002"), spec: { ip: "fd00::0002", ...HELD }, refusal: names.name },
  { name: ipv6Name("0002"), spec: { ip: "fd00::3", ...HELD }, refusal: names.name },
  {
    name: "0000-0000-0000-0000-0000-ffff-0ac9-0001",
    spec: { ip: "::ffff:ac9:1", ...HELD },
    refusal: names.mapped,
  },
  { name: "10.202.0.1", spec: { ip: "10.202.0.1", pool: "p" }, refusal: names.nobody },
  { name: "10.202.0.1", spec: { ip: "10.202.0.1", ...POD } },
  {
    name: "10.202.0.2",
    before: { ip: "10.202.0.2", ...POD },
    spec: { ip: "10.202.0.2", ...POD, podUID: "u2", node: "n2", containerID: "c" },
  },
  {
    name: "10.202.0.3",
    before: { ip: "10.202.0.3", ...POD },
    spec: { ip: "10.202.0.3", ...POD, pool: "q" },
    refusal: names.poolChanged,
  },
  {
    name: "10.202.0.4",
    before: { ip: "10.202.0.4", ...POD },
    spec: { ip: "10.202.0.5", ...POD },
    refusal: names.ipChanged,
  },
];

const RESERVED: readonly Omit<RuleCase, "kind">[] = [
  { spec: { ips: ["10.6.0.1", "fd00::1"] } },
  { spec: { ipVersion: 4, ips: ["10.6.0.1", "fd00::1"] }, refusal: RESERVED_FAMILY_MESSAGE },
  { spec: { ipVersion: 6, ips: ["10.6.0.1"] }, refusal: RESERVED_FAMILY_MESSAGE },
  { spec: { ipVersion: 6, ips: ["fd00::1", "fd00::3-fd00::4"] } },
  { before: { ipVersion: 4 }, spec: { ipVersion: 6 }, refusal: said.ipVersionChanged },
];

const MULTUS_CONFIGS: readonly Omit<RuleCase, "kind">[] = [
  { spec: { cniType: "custom" } },
  { spec: { cniType: "ib-sriov", ibsriov: {} } },
  {
    spec: { cniType: "ib-sriov", sriov: {} },
    refusal: 'cniType "ib-sriov" needs its configuration: write ibsriov',
  },
];

/** Every case. */
export const RULE_CASES: readonly RuleCase[] = [
  ...ADDRESS_SPACES.map((fields): RuleCase => ({ kind: "SpiderIPPool", ...fields })),
  ...ADDRESS_SPACES.map((fields): RuleCase => ({ kind: "SpiderSubnet", ...fields })),
  ...SPIDER_IPS.map((fields): RuleCase => ({ kind: "SpiderIP", ...fields })),
  ...RESERVED.map((fields): RuleCase => ({ kind: "SpiderReservedIP", ...fields })),
  ...MULTUS_CONFIGS.map((fields): RuleCase => ({ kind: "SpiderMultusConfig", ...fields })),
];
