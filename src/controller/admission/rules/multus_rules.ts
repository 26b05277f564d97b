/** SpiderMultusConfig: what is refused by the object alone. */
import {
  ANNOTATION_CNI_CONFIG_NAME,
  ANNOTATION_CNI_VERSION,
  ANNOTATION_CR_NAME,
  ANNOTATION_NETWORK_INJECT,
  ANNOTATION_RDMA_INJECT,
} from "../../../api/annotations.ts";
import { CNI_VERSIONS } from "../../../api/cni_config.ts";
import { isRecord } from "../../../api/decode.ts";
import {
  CNI_TYPE_FIELDS,
  CNI_TYPES,
  type CniType,
  type SpiderMultusConfig,
} from "../../../api/multus_config.ts";
import { choices } from "../../../api/problem.ts";
import { coordinatorSpecFaults } from "./coordinator_rules.ts";
import { type Fault, fault, type FieldPath, forbidden, missing } from "./fault.ts";
import { blockFaults, blockPools, blockResource } from "./multus_blocks.ts";
import { GROUP_REMEDY, isLabelValue, isObjectName, NAME_REMEDY } from "./names.ts";
import type { Reviewed } from "./settings.ts";

/** Name of a network, as runtimes and plugins take it. */
const NETWORK_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;

/** Name of the NetworkAttachmentDefinition that a configuration is kept as. */
export function attachmentName({ metadata }: SpiderMultusConfig): string {
  return metadata.annotations?.[ANNOTATION_CR_NAME] ?? metadata.name;
}

/** Lists what is wrong with a network. */
export function multusFaults(reviewed: Reviewed<SpiderMultusConfig>): readonly Fault[] {
  const { object } = reviewed;
  const { spec } = object;
  const at = ["spec", "coordinator"];
  return [
    ...nameFaults(reviewed),
    ...versionFaults(object),
    ...configNameFaults(object),
    ...choiceFaults(object),
    ...blockFaults(spec),
    ...spec.cniType === "custom" ? customFaults(spec.customCNI) : [],
    ...injectionFaults(object),
    ...spec.coordinator === undefined || spec.cniType === "custom"
      ? []
      : coordinatorSpecFaults(spec.coordinator, at),
    ...(spec.chainCNIJsonData ?? []).flatMap((text, index) => {
      return pluginFaults(text, ["spec", "chainCNIJsonData", index]);
    }),
  ];
}

function annotationPath(key: string): FieldPath {
  return ["metadata", "annotations", key];
}

function nameFaults({ object, previous }: Reviewed<SpiderMultusConfig>): readonly Fault[] {
  const path = annotationPath(ANNOTATION_CR_NAME);
  const name = object.metadata.annotations?.[ANNOTATION_CR_NAME];
  const before = previous?.metadata.annotations?.[ANNOTATION_CR_NAME];
  if (previous !== undefined && name !== before) {
    const remedy = before === undefined ? "remove it" : `write ${JSON.stringify(before)}`;
    const why = "the NetworkAttachmentDefinition keeps its name, pods refer to it; " +
      `${remedy}, or create another SpiderMultusConfig`;
    return [forbidden(path, name, { why })];
  }
  if (name === undefined || isObjectName(name)) return [];
  const why = `it is no name of a NetworkAttachmentDefinition; write ${NAME_REMEDY}`;
  return [fault(path, name, { why })];
}

function versionFaults({ metadata }: SpiderMultusConfig): readonly Fault[] {
  const version = metadata.annotations?.[ANNOTATION_CNI_VERSION];
  if (version === undefined || CNI_VERSIONS.some((known) => known === version)) return [];
  const why = `no configuration of this version can be made; write ${choices(CNI_VERSIONS)}`;
  return [{
    ...fault(annotationPath(ANNOTATION_CNI_VERSION), version, { why }),
    reason: "FieldValueNotSupported",
  }];
}

