/** What SpiderMultusConfigs of every type become: the golden configurations. */

/** One SpiderMultusConfig, and the configuration that it is. */
export interface RenderedCase {
  readonly what: string;
  readonly spec: Readonly<Record<string, unknown>>;
  /** Plugins of the configuration, in order. */
  readonly plugins: readonly Readonly<Record<string, unknown>>[];
  /** Value of `k8s.v1.cni.cncf.io/resourceName`; absent: there is none. */
  readonly resource?: string;
}

const IPAM = { type: "spiderpool" };
const COORDINATOR = { type: "coordinator" };
const BOND = { name: "bond7", mode: 1, options: "miimon=100" };
const BONDED = { master: ["ens1", "ens2"], bond: BOND };
const DUAL = { ipv4: ["office"], ipv6: ["office6", "lab-*"] };
const DUAL_IPAM = {
  ...IPAM,
  default_ipv4_ippool: ["office"],
  default_ipv6_ippool: ["office6", "lab-*"],
};

const WITH_MASTERS: readonly RenderedCase[] = [
  {
    what: "macvlan on one interface, with pools",
    spec: { cniType: "macvlan", macvlan: { master: ["ens1"], ippools: DUAL } },
    plugins: [
      { type: "macvlan", master: "ens1", mode: "bridge", mtu: 0, ipam: DUAL_IPAM },
      COORDINATOR,
    ],
  },
  {
    what: "macvlan on a VLAN, with MTU and shared RDMA, which pods ask for",
    spec: {
      cniType: "macvlan",
      macvlan: { master: ["ens1"], vlanID: 77, mtu: 9000, rdmaResourceName: "example.com/hca" },
    },
    plugins: [
      { type: "ifacer", interfaces: ["ens1"], vlanID: 77 },
      { type: "macvlan", master: "ens1.77", mode: "bridge", mtu: 9000, ipam: IPAM },
      COORDINATOR,
    ],
  },
  {
    what: "macvlan on a bond",
    spec: { cniType: "macvlan", macvlan: BONDED },
    plugins: [
      { type: "ifacer", interfaces: ["ens1", "ens2"], bond: BOND },
      { type: "macvlan", master: "bond7", mode: "bridge", mtu: 0, ipam: IPAM },
      COORDINATOR,
    ],
  },
  {
    what: "ipvlan on a VLAN on a bond",
    spec: { cniType: "ipvlan", ipvlan: { ...BONDED, vlanID: 77 } },
    plugins: [
      { type: "ifacer", interfaces: ["ens1", "ens2"], vlanID: 77, bond: BOND },
      { type: "ipvlan", master: "bond7.77", mtu: 0, ipam: IPAM },
      COORDINATOR,
    ],
  },
  {
    what: "ipvlan with neither IPAM nor coordinator",
    spec: {
      ...{ cniType: "ipvlan", enableCoordinator: false, disableIPAM: true },
      ipvlan: { master: ["ens1"] },
    },
    plugins: [{ type: "ipvlan", master: "ens1", mtu: 0 }],
  },
  {
    what: "vlan that its network names",
    spec: { cniType: "vlan", vlan: { master: ["ens1"], vlanID: 77, mtu: 1400, ippools: DUAL } },
    plugins: [
      {
        ...{ type: "vlan", master: "ens1", vlanMode: "manual", vlanId: 77 },
        ...{ mtu: 1400, ipam: DUAL_IPAM },
      },
      COORDINATOR,
    ],
  },
  {
    what: "vlan 0, where none is named",
    spec: { cniType: "vlan", vlan: { master: ["ens1"] } },
    plugins: [
      { type: "vlan", master: "ens1", vlanMode: "manual", vlanId: 0, mtu: 0, ipam: IPAM },
      COORDINATOR,
    ],
  },
  {
    what: "vlan on a bond that the network provider names",
    spec: { cniType: "vlan", vlan: { ...BONDED, vlanMode: "auto" } },
    plugins: [
      { type: "ifacer", interfaces: ["ens1", "ens2"], bond: BOND },
      { type: "vlan", master: "bond7", vlanMode: "auto", mtu: 0, ipam: IPAM },
      COORDINATOR,
    ],
  },
];

