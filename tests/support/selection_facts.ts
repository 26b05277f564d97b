/** What selection is asked: small, whole, and overridable. */
import type { Pod } from "../../src/api/kubernetes/pod.ts";
import { ok } from "../../src/base/result.ts";
import { IPV4, IPV6, RangeSet } from "../../src/ip/mod.ts";
import type { SelectionFacts } from "../../src/ipam/selection.ts";
import type { IpamSettings } from "../../src/ipam/settings.ts";
import type { TopController } from "../../src/ipam/top_controller.ts";
import type { NicRequest, WishFacts } from "../../src/ipam/wish.ts";
import { podOf } from "./decision_objects.ts";

/** What a chart installs, without SpiderSubnet. */
export const SETTINGS: IpamSettings = {
  ipv4: true,
  ipv6: true,
  statefulSet: true,
  kubevirt: true,
  spiderSubnet: false,
  autoPool: false,
  agentNamespace: "spiderpool",
  clusterNetwork: "",
  conflictDetection: false,
  gatewayDetection: false,
  releaseConflicting: true,
};

const WEB: TopController = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  name: "web",
  namespace: "default",
  uid: "u",
};

/** An ADD of `eth0` whose configuration names no pool. */
export function requestOf(changes: Partial<NicRequest> = {}): NicRequest {
  return {
    nic: "eth0",
    defaultIpv4Pools: [],
    defaultIpv6Pools: [],
    cleanGateway: false,
    matchMasterSubnet: false,
    ...changes,
  };
}

/** A pod like that of `podOf` with these annotations and labels. */
export function podWith(
  annotations: Readonly<Record<string, string>> = {},
  labels: Readonly<Record<string, string>> = {},
): Pod {
  return podOf({ metadata: { annotations, labels } });
}

/** What a wish follows from: a pod and a namespace that say nothing. */
export function wishFactsOf(changes: Partial<WishFacts> = {}): WishFacts {
  return {
    pod: podWith(),
    namespaceAnnotations: {},
    request: requestOf(),
    controller: WEB,
    settings: SETTINGS,
    ...changes,
  };
}

/** The pod of `podOf` on node `n1`, both without labels, a Deployment above it, and no pool. */
export function selectionFactsOf(changes: Partial<SelectionFacts> = {}): SelectionFacts {
  return {
    pod: podWith(),
    nodeName: "n1",
    nodeLabels: {},
    namespaceLabels: {},
    controller: WEB,
    masterSubnets: ok([]),
    matchMasterSubnet: false,
    pools: new Map(),
    reserved: { ipv4: RangeSet.empty(IPV4), ipv6: RangeSet.empty(IPV6) },
    settings: SETTINGS,
    ...changes,
  };
}
