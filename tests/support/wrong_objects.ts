// tidy: table, because it lists what people get wrong, kind by kind.
/**
 * Objects that admission refuses, each with everything it says: the table of the unit tests, and of
 * those against a real API server.
 */
import { SPIDERPOOL_API_VERSION } from "../../src/api/group.ts";

/** One thing that people get wrong. */
export interface WrongObject {
  readonly what: string;
  readonly kind: string;
  /** `spec`, or `status` of a SpiderEndpoint. */
  readonly body: Readonly<Record<string, unknown>>;
  /** What is stored and becomes `body`; absent: `body` is created. */
  readonly stored?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly says: readonly string[];
}

const V4 = { subnet: "10.6.0.0/16" };
const MACVLAN = { cniType: "macvlan", macvlan: { master: ["eth0"] } };
const INTERFACE = "the kernel takes no such name; write the name of an interface, at most 15 " +
  'characters without white space, "/" and ":"';
const DNS = 'lower-case letters, digits, "-" and "." that begin and end with a letter or digit';
const NETWORK = "it is no name of a NetworkAttachmentDefinition, and there are no wildcards; " +
  'write "namespace/name", or "name" for one in Spiderpool\'s own namespace';
const KEY = 'it is no key; write the key of a label, such as "zone" or "example.com/zone"';
const VALUE = 'it is no value; write the value of a label: at most 63 letters, digits, "-", "_" ' +
  'and ".", beginning and ending with a letter or digit';

function pool(
  what: string,
  body: WrongObject["body"],
  { says, ...more }: Pick<WrongObject, "says"> & Partial<WrongObject>,
): WrongObject {
  return { what, kind: "SpiderIPPool", body, says, ...more };
}

function network(
  what: string,
  body: WrongObject["body"],
  { says, ...more }: Pick<WrongObject, "says"> & Partial<WrongObject>,
): WrongObject {
  return { what, kind: "SpiderMultusConfig", body, says, ...more };
}

function coordinator(
  what: string,
  body: WrongObject["body"],
  { says, ...more }: Pick<WrongObject, "says"> & Partial<WrongObject>,
): WrongObject {
  const all = { podCIDRType: "auto", ...body };
  return { what, kind: "SpiderCoordinator", body: all, says, ...more };
}

function endpoint(
  what: string,
  nic: Readonly<Record<string, unknown>>,
  { says, ...more }: Pick<WrongObject, "says"> & Partial<WrongObject>,
): WrongObject {
  const body = {
    current: { uid: "u1", node: "n1", ips: [{ interface: "eth0", ...nic }] },
    ownerControllerType: "Pod",
    ownerControllerName: "p",
  };
  return { what, kind: "SpiderEndpoint", body, says, ...more };
}

