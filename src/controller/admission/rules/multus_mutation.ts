/** SpiderMultusConfig: what is filled in. */
import { ANNOTATION_NETWORK_INJECT, ANNOTATION_RDMA_INJECT } from "../../../api/annotations.ts";
import type { MultusConfigSpec, SpiderMultusConfig } from "../../../api/multus_config.ts";
import type { StoredObject } from "../../../base/object_store.ts";
import { withDestinations } from "./coordinator_rules.ts";
import { withLabels } from "./mutation.ts";
import type { Reviewed } from "./settings.ts";

/** Annotations that pods are matched with by a label of the same key and value. */
const INJECTED = [ANNOTATION_RDMA_INJECT, ANNOTATION_NETWORK_INJECT];

/**
 * Fills in zeros and empty texts, keeps type `custom` without a coordinator, and the labels equal
 * to the annotations that they are copied from.
 *
 * Unlike the reference it writes no coordinator where there is none: the SpiderCoordinator then
 * counts, as its documentation says; and an empty `customCNI` is as good as none for other types,
 * so that the type can be changed.
 *
 * @source spiderpool `pkg/multuscniconfig/multusconfig_mutate.go`
 */
export function mutateMultusConfig(
  { object, previous }: Reviewed<SpiderMultusConfig>,
): SpiderMultusConfig {
  const filled = { ...object, spec: withBlocks(withoutEmptyCustom(withCoordinator(object.spec))) };
  return withInjectedLabels(filled, previous);
}

/** Copies the annotations that ask for networks to labels: selectors see nothing else. */
export function withInjectedLabels<T extends StoredObject>(
  object: T,
  previous: StoredObject | undefined,
): T {
  const { metadata } = object;
  const labels = INJECTED.flatMap((key) => {
    const value = metadata.annotations?.[key];
    if (value !== undefined) return [[key, value]];
    // Only what was copied is taken away, never a label that somebody wrote.
    const copied = previous?.metadata.annotations?.[key];
    return copied !== undefined && metadata.labels?.[key] === copied ? [[key, undefined]] : [];
  });
  return withLabels(object, Object.fromEntries(labels));
}

function withCoordinator(spec: MultusConfigSpec): MultusConfigSpec {
  const { coordinator, ...rest } = spec;
  if (spec.cniType === "custom") return { ...rest, enableCoordinator: false };
  return coordinator === undefined ? spec : { ...spec, coordinator: withDestinations(coordinator) };
}

function withoutEmptyCustom(spec: MultusConfigSpec): MultusConfigSpec {
  if (spec.cniType === "custom" || spec.customCNI !== "") return spec;
  const { customCNI: _customCNI, ...rest } = spec;
  return rest;
}

function withBlocks(spec: MultusConfigSpec): MultusConfigSpec {
  const { macvlan, ipvlan, vlan, sriov, ibsriov, ovs } = spec;
  return {
    ...spec,
    chainCNIJsonData: spec.chainCNIJsonData ?? [],
    ...macvlan === undefined ? {} : { macvlan: { vlanID: 0, ...withMaster(macvlan) } },
    ...ipvlan === undefined ? {} : { ipvlan: { vlanID: 0, ...withMaster(ipvlan) } },
    ...vlan === undefined ? {} : {
      vlan: vlan.vlanMode === "auto" ? withMaster(vlan) : { vlanID: 0, ...withMaster(vlan) },
    },
    ...sriov === undefined ? {} : {
      sriov: { vlanID: 0, minTxRateMbps: 0, maxTxRateMbps: 0, ...sriov },
    },
    ...ibsriov === undefined ? {} : { ibsriov: { pkey: "", ...ibsriov } },
    ...ovs === undefined ? {} : { ovs: { vlan: 0, ...ovs } },
  };
}

type MasterBlock = NonNullable<MultusConfigSpec["macvlan"]>;

function withMaster<B extends MasterBlock>(block: B): B {
  const { bond } = block;
  return {
    rdmaResourceName: "",
    ...block,
    ...bond === undefined ? {} : { bond: { options: "", ...bond } },
  };
}
