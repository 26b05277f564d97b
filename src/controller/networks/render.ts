/** The NetworkAttachmentDefinition that a SpiderMultusConfig is kept as. Pure. */
import {
  ANNOTATION_CNI_CONFIG_NAME,
  ANNOTATION_CNI_VERSION,
  ANNOTATION_RESOURCE_NAME,
} from "../../api/annotations.ts";
import { CNI_VERSION_DEFAULT } from "../../api/cni_config.ts";
import type { CoordinatorOverride } from "../../api/coordinator.ts";
import type { MultusConfigSpec, SpiderMultusConfig } from "../../api/multus_config.ts";
import { assert, unreachable } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { faultSentence } from "../admission/rules/fault.ts";
import { mutateMultusConfig } from "../admission/rules/multus_mutation.ts";
import { attachmentName, multusFaults } from "../admission/rules/multus_rules.ts";
import type { AdmissionSettings } from "../admission/rules/settings.ts";

/** What a definition must say. */
export interface RenderedNetwork {
  readonly name: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** A CNI configuration as JSON; absent: Multus looks for a file of this name. */
  readonly config?: string;
}

/** One plugin of a configuration; an `undefined` member is left out. */
type Plugin = Readonly<Record<string, unknown>> & { readonly type: string };
type Block<K extends keyof MultusConfigSpec> = NonNullable<MultusConfigSpec[K]>;

/** Annotations that stay where they are: they tell what was applied to that very object. */
const NOT_COPIED = "kubectl.kubernetes.io/";

/**
 * Renders a network as admission would have stored it, so that one which no webhook saw is as good.
 *
 * @returns Or what is wrong with it, one sentence for each field.
 * @source spiderpool `pkg/multuscniconfig/multusconfig_informer.go`, whose configurations these are
 *   but for what it loses: `hostRuleTable`, and `podRPFilter` without `podCIDRType`. What the
 *   coordinator leaves out is left out here, so that the SpiderCoordinator counts.
 */
export function renderNetwork(
  network: SpiderMultusConfig,
  { settings }: { readonly settings: AdmissionSettings },
): Result<RenderedNetwork, string> {
  const reviewed = { previous: undefined, settings };
  const object = mutateMultusConfig({ ...reviewed, object: network });
  const faults = multusFaults({ ...reviewed, object });
  if (faults.length > 0) return err(faults.map(faultSentence).join(". "));
  const config = configOf(object);
  return ok({
    name: attachmentName(object),
    annotations: annotationsOf(object),
    ...config === undefined ? {} : { config },
  });
}

function annotationsOf({ metadata, spec }: SpiderMultusConfig): Record<string, string> {
  const copied = Object.entries(metadata.annotations ?? {}).filter(([key]) => {
    return !key.startsWith(NOT_COPIED);
  });
  const resource = resourceOf(spec);
  return {
    ...Object.fromEntries(copied),
    ...resource === undefined ? {} : { [ANNOTATION_RESOURCE_NAME]: resource },
  };
}

/** The device plugin resource that Multus gives a device of to the main plugin. */
function resourceOf(spec: MultusConfigSpec): string | undefined {
  switch (spec.cniType) {
    case "sriov":
      return spec.sriov?.resourceName;
    case "ib-sriov":
      return spec.ibsriov?.resourceName;
    case "ovs": {
      const { bridge, deviceID = "" } = given(spec.ovs);
      return deviceID === "" ? undefined : `ovs-cni.network.kubevirt.io/${bridge}`;
    }
    default:
      return undefined;
  }
}

function configOf(network: SpiderMultusConfig): string | undefined {
  const { spec, metadata: { annotations = {} } } = network;
  if (spec.cniType === "custom") return spec.customCNI === "" ? undefined : spec.customCNI;
  return JSON.stringify({
    cniVersion: annotations[ANNOTATION_CNI_VERSION] ?? CNI_VERSION_DEFAULT,
    name: annotations[ANNOTATION_CNI_CONFIG_NAME] ?? attachmentName(network),
    plugins: [
      ...mainPlugins(spec),
      ...(spec.chainCNIJsonData ?? []).map((text): unknown => JSON.parse(text)),
      ...spec.enableCoordinator ? [coordinatorPlugin(spec.coordinator)] : [],
      ...lastPlugins(spec),
    ],
  });
}