const POOLS: readonly WrongObject[] = [
  pool("no subnet", {}, {
    says: ['Cannot use spec.subnet: it is missing; write a network, such as "10.6.0.0/16"'],
  }),
  pool("no address", { subnet: "office" }, {
    says: [
      'Cannot use spec.subnet "office": its address "office" is not an IPv4 address; write one ' +
      'such as "10.6.0.17"',
    ],
  }),
  pool("host bits", { subnet: "10.6.0.1/16" }, {
    says: [
      'Cannot use spec.subnet "10.6.0.1/16": it has host bits set; write its network ' +
      '"10.6.0.0/16"',
    ],
  }),
  pool("no canonical form", { subnet: "FD00:6::/64" }, {
    says: [
      'Cannot use spec.subnet "FD00:6::/64": it is not in canonical form; write "fd00:6::/64"',
    ],
  }),
  pool("prefix too long", { subnet: "10.6.0.0/33" }, {
    says: [
      'Cannot use spec.subnet "10.6.0.0/33": its prefix length "33" is not a plain number from 0 ' +
      "to 32; write one after the slash",
    ],
  }),
  pool("no such family", { ...V4, ipVersion: 5 }, {
    says: ["Cannot use spec.ipVersion 5: write 4 or 6"],
  }),
  pool("the other family", { ...V4, ipVersion: 6 }, {
    says: [
      'Cannot use spec.ipVersion 6: spec.subnet "10.6.0.0/16" is IPv4; write 4, or leave it out',
    ],
  }),
  pool("reversed range", { ...V4, ips: ["10.6.0.9-10.6.0.1"] }, {
    says: [
      'Cannot use spec.ips[0] "10.6.0.9-10.6.0.1": it is reversed; write "10.6.0.1-10.6.0.9"',
    ],
  }),
  pool("CIDR as a range", { ...V4, ips: ["10.6.0.0/24"] }, {
    says: [
      'Cannot use spec.ips[0] "10.6.0.0/24": it is a CIDR, not a range; write ' +
      '"10.6.0.0-10.6.0.255"',
    ],
  }),
  pool("short end", { ...V4, ips: ["10.6.0.1-9"] }, {
    says: [
      'Cannot use spec.ips[0] "10.6.0.1-9": its end is abbreviated; write "10.6.0.1-10.6.0.9"',
    ],
  }),
  pool("outside the subnet", { ...V4, ips: ["10.6.255.250-10.7.0.5"] }, {
    says: [
      'Cannot use spec.ips[0] "10.6.255.250-10.7.0.5": "10.7.0.5" is outside the subnet ' +
      '"10.6.0.0/16"; stay within "10.6.0.0-10.6.255.255"',
    ],
  }),
  pool("a range of another family", { ...V4, ips: ["10.6.0.1", "fd00::1"] }, {
    says: ['Cannot use spec.ips[1] "fd00::1": it is an IPv6 address; write an IPv4 one'],
  }),
  pool("white space, a zero and too large a number", {
    ...V4,
    ips: [" 10.6.0.1", "10.6.0.010", "10.6.0.256"],
  }, {
    says: [
      'Cannot use spec.ips[0] " 10.6.0.1": it contains white space; write "10.6.0.1"',
      'Cannot use spec.ips[1] "10.6.0.010": it has a number with a leading zero, octal to some ' +
      'programs; write "10.6.0.10" if decimal is meant',
      'Cannot use spec.ips[2] "10.6.0.256": it has the number 256; write numbers from 0 to 255',
    ],
  }),
  pool("bad excludes", {
    ...V4,
    ips: ["10.6.0.1-10.6.0.9"],
    excludeIPs: ["10.6.0.5-10.6.0.3", "10.7.0.1"],
  }, {
    says: [
      'Cannot use spec.excludeIPs[0] "10.6.0.5-10.6.0.3": it is reversed; write ' +
      '"10.6.0.3-10.6.0.5"',
      'Cannot use spec.excludeIPs[1] "10.7.0.1": "10.7.0.1" is outside the subnet "10.6.0.0/16"; ' +
      'stay within "10.6.0.0-10.6.255.255"',
    ],
  }),
  pool("gateway outside", { ...V4, gateway: "10.7.0.1" }, {
    says: [
      'Cannot use spec.gateway "10.7.0.1": it is outside the subnet "10.6.0.0/16"; write an ' +
      'address of "10.6.0.0-10.6.255.255"',
    ],
  }),
  pool("gateway with prefix", { ...V4, gateway: "10.6.0.1/16" }, {
    says: [
      'Cannot use spec.gateway "10.6.0.1/16": it has a prefix length; write the bare address ' +
      '"10.6.0.1"',
    ],
  }),
  pool("gateway of another family", { ...V4, gateway: "fd00::1" }, {
    says: ['Cannot use spec.gateway "fd00::1": it is an IPv6 address; write an IPv4 one'],
  }),
  pool("gateway among the addresses, written otherwise", {
    subnet: "fd00:6::/64",
    ips: ["fd00:6::1"],
    gateway: "FD00:6:0::1",
  }, {
    says: [
      'Cannot use spec.ips[0] "fd00:6::1": it has the gateway "fd00:6::1"; write ' +
      '"fd00:6::1" into ' +
      "spec.excludeIPs, or leave it out",
    ],
  }),
  pool("routes", {
    ...V4,
    routes: [
      { dst: "0.0.0.0/0", gw: "10.6.0.1" },
      { dst: "10.8.0.0/16", gw: "10.7.0.1" },
      { dst: "10.8.5.0/16", gw: "10.6.0.1" },
      { dst: "fd00::/64", gw: "10.6.0.1" },
      { dst: "10.9.0.0", gw: "gateway" },
    ],
  }, {
    says: [
      'Cannot use spec.routes[0].dst "0.0.0.0/0": it is the default route; write its next hop as ' +
      "spec.gateway",
      'Cannot use spec.routes[1].gw "10.7.0.1": it is outside the subnet "10.6.0.0/16"; write an ' +
      'address of "10.6.0.0-10.6.255.255"',
      'Cannot use spec.routes[2].dst "10.8.5.0/16": spec.routes[1] has this destination too; ' +
      "write each destination once",
      'Cannot use spec.routes[3].dst "fd00::/64": its address "fd00::" is an IPv6 address; write ' +
      "an IPv4 one",
      'Cannot use spec.routes[4].dst "10.9.0.0": it has no prefix length; write one after the ' +
      'address, as in "10.6.0.0/16"',
      'Cannot use spec.routes[4].gw "gateway": it is not an IPv4 address; write one such as ' +
      '"10.6.0.17"',
    ],
  }),
  pool("affinity without a selector", { ...V4, podAffinity: {} }, {
    says: [
      "Cannot use spec.podAffinity {}: it selects nothing in particular; write matchLabels or " +
      "matchExpressions, or leave the field out to give addresses to every pod",
    ],
  }),
  pool("selectors", {
    ...V4,
    podAffinity: { matchLabels: { "a b": "c", app: "-web" } },
    nodeAffinity: {
      matchExpressions: [
        { key: "zone", operator: "Is", values: ["a"] },
        { key: "rack", operator: "In" },
        { key: "disk", operator: "Exists", values: ["ssd"] },
      ],
    },
    namespaceAffinity: { matchExpressions: [{ key: "", operator: "Exists" }] },
  }, {
    says: [
      `Cannot use spec.podAffinity.matchLabels["a b"] "a b": ${KEY}`,
      `Cannot use spec.podAffinity.matchLabels.app "-web": ${VALUE}`,
      'Cannot use spec.nodeAffinity.matchExpressions[0].operator "Is": write "In", "NotIn", ' +
      '"Exists" or "DoesNotExist"',
      "Cannot use spec.nodeAffinity.matchExpressions[1].values []: write at least one value for In",
      'Cannot use spec.nodeAffinity.matchExpressions[2].values ["ssd"]: write no value for Exists',
      'Cannot use spec.namespaceAffinity.matchExpressions[0].key "": write the key of a label',
    ],
  }),
  pool("names with wildcards", {
    ...V4,
    nodeName: ["node*"],
    namespaceName: ["Team A"],
    multusName: ["kube-system/*", "a/b/c"],
  }, {
    says: [
      'Cannot use spec.nodeName[0] "node*": it is no name of a node, and there are no wildcards; ' +
      `write ${DNS}`,
      'Cannot use spec.namespaceName[0] "Team A": it is no name of a namespace, and there are no ' +
      `wildcards; write ${DNS}`,
      `Cannot use spec.multusName[0] "kube-system/*": ${NETWORK}`,
      `Cannot use spec.multusName[1] "a/b/c": ${NETWORK}`,
    ],
  }),
  pool("affinity of an automatic pool", {
    ...V4,
    podAffinity: {
      matchLabels: { app: "web" },
      matchExpressions: [{ key: "zone", operator: "Exists" }],
    },
  }, {
    labels: { "ipam.spidernet.io/owner-application-name": "web" },
    says: [
      'Cannot use spec.podAffinity.matchLabels.app "app": the affinity of an automatic ' +
      "pool names " +
      'its application and nothing else; write "ipam.spidernet.io/app-api-group", ' +
      '"ipam.spidernet.io/app-api-version", "ipam.spidernet.io/app-kind", ' +
      '"ipam.spidernet.io/app-namespace" or "ipam.spidernet.io/app-name"',
      "Cannot use spec.podAffinity.matchExpressions: the affinity of an automatic pool names its " +
      "application; remove the expressions",
    ],
  }),
  pool("another subnet", { subnet: "10.7.0.0/16" }, {
    stored: V4,
    says: [
      'Cannot use spec.subnet "10.7.0.0/16": it never changes; write "10.6.0.0/16", or create ' +
      "another SpiderIPPool",
    ],
  }),
];