function configNameFaults({ metadata }: SpiderMultusConfig): readonly Fault[] {
  const name = metadata.annotations?.[ANNOTATION_CNI_CONFIG_NAME];
  if (name === undefined || NETWORK_NAME.test(name)) return [];
  const why = 'it is no name of a network; write letters, digits, "-", "_" and ".", a letter or ' +
    "digit first";
  return [fault(annotationPath(ANNOTATION_CNI_CONFIG_NAME), name, { why })];
}

/** The block of the type is there, and no other. */
function choiceFaults({ spec }: SpiderMultusConfig): readonly Fault[] {
  const { cniType } = spec;
  const field = CNI_TYPE_FIELDS[cniType];
  const faults: Fault[] = [];
  if (cniType !== "custom" && spec[field] === undefined) {
    faults.push(missing(["spec", field], { write: `the configuration of cniType "${cniType}"` }));
  }
  for (const type of CNI_TYPES.filter((one) => one !== cniType)) {
    const other = CNI_TYPE_FIELDS[type];
    if (isBlockAbsent(spec[other], type)) continue;
    const why = `cniType is "${cniType}"; remove it, or write cniType "${type}"`;
    faults.push(forbidden(["spec", other], undefined, { why }));
  }
  return faults;
}

function isBlockAbsent(block: unknown, type: CniType): boolean {
  return block === undefined || (type === "custom" && block === "");
}

function customFaults(text: string | undefined): readonly Fault[] {
  if (text === undefined || text === "") return [];
  const path = ["spec", "customCNI"];
  const value = parsed(text);
  if (value === undefined) {
    return [fault(path, text, { why: "it is not JSON; write a CNI configuration as JSON" })];
  }
  const isConfiguration = isRecord(value) &&
    (isPlugin(value) || (Array.isArray(value.plugins) && value.plugins.every(isPlugin) &&
      value.plugins.length > 0));
  if (isConfiguration) return [];
  const why = 'it is no CNI configuration; write an object with "type", or with "plugins" that ' +
    'each have a "type"';
  return [fault(path, text, { why })];
}

function pluginFaults(text: string, path: FieldPath): readonly Fault[] {
  const value = parsed(text);
  if (value === undefined) {
    return [fault(path, text, { why: "it is not JSON; write the configuration of one plugin" })];
  }
  if (isPlugin(value)) return [];
  const why = 'it is no plugin; write an object with the "type" of the plugin';
  return [fault(path, text, { why })];
}

function isPlugin(value: unknown): boolean {
  return isRecord(value) && typeof value.type === "string" && value.type !== "";
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Pods are given the resource of the network, and pools for its NIC. */
function injectionFaults(object: SpiderMultusConfig): readonly Fault[] {
  const { spec, metadata } = object;
  const faults: Fault[] = [];
  for (const key of [ANNOTATION_RDMA_INJECT, ANNOTATION_NETWORK_INJECT]) {
    const group = metadata.annotations?.[key];
    if (group === undefined) continue;
    const path = annotationPath(key);
    if (group === "" || !isLabelValue(group)) {
      const why = `it is no name of a group, as the value of a label is one; write ${GROUP_REMEDY}`;
      faults.push(fault(path, group, { why }));
    }
    if (spec.cniType === "custom" || spec.cniType === "ovs") {
      const why = `a network of cniType "${spec.cniType}" has no resource to give to pods; ` +
        `remove the annotation`;
      faults.push(forbidden(path, group, { why }));
      continue;
    }
    const resource = blockResource(spec);
    const isNamed = resource.value !== "";
    if (key === ANNOTATION_RDMA_INJECT && !isNamed) {
      const write = `the resource that annotation "${key}" gives to pods`;
      faults.push(missing(resource.path, { write }));
    }
    const { ipv4 = [], ipv6 = [] } = blockPools(spec) ?? {};
    if ((key === ANNOTATION_RDMA_INJECT || isNamed) && ipv4.length + ipv6.length === 0) {
      const write = `at least one SpiderIPPool, since annotation "${key}" adds the network to pods`;
      faults.push(missing(["spec", CNI_TYPE_FIELDS[spec.cniType], "ippools"], { write }));
    }
  }
  return faults;
}
