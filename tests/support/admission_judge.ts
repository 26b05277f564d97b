/** Admission without a server: the rules of a kind on one object. */
import type { StoredObject } from "../../src/base/object_store.ts";
import type { Fault } from "../../src/controller/admission/rules/fault.ts";
import {
  COORDINATOR_RULES,
  ENDPOINT_RULES,
  faultsOf,
  fillIn,
  type KindRules,
  MULTUS_RULES,
  POOL_RULES,
  RESERVED_RULES,
  type Submitted,
  SUBNET_RULES,
} from "../../src/controller/admission/rules/kind_rules.ts";
import type { AdmissionSettings } from "../../src/controller/admission/rules/settings.ts";

/** An installation with everything switched on. */
export const ADMISSION_SETTINGS: AdmissionSettings = {
  enableIPv4: true,
  enableIPv6: true,
  enableSpiderSubnet: true,
  refuseDeletionInUse: false,
  coordinatorName: "default",
  gatesNodes: true,
};

function faultsWith<T extends StoredObject>(
  rules: KindRules<T>,
  submitted: Submitted,
): readonly Fault[] {
  const filled = fillIn(rules, submitted);
  if (!filled.ok) return filled.error;
  return filled.value === undefined ? [] : faultsOf(rules, filled.value);
}

/** What the rules say against an object by itself. */
export function faultsFor(submitted: Submitted): readonly Fault[] {
  switch (submitted.object.kind) {
    case "SpiderIPPool":
      return faultsWith(POOL_RULES, submitted);
    case "SpiderSubnet":
      return faultsWith(SUBNET_RULES, submitted);
    case "SpiderReservedIP":
      return faultsWith(RESERVED_RULES, submitted);
    case "SpiderCoordinator":
      return faultsWith(COORDINATOR_RULES, submitted);
    case "SpiderMultusConfig":
      return faultsWith(MULTUS_RULES, submitted);
    default:
      return faultsWith(ENDPOINT_RULES, submitted);
  }
}