const SUBNETS: readonly WrongObject[] = [
  {
    what: "everything at once",
    kind: "SpiderSubnet",
    body: { subnet: "10.6.0.0/16", ips: ["10.6.0.9-10.6.0.1"], gateway: "10.7.0.1" },
    says: [
      'Cannot use spec.ips[0] "10.6.0.9-10.6.0.1": it is reversed; write "10.6.0.1-10.6.0.9"',
      'Cannot use spec.gateway "10.7.0.1": it is outside the subnet "10.6.0.0/16"; write an ' +
      'address of "10.6.0.0-10.6.255.255"',
    ],
  },
  {
    what: "another subnet",
    kind: "SpiderSubnet",
    stored: V4,
    body: { subnet: "10.7.0.0/16" },
    says: [
      'Cannot use spec.subnet "10.7.0.0/16": it never changes; write "10.6.0.0/16", or create ' +
      "another SpiderSubnet",
    ],
  },
];

const RANGES = "at least one address or range, such as 10.6.0.10-10.6.0.20";
const RESERVED: readonly WrongObject[] = [
  {
    what: "nothing",
    kind: "SpiderReservedIP",
    body: { ips: [] },
    says: [`Cannot use spec.ips: it is missing; write ${RANGES}`],
  },
  {
    what: "no address",
    kind: "SpiderReservedIP",
    body: { ips: ["printer"] },
    says: [`Cannot use spec.ips[0] "printer": it is no address; write ${RANGES}`],
  },
  {
    what: "two families",
    kind: "SpiderReservedIP",
    body: { ips: ["10.6.0.1", "fd00::1", "10.6.0.9-10.6.0.2"] },
    says: [
      'Cannot use spec.ips[1] "fd00::1": it is an IPv6 address; write an IPv4 one',
      'Cannot use spec.ips[2] "10.6.0.9-10.6.0.2": it is reversed; write "10.6.0.2-10.6.0.9"',
    ],
  },
  {
    what: "another family than before",
    kind: "SpiderReservedIP",
    stored: { ipVersion: 4, ips: ["10.6.0.1"] },
    body: { ipVersion: 6, ips: ["10.6.0.1"] },
    says: [
      "Cannot use spec.ipVersion 6: it never changes; write 4, or create another SpiderReservedIP",
    ],
  },
];