const WITH_DEVICES: readonly RenderedCase[] = [
  {
    what: "sriov with everything",
    spec: {
      cniType: "sriov",
      sriov: {
        resourceName: "example.com/vf",
        ...{ vlanID: 12, mtu: 4200, minTxRateMbps: 10, maxTxRateMbps: 900, rdmaIsolation: true },
        ippools: { ipv4: ["rail-*"], matchMasterSubnet: true },
      },
      chainCNIJsonData: ['{"type":"tuning","sysctl":{"net.core.somaxconn":"2048"}}'],
    },
    plugins: [
      {
        ...{ type: "sriov", vlan: 12, min_tx_rate: 10, max_tx_rate: 900 },
        ipam: { ...IPAM, default_ipv4_ippool: ["rail-*"], match_master_subnet: true },
      },
      { type: "rdma" },
      { type: "tuning", sysctl: { "net.core.somaxconn": "2048" } },
      COORDINATOR,
      { type: "tuning", mtu: 4200 },
    ],
    resource: "example.com/vf",
  },
  {
    what: "sriov with its resource alone",
    spec: { cniType: "sriov", sriov: { resourceName: "example.com/vf" } },
    plugins: [
      { type: "sriov", vlan: 0, min_tx_rate: 0, max_tx_rate: 0, ipam: IPAM },
      COORDINATOR,
    ],
    resource: "example.com/vf",
  },
  {
    what: "ib-sriov",
    spec: { cniType: "ib-sriov", ibsriov: { resourceName: "example.com/ib", pkey: "0x8001" } },
    plugins: [
      {
        ...{ type: "ib-sriov", pkey: "0x8001", link_state: "enable", rdmaIsolation: true },
        ...{ ibKubernetesEnabled: false, ipam: IPAM },
      },
      COORDINATOR,
    ],
    resource: "example.com/ib",
  },
  {
    what: "ipoib",
    spec: { cniType: "ipoib", ipoib: { master: "ib0", ippools: DUAL } },
    plugins: [{ type: "ipoib", master: "ib0", ipam: DUAL_IPAM }, COORDINATOR],
  },
  {
    what: "ovs with a VLAN, trunks and a device",
    spec: {
      cniType: "ovs",
      ovs: {
        ...{ bridge: "br1", vlan: 7, deviceID: "0000:af:06.0" },
        trunk: [{ minID: 10, maxID: 20 }, { id: 30 }],
      },
    },
    plugins: [
      {
        ...{ type: "ovs", bridge: "br1", vlan: 7, deviceID: "0000:af:06.0" },
        ...{ trunk: [{ minID: 10, maxID: 20 }, { id: 30 }], ipam: IPAM },
      },
      COORDINATOR,
    ],
    resource: "ovs-cni.network.kubevirt.io/br1",
  },
  {
    what: "ovs on a bridge alone",
    spec: { cniType: "ovs", ovs: { bridge: "br1" } },
    plugins: [{ type: "ovs", bridge: "br1", vlan: 0, ipam: IPAM }, COORDINATOR],
  },
];

const WITH_COORDINATORS: readonly RenderedCase[] = [
  {
    what: "a coordinator that says everything",
    spec: {
      cniType: "macvlan",
      macvlan: { master: ["ens1"] },
      coordinator: {
        ...{ mode: "underlay", tunePodRoutes: false, podDefaultRouteNIC: "net1" },
        ...{ podMACPrefix: "0a:1b", hostRuleTable: 600, podRPFilter: 2, txQueueLen: 1000 },
        ...{ vethLinkAddress: "169.254.20.1", vethMTU: 1450 },
        hijackCIDR: ["10.9.0.0/16", "10.9.9.9"],
        policyRoutes: [{ dst: "10.8.0.0/16", gw: "10.9.0.1" }],
      },
    },
    plugins: [
      { type: "macvlan", master: "ens1", mode: "bridge", mtu: 0, ipam: IPAM },
      {
        ...{ type: "coordinator", mode: "underlay", tunePodRoutes: false },
        ...{ podDefaultRouteNic: "net1", podMACPrefix: "0a:1b", hostRuleTable: 600 },
        ...{ podRPFilter: 2, txQueueLen: 1000, vethLinkAddress: "169.254.20.1", vethMTU: 1450 },
        hijackCIDR: ["10.9.0.0/16", "10.9.9.9/32"],
        policyRoutes: [{ dst: "10.8.0.0/16", gw: "10.9.0.1" }],
      },
    ],
  },
  {
    what: "a coordinator that says what is 0, and what is empty",
    spec: {
      cniType: "macvlan",
      macvlan: { master: ["ens1"] },
      coordinator: {
        ...{ podRPFilter: 0, txQueueLen: 0, podCIDRType: "cluster", podMACPrefix: "" },
        ...{ vethLinkAddress: "", podDefaultRouteNIC: "", hijackCIDR: [], policyRoutes: [] },
      },
    },
    plugins: [
      { type: "macvlan", master: "ens1", mode: "bridge", mtu: 0, ipam: IPAM },
      { type: "coordinator", podRPFilter: 0, txQueueLen: 0 },
    ],
  },
];

/** All of them. */
export const RENDERED_CASES: readonly RenderedCase[] = [
  ...WITH_MASTERS,
  ...WITH_DEVICES,
  ...WITH_COORDINATORS,
];
