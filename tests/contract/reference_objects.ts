/**
 * One object of each kind of the reference with every field that its definitions know, none of them
 * at its default.
 */
import type { TestObject } from "./kubectl.ts";

const apiVersion = "spiderpool.spidernet.io/v2beta1";

const selector = {
  matchLabels: { "app.example.com/name": "a" },
  matchExpressions: [
    { key: "tier", operator: "In", values: ["one", "two"] },
    { key: "old", operator: "DoesNotExist" },
  ],
};

const coordinator = {
  mode: "disabled",
  podCIDRType: "calico",
  hijackCIDR: ["169.254.0.0/16", "10.1.1.1"],
  policyRoutes: [{ dst: "10.8.0.0/16", gw: "10.9.0.1" }],
  podMACPrefix: "0a:1b",
  tunePodRoutes: false,
  podDefaultRouteNIC: "net1",
  hostRuleTable: 600,
  podRPFilter: -1,
  txQueueLen: 2000,
  vethLinkAddress: "169.254.100.1",
  vethMTU: 1400,
};

const ippools = { ipv4: ["p4", "q-*"], ipv6: ["p6"], matchMasterSubnet: true };

const master = {
  master: ["eth1", "eth2"],
  mtu: 9000,
  vlanID: 4094,
  bond: { name: "bond0", mode: 6, options: "primary=eth1;arp_interval=1" },
  rdmaResourceName: "example.com/rdma",
  ippools,
};

const OBJECTS = [
  {
    apiVersion,
    kind: "SpiderIPPool",
    namespaced: false,
    spec: {
      ipVersion: 4,
      subnet: "10.6.0.0/16",
      ips: ["10.6.0.10-10.6.0.20", "10.6.0.30"],
      excludeIPs: ["10.6.0.15"],
      gateway: "10.6.0.1",
      routes: [{ dst: "10.7.0.0/16", gw: "10.6.0.2" }],
      podAffinity: selector,
      namespaceAffinity: selector,
      namespaceName: ["n1", "n2"],
      nodeAffinity: selector,
      nodeName: ["node1"],
      multusName: ["kube-system/macvlan", "ipvlan"],
      default: true,
      disable: true,
    },
    status: {
      allocatedIPs: '{"10.6.0.10":{"pod":"d/a","podUid":"u"}}',
      allocatedIPCount: 1,
      totalIPCount: 11,
    },
  },
  {
    apiVersion,
    kind: "SpiderSubnet",
    namespaced: false,
    spec: {
      ipVersion: 6,
      subnet: "fd00:6::/64",
      ips: ["fd00:6::10-fd00:6::20"],
      excludeIPs: ["fd00:6::15"],
      gateway: "fd00:6::1",
      routes: [{ dst: "::/1", gw: "fd00:6::2" }],
    },
    status: {
      controlledIPPools: '{"p":{"ips":["fd00:6::10"],"application":"apps_v1_Deployment_d_a"}}',
      allocatedIPCount: 1,
      totalIPCount: 16,
    },
  },
  {
    apiVersion,
    kind: "SpiderReservedIP",
    namespaced: false,
    spec: { ipVersion: 4, ips: ["10.6.0.1", "10.6.255.0-10.6.255.255"] },
  },
  {
    apiVersion,
    kind: "SpiderEndpoint",
    namespaced: true,
    status: {
      current: {
        uid: "6d0c",
        node: "node1",
        ips: [{
          interface: "eth0",
          ipv4: "10.6.0.10/16",
          ipv6: "fd00:6::10/64",
          ipv4Pool: "p4",
          ipv6Pool: "p6",
          vlan: 7,
          ipv4Gateway: "10.6.0.1",
          ipv6Gateway: "fd00:6::1",
          cleanGateway: true,
          routes: [{ dst: "10.7.0.0/16", gw: "10.6.0.2" }, {
            dst: "fd00:7::/64",
            gw: "fd00:6::2",
          }],
          mac: "aa:bb:cc:dd:ee:ff",
        }, { interface: "", vlan: 4094 }],
      },
      ownerControllerType: "StatefulSet",
      ownerControllerName: "web",
    },
  },
  {
    apiVersion,
    kind: "SpiderCoordinator",
    namespaced: false,
    spec: coordinator,
    status: {
      phase: "Synced",
      reason: "none",
      overlayPodCIDR: ["10.244.0.0/16"],
      serviceCIDR: ["10.96.0.0/16"],
    },
  },
  {
    apiVersion,
    kind: "SpiderMultusConfig",
    namespaced: true,
    spec: {
      cniType: "ib-sriov",
      enableCoordinator: false,
      disableIPAM: true,
      macvlan: master,
      ipvlan: master,
      vlan: { ...master, vlanMode: "auto" },
      sriov: {
        resourceName: "example.com/sriov",
        vlanID: 5,
        mtu: 4200,
        minTxRateMbps: 10,
        maxTxRateMbps: 20,
        rdmaIsolation: true,
        ippools,
      },
      ibsriov: {
        resourceName: "example.com/ib",
        pkey: "0x8001",
        linkState: "disable",
        rdmaIsolation: false,
        enableIbKubernetes: true,
        ippools,
      },
      ipoib: { master: "ib0", ippools },
      ovs: {
        bridge: "br1",
        vlan: 7,
        trunk: [{ minID: 10, maxID: 20 }, { id: 4094 }],
        deviceID: "0000:af:06.0",
        ippools,
      },
      coordinator,
      chainCNIJsonData: ['{"type":"tuning"}'],
      customCNI: '{"cniVersion":"0.3.1"}',
    },
  },
  {
    apiVersion: "k8s.cni.cncf.io/v1",
    kind: "NetworkAttachmentDefinition",
    namespaced: true,
    spec: { config: '{"cniVersion":"0.3.1"}' },
  },
];

/** The objects, under one name; kinds that have a namespace are in `namespace`. */
export function referenceObjects(
  { name, namespace }: { readonly name: string; readonly namespace: string },
): readonly TestObject[] {
  return OBJECTS.map(({ namespaced, ...object }) => {
    return { ...object, metadata: namespaced ? { name, namespace } : { name } };
  });
}