const COORDINATORS: readonly WrongObject[] = [
  {
    what: "no source of pod CIDRs",
    kind: "SpiderCoordinator",
    body: { mode: "auto" },
    says: [
      'Cannot use spec.podCIDRType: it is missing; write "auto", "cluster", "calico", ' +
      '"cilium" or ' +
      '"none"',
    ],
  },
  coordinator("an unknown mode", { mode: "bridge" }, {
    says: [
      'Cannot use spec.mode "bridge": write "auto", "underlay", "overlay", "disabled" or "disable"',
    ],
  }),
  coordinator("an unknown source", { podCIDRType: "flannel" }, {
    says: [
      'Cannot use spec.podCIDRType "flannel": write "auto", "cluster", "calico", "cilium" ' +
      'or "none"',
    ],
  }),
  coordinator("destinations", { hijackCIDR: ["10.0.0.0/8", "169.254.0.0/160", "metadata"] }, {
    says: [
      'Cannot use spec.hijackCIDR[1] "169.254.0.0/160": its prefix length "160" is not a plain ' +
      "number from 0 to 32; write one after the slash",
      'Cannot use spec.hijackCIDR[2] "metadata": its address "metadata" is not an IPv4 address; ' +
      'write one such as "10.6.0.17"',
    ],
  }),
  coordinator("policy routes", {
    policyRoutes: [
      { dst: "10.8.0.0/16", gw: "fd00::1" },
      { dst: "10.8.0", gw: "10.6.0.1/24" },
    ],
  }, {
    says: [
      'Cannot use spec.policyRoutes[0].gw "fd00::1": its dst "10.8.0.0/16" is IPv4; write ' +
      "an IPv4 " +
      "address",
      'Cannot use spec.policyRoutes[1].dst "10.8.0": its address "10.8.0" has 3 numbers instead ' +
      'of 4; write an IPv4 address in full, such as "10.6.0.17"',
      'Cannot use spec.policyRoutes[1].gw "10.6.0.1/24": it has a prefix length; write the bare ' +
      'address "10.6.0.1"',
    ],
  }),
  coordinator("prefix of a group's address", { podMACPrefix: "0b:1b" }, {
    says: [
      'Cannot use spec.podMACPrefix "0b:1b": it is not the beginning of a unicast address; write ' +
      'two bytes such as "0a:1b", the first one even',
    ],
  }),
  coordinator("numbers", { txQueueLen: -1, podRPFilter: 3, hostRuleTable: 254, vethMTU: 67 }, {
    says: [
      "Cannot use spec.txQueueLen -1: a queue has no such length; write 0 to leave it " +
      "alone, or a " +
      "number up to 4294967295",
      "Cannot use spec.podRPFilter 3: the kernel has no such mode; write 0, 1 or 2, or a " +
      "negative " +
      "number to leave it alone",
      "Cannot use spec.hostRuleTable 254: 253, 254 or 255 are the kernel's own tables; write " +
      "another number from 1 to 4294967295",
      "Cannot use spec.vethMTU 67: a veth takes none such; write a number from 68 to 65535",
    ],
  }),
  coordinator("link address", { vethLinkAddress: "169.254.1", podDefaultRouteNIC: "eth0/1" }, {
    says: [
      'Cannot use spec.vethLinkAddress "169.254.1": it has 3 numbers instead of 4; write an IPv4 ' +
      'address in full, such as "10.6.0.17"',
      `Cannot use spec.podDefaultRouteNIC "eth0/1": ${INTERFACE}`,
    ],
  }),
];