/** What makes the NIC, after what makes its master. */
function mainPlugins(spec: MultusConfigSpec): readonly Plugin[] {
  const { cniType } = spec;
  switch (cniType) {
    case "macvlan": {
      const { mtu, ippools, ...master } = given(spec.macvlan);
      const own = { type: cniType, master: masterName(master), mode: "bridge", mtu };
      return [...masterPlugins(master), { ...own, ...ipam(spec, ippools) }];
    }
    case "ipvlan": {
      const { mtu, ippools, ...master } = given(spec.ipvlan);
      const own = { type: cniType, master: masterName(master), mtu };
      return [...masterPlugins(master), { ...own, ...ipam(spec, ippools) }];
    }
    case "vlan": {
      const { mtu, ippools, vlanMode, vlanID, ...rest } = given(spec.vlan);
      const master = { ...rest, vlanID: 0 }; // The plugin makes the VLAN itself, in the pod.
      const tag = vlanMode === "manual" ? { vlanId: vlanID } : {};
      const own = { type: cniType, master: masterName(master), vlanMode, ...tag, mtu };
      return [...masterPlugins(master), { ...own, ...ipam(spec, ippools) }];
    }
    case "sriov":
      return sriovPlugins(spec, given(spec.sriov));
    case "ib-sriov": {
      const { pkey, linkState, rdmaIsolation, enableIbKubernetes, ippools } = given(spec.ibsriov);
      const own = { type: cniType, pkey, link_state: linkState, rdmaIsolation };
      return [{ ...own, ibKubernetesEnabled: enableIbKubernetes, ...ipam(spec, ippools) }];
    }
    case "ipoib": {
      const { master, ippools } = given(spec.ipoib);
      return [{ type: cniType, master, ...ipam(spec, ippools) }];
    }
    case "ovs": {
      const { bridge, vlan, trunk = [], deviceID = "", ippools } = given(spec.ovs);
      const own = { type: cniType, bridge, vlan, ...deviceID === "" ? {} : { deviceID } };
      return [{ ...own, ...trunk.length === 0 ? {} : { trunk }, ...ipam(spec, ippools) }];
    }
    case "custom":
      return [];
    default:
      return unreachable(cniType);
  }
}

function sriovPlugins(spec: MultusConfigSpec, block: Block<"sriov">): readonly Plugin[] {
  const { vlanID: vlan, minTxRateMbps, maxTxRateMbps, rdmaIsolation, ippools } = block;
  const own = { type: "sriov", vlan, min_tx_rate: minTxRateMbps, max_tx_rate: maxTxRateMbps };
  const main = { ...own, ...ipam(spec, ippools) };
  return rdmaIsolation ? [main, { type: "rdma" }] : [main];
}

/** A virtual function gets its MTU when everything else is done. */
function lastPlugins({ cniType, sriov }: MultusConfigSpec): readonly Plugin[] {
  const mtu = cniType === "sriov" ? given(sriov).mtu : 0;
  return mtu > 0 ? [{ type: "tuning", mtu }] : [];
}

type Master = Pick<Block<"macvlan">, "master" | "bond" | "vlanID">;

/** The interface that `masterPlugins` leaves. */
function masterName({ master, bond, vlanID = 0 }: Master): string {
  const parent = master.length > 1 ? bond?.name : master[0];
  assert(parent !== undefined, "the rules refuse a network without a master");
  return vlanID === 0 ? parent : `${parent}.${vlanID}`;
}

/** What makes a bond of several masters, and a VLAN on the master. */
function masterPlugins({ master, bond, vlanID = 0 }: Master): readonly Plugin[] {
  const isBonded = master.length > 1;
  if (vlanID === 0 && !isBonded) return [];
  const tag = vlanID === 0 ? {} : { vlanID };
  return [{ type: "ifacer", interfaces: master, ...tag, ...isBonded ? { bond } : {} }];
}

function ipam(
  { disableIPAM, cniType }: MultusConfigSpec,
  pools: Partial<NonNullable<Block<"macvlan">["ippools"]>> = {},
): { readonly ipam?: Plugin } {
  if (disableIPAM) return {};
  const { ipv4 = [], ipv6 = [], matchMasterSubnet = false } = pools;
  return {
    ipam: {
      type: "spiderpool",
      ...ipv4.length === 0 ? {} : { default_ipv4_ippool: ipv4 },
      ...ipv6.length === 0 ? {} : { default_ipv6_ippool: ipv6 },
      ...cniType === "sriov" && matchMasterSubnet ? { match_master_subnet: true } : {},
    },
  };
}

/** What is absent or empty is as the SpiderCoordinator says. */
function coordinatorPlugin(coordinator: CoordinatorOverride = {}): Plugin {
  const { mode, podMACPrefix, podDefaultRouteNIC, vethLinkAddress, vethMTU } = coordinator;
  const { hijackCIDR = [], policyRoutes = [], tunePodRoutes } = coordinator;
  const { hostRuleTable, podRPFilter, txQueueLen } = coordinator;
  return {
    type: "coordinator",
    mode,
    tunePodRoutes,
    podDefaultRouteNic: podDefaultRouteNIC || undefined,
    podMACPrefix: podMACPrefix || undefined,
    hostRuleTable,
    podRPFilter,
    txQueueLen,
    vethLinkAddress: vethLinkAddress || undefined,
    vethMTU,
    hijackCIDR: hijackCIDR.length === 0 ? undefined : hijackCIDR,
    policyRoutes: policyRoutes.length === 0 ? undefined : policyRoutes,
  };
}

function given<T>(block: T | undefined): T {
  assert(block !== undefined, "the rules refuse a network without the block of its type");
  return block;
}