const NETWORKS: readonly WrongObject[] = [
  network("an unknown type", { cniType: "bridge" }, {
    says: [
      'Cannot use spec.cniType "bridge": write "macvlan", "ipvlan", "vlan", "sriov", "ovs", ' +
      '"ib-sriov", "ipoib" or "custom"',
    ],
  }),
  network("a VLAN that there is not", {
    cniType: "macvlan",
    macvlan: { master: ["eth0"], vlanID: 4095, mtu: -1 },
  }, {
    says: [
      "Cannot use spec.macvlan.mtu -1: write a whole number of at least 0",
      "Cannot use spec.macvlan.vlanID 4095: write a whole number from 0 to 4094",
    ],
  }),
  network("no block", { cniType: "ipvlan" }, {
    says: [
      'Cannot use spec.ipvlan: it is missing; write the configuration of cniType "ipvlan"',
    ],
  }),
  network("two blocks", { ...MACVLAN, ovs: { bridge: "br1" }, customCNI: "{}" }, {
    says: [
      'Cannot use spec.ovs: cniType is "macvlan"; remove it, or write cniType "ovs"',
      'Cannot use spec.customCNI: cniType is "macvlan"; remove it, or write cniType "custom"',
    ],
  }),
  network("masters", {
    cniType: "ipvlan",
    ipvlan: {
      master: ["eth0", "eth0", "a name with spaces"],
      ippools: { matchMasterSubnet: true },
    },
  }, {
    says: [
      'Cannot use spec.ipvlan.master[1] "eth0": it is listed twice; write each interface once',
      `Cannot use spec.ipvlan.master[2] "a name with spaces": ${INTERFACE}`,
      "Cannot use spec.ipvlan.bond.name: it is missing; write the name of the bond to make " +
      "of the " +
      "interfaces in master, or write one master",
      "Cannot use spec.ipvlan.ippools.matchMasterSubnet true: only sriov networks look at the " +
      "subnets of the master; write false",
    ],
  }),
  network("no master", { cniType: "macvlan", macvlan: { master: [] } }, {
    says: [
      "Cannot use spec.macvlan.master []: it names no interface; write at least one interface of " +
      "the nodes",
    ],
  }),
  network("too long a name for its VLAN", {
    cniType: "macvlan",
    macvlan: { master: ["enp129s0f0np0"], vlanID: 100 },
  }, {
    says: [
      "Cannot use spec.macvlan.vlanID 100: the interface would be called " +
      '"enp129s0f0np0.100", too ' +
      "long a name; write a master or bond with a shorter one",
    ],
  }),
  network("a VLAN that the provider says", {
    cniType: "vlan",
    vlan: { master: ["eth0"], vlanMode: "auto", vlanID: 5 },
  }, {
    says: [
      'Cannot use spec.vlan.vlanID 5: vlanMode is "auto": the network provider says the VLAN; ' +
      'remove it, or write vlanMode "manual"',
    ],
  }),
  network("rates and no resource", {
    cniType: "sriov",
    sriov: { minTxRateMbps: 200, maxTxRateMbps: 100 },
  }, {
    says: [
      "Cannot use spec.sriov.resourceName: it is missing; write the resource of the device " +
      "plugin, such as spidernet.io/sriov_netdevice",
      "Cannot use spec.sriov.minTxRateMbps 200: maxTxRateMbps is 100; write at most that, or a " +
      "higher maxTxRateMbps (0 for no limit)",
    ],
  }),
  network("a bond with one interface", {
    cniType: "macvlan",
    macvlan: { master: ["eth1"], bond: { name: "bond0", mode: 1 } },
  }, {
    says: [
      "Cannot use spec.macvlan.bond: a bond is made of several interfaces, and master names one; " +
      "write another one into master, or remove the bond",
    ],
  }),
  network("a VLAN of the provider without addresses", {
    cniType: "vlan",
    vlan: { master: ["eth1"], vlanMode: "auto" },
    disableIPAM: true,
  }, {
    says: [
      'Cannot use spec.disableIPAM true: vlanMode is "auto": the VLAN comes with the addresses; ' +
      'write false, or vlanMode "manual"',
    ],
  }),
  network("a resource that there is not", {
    cniType: "ib-sriov",
    ibsriov: { resourceName: "mellanox.com/a b" },
  }, {
    says: [
      'Cannot use spec.ibsriov.resourceName "mellanox.com/a b": it is no name of a resource; ' +
      "write the resource of the device plugin, such as spidernet.io/sriov_netdevice",
    ],
  }),
  network("no InfiniBand interface", { cniType: "ipoib", ipoib: {} }, {
    says: [
      "Cannot use spec.ipoib.master: it is missing; write the InfiniBand interface of the nodes",
    ],
  }),
  network("trunks", {
    cniType: "ovs",
    ovs: {
      bridge: "br1",
      vlan: 4095,
      trunk: [{ minID: 20, maxID: 10 }, { maxID: 5 }, { minID: 5 }, {}],
    },
  }, {
    says: [
      "Cannot use spec.ovs.vlan 4095: there is no such VLAN; write one from 0 to 4094",
      "Cannot use spec.ovs.trunk[0].maxID 10: minID is 20; write at least that, or a lower minID",
      "Cannot use spec.ovs.trunk[1].minID: it is missing; write the first VLAN of the range to 5",
      "Cannot use spec.ovs.trunk[2].maxID: it is missing; write the last VLAN of the range from 5",
      "Cannot use spec.ovs.trunk[3] {}: it names no VLAN; write id, or minID and maxID",
    ],
  }),
  network("no bridge", { cniType: "ovs", ovs: { bridge: "" } }, {
    says: ["Cannot use spec.ovs.bridge: it is missing; write the name of the Open vSwitch bridge"],
  }),
  network("custom that is not JSON", { customCNI: "{" }, {
    says: [
      'Cannot use spec.customCNI "{": it is not JSON; write a CNI configuration as JSON',
    ],
  }),
  network("custom that is no configuration", { customCNI: '{"name":"a"}' }, {
    says: [
      'Cannot use spec.customCNI "{\\"name\\":\\"a\\"}": it is no CNI configuration; write an ' +
      'object with "type", or with "plugins" that each have a "type"',
    ],
  }),
  network("chained plugins", { ...MACVLAN, chainCNIJsonData: ["tuning", '{"name":"a"}'] }, {
    says: [
      'Cannot use spec.chainCNIJsonData[0] "tuning": it is not JSON; write the configuration of ' +
      "one plugin",
      'Cannot use spec.chainCNIJsonData[1] "{\\"name\\":\\"a\\"}": it is no plugin; write ' +
      "an object " +
      'with the "type" of the plugin',
    ],
  }),
  network("a coordinator of its own", {
    ...MACVLAN,
    coordinator: { podRPFilter: 7, hijackCIDR: ["x"] },
  }, {
    says: [
      'Cannot use spec.coordinator.hijackCIDR[0] "x": its address "x" is not an IPv4 address; ' +
      'write one such as "10.6.0.17"',
      "Cannot use spec.coordinator.podRPFilter 7: the kernel has no such mode; write 0, 1 or 2, " +
      "or a negative number to leave it alone",
    ],
  }),
  network("annotations", MACVLAN, {
    annotations: {
      "multus.spidernet.io/cr-name": "My Net",
      "multus.spidernet.io/cni-version": "0.2.0",
      "cni.spidernet.io/cniconfig-name": "a b",
    },
    says: [
      'Cannot use metadata.annotations["multus.spidernet.io/cr-name"] "My Net": it is no name of ' +
      `a NetworkAttachmentDefinition; write ${DNS}`,
      'Cannot use metadata.annotations["multus.spidernet.io/cni-version"] "0.2.0": no ' +
      'configuration of this version can be made; write "0.3.0", "0.3.1", "0.4.0" or "1.0.0"',
      'Cannot use metadata.annotations["cni.spidernet.io/cniconfig-name"] "a b": it is no name ' +
      'of a network; write letters, digits, "-", "_" and ".", a letter or digit first',
    ],
  }),
  network("RDMA without resource and pools", MACVLAN, {
    annotations: { "cni.spidernet.io/rdma-resource-inject": "rail" },
    says: [
      "Cannot use spec.macvlan.rdmaResourceName: it is missing; write the resource that " +
      'annotation "cni.spidernet.io/rdma-resource-inject" gives to pods',
      "Cannot use spec.macvlan.ippools: it is missing; write at least one SpiderIPPool, since " +
      'annotation "cni.spidernet.io/rdma-resource-inject" adds the network to pods',
    ],
  }),
  network("a group that no label can have", {
    cniType: "ipvlan",
    ipvlan: { master: ["eth1"] },
  }, {
    annotations: { "cni.spidernet.io/network-resource-inject": "rail 1" },
    says: [
      'Cannot use metadata.annotations["cni.spidernet.io/network-resource-inject"] "rail 1": it ' +
      "is no name of a group, as the value of a label is one; write at most 63 letters, digits, " +
      '"-", "_" and "." that begin and end with a letter or digit',
    ],
  }),
  network("injection of a custom network", {}, {
    annotations: { "cni.spidernet.io/network-resource-inject": "rail" },
    says: [
      'Cannot use metadata.annotations["cni.spidernet.io/network-resource-inject"] "rail": a ' +
      'network of cniType "custom" has no resource to give to pods; remove the annotation',
    ],
  }),
];

const ENDPOINTS: readonly WrongObject[] = [
  endpoint("addresses", {
    ipv4: "10.6.0.1",
    ipv4Pool: "p4",
    ipv6: "10.6.0.2/16",
    ipv4Gateway: "10.6.0.1/16",
  }, {
    says: [
      'Cannot use status.current.ips[0].ipv4 "10.6.0.1": it has no prefix length; write ' +
      "one after " +
      'the address, as in "10.6.0.0/16"',
      'Cannot use status.current.ips[0].ipv4Gateway "10.6.0.1/16": it has a prefix length; write ' +
      'the bare address "10.6.0.1"',
      'Cannot use status.current.ips[0].ipv6 "10.6.0.2/16": its address "10.6.0.2" is an IPv4 ' +
      "address; write an IPv6 one",
      "Cannot use status.current.ips[0].ipv6Pool: it is missing; write the SpiderIPPool of the " +
      "address",
    ],
  }),
  endpoint("a pool without address", { ipv4Pool: "p4" }, {
    says: [
      "Cannot use status.current.ips[0].ipv4: it is missing; write an address of SpiderIPPool " +
      '"p4", or leave ipv4Pool out',
    ],
  }),
  endpoint("hardware address and routes", {
    mac: "0a-1b-2c-3d-4e-5f",
    routes: [{ dst: "10.8.0.0/16", gw: "fd00::1" }],
  }, {
    says: [
      'Cannot use status.current.ips[0].routes[0].gw "fd00::1": its dst "10.8.0.0/16" is IPv4; ' +
      "write an IPv4 address",
      'Cannot use status.current.ips[0].mac "0a-1b-2c-3d-4e-5f": it is no hardware ' +
      "address; write " +
      'six bytes such as "0a:1b:2c:3d:4e:5f"',
    ],
  }),
  endpoint("a VLAN that there is not", { vlan: 4095 }, {
    says: ["Cannot use status.current.ips[0].vlan 4095: write a whole number from 0 to 4094"],
  }),
];

/** All of them. */
export const WRONG_OBJECTS: readonly WrongObject[] = [
  ...POOLS,
  ...SUBNETS,
  ...RESERVED,
  ...COORDINATORS,
  ...NETWORKS,
  ...ENDPOINTS,
];

/** The object of a case. @param body What stands in `spec` or `status`. */
export function objectOf(
  { kind, annotations, labels }: WrongObject,
  { name, body }: { readonly name: string; readonly body: WrongObject["body"] },
): Readonly<Record<string, unknown>> & {
  readonly metadata: { readonly name: string; readonly namespace?: string };
} {
  const isNamespaced = kind === "SpiderMultusConfig" || kind === "SpiderEndpoint";
  return {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind,
    metadata: {
      name,
      ...isNamespaced ? { namespace: "default" } : {},
      ...annotations === undefined ? {} : { annotations },
      ...labels === undefined ? {} : { labels },
    },
    [kind === "SpiderEndpoint" ? "status" : "spec"]: body,
  };
}
