/** Every way in which a NIC is refused an address, and the one sentence that a person reads. */
import type { NicTrace } from "./trace.ts";

/** Which rule names the pools of a NIC, from the strongest to the weakest. */
export type PoolRule = "subnets" | "ippools" | "ippool" | "namespace" | "cni" | "default";

/** Why a rule that applies gives a NIC no pool at all. */
export type NoPoolReason =
  /** It names no pool. */
  | { readonly kind: "none_named" }
  /** It names pools only of families that the installation has switched off. */
  | { readonly kind: "family_off"; readonly versions: readonly (4 | 6)[] }
  /** Its patterns match no pool of their family. */
  | {
    readonly kind: "no_match";
    readonly lists: readonly {
      readonly version: 4 | 6;
      readonly patterns: readonly string[];
    }[];
  };

/** What the user wrote is wrong. */
export type WrongInput =
  /** An annotation that cannot be read; `message` names field, value and remedy. */
  | {
    readonly code: "bad_annotation";
    readonly on: "pod" | "namespace";
    /** `namespace/name` of the pod, or the namespace. */
    readonly name: string;
    readonly message: string;
  }
  /** A list names one pool twice. `field` is where. */
  | {
    readonly code: "duplicate_pool";
    readonly nic: string;
    readonly pool: string;
    readonly field: string;
  }
  /** More than anybody means to: each costs work at every start of a pod. */
  | {
    readonly code: "too_many_pools";
    readonly rule: PoolRule;
    readonly what: "names" | "patterns";
    readonly count: number;
    readonly max: number;
  }
  /** A wildcard that no name can be compared with. */
  | {
    readonly code: "bad_pattern";
    readonly nic: string;
    readonly pattern: string;
    /** Ends the sentence that `it` begins. */
    readonly problem: string;
  }
  /** The pod says which NICs get addresses, and the one being added is not among them. */
  | {
    readonly code: "nic_not_listed";
    readonly annotation: string;
    readonly nic: string;
    readonly listed: readonly string[];
  }
  /** As many NICs were added as the positional list of the pod has items. */
  | { readonly code: "nic_beyond_list"; readonly nic: string; readonly count: number }
  /** The pod asks for the address of a NIC that none of its networks has. */
  | {
    readonly code: "nic_unknown";
    readonly nic: string;
    /** Where the pod's list goes by position, from 0. */
    readonly position?: number | undefined;
    /** NICs that the pod's networks have, beside its first. */
    readonly networks: readonly string[];
  }
  /** The pod asks for a pool out of a SpiderSubnet. */
  | {
    readonly code: "subnet_disabled";
    readonly annotation: string;
    /** Which switch is off. */
    readonly feature: "spiderSubnet" | "autoPool";
  }
  /** The pod asks for a pool of its application, and belongs to none. */
  | { readonly code: "no_application"; readonly pod: string; readonly annotation: string };

/**
 * There is no pool to take an address from. `said` is a sentence of whoever lends addresses to the
 * pools.
 */
export type NoPool =
  /** No rule gives the NIC a pool. */
  | {
    readonly code: "no_candidates";
    readonly nic: string;
    readonly rule: PoolRule;
    readonly reason: NoPoolReason;
  }
  /** Rules left out each pool of at least one family. Traces of those families, at least one. */
  | {
    readonly code: "all_filtered";
    readonly traces: readonly NicTrace[];
    readonly said?: string | undefined;
  }
  /** The pools of the pod's application were waited for, and did not come. */
  | {
    readonly code: "pool_not_made";
    readonly nic: string;
    /** At least one. */
    readonly pools: readonly { readonly version: 4 | 6; readonly subnet: string }[];
    /** As messages name it: `Deployment "default/web"`. */
    readonly application: string;
    readonly waitedMs: number;
    readonly said?: string | undefined;
  };

/** There are pools, and no address could be had. */
export type NoAddress =
  /** Nothing is left of any pool. `said`: as of `NoPool`. */
  | {
    readonly code: "exhausted";
    readonly trace: NicTrace;
    readonly said?: string | undefined;
  }
  /** Others were faster, each time. */
  | { readonly code: "contended"; readonly trace: NicTrace };

/** The pod is not one that may have addresses. */
export type NoPod =
  /** `reason` ends the sentence that the pod begins (`isDead`). */
  | { readonly code: "pod_dead"; readonly pod: string; readonly reason: string }
  | { readonly code: "pod_gone"; readonly pod: string }
  | {
    readonly code: "uid_mismatch";
    readonly pod: string;
    /** UID of the pod that the runtime adds a NIC to. */
    readonly asked: string;
    /** UID of the pod of that name now. */
    readonly found: string;
  }
  /** The pod of that name is on another node. `found` is empty for a pod that is on none yet. */
  | {
    readonly code: "other_node";
    readonly pod: string;
    readonly asked: string;
    readonly found: string;
  };

/** It could not be done now, whatever the user wrote. */
export type NotNow =
  /** `what` was not done in time, as the end of `while ...`. */
  | { readonly code: "deadline"; readonly what: string; readonly cause: string }
  | { readonly code: "queue_full"; readonly max: number }
  /** The network provider does not say the VLAN of an address. */
  | { readonly code: "provider"; readonly message: string }
  | { readonly code: "namespace_unknown"; readonly namespace: string }
  /** The API server could not be asked. */
  | { readonly code: "unavailable"; readonly message: string }
  /** The API server said no for good. */
  | { readonly code: "forbidden"; readonly message: string }
  /** A fixed address is somebody else's at the moment. `reason` is a sentence without full stop. */
  | { readonly code: "address_held"; readonly address: string; readonly reason: string }
  /** Objects contradict each other. `message` is a sentence: what, and the remedy. */
  | { readonly code: "data_broken"; readonly message: string };

/** Why a NIC gets no address. */
export type Refusal = WrongInput | NoPool | NoAddress | NoPod | NotNow;

/** What a metric counts a refusal as. */
export type RefusalClass =
  | "wrong_input"
  | "no_available_pool"
  | "ip_used_out"
  | "retries_exhausted"
  | "internal";

/** Which error of the documented metrics a refusal is. */
export function classOfRefusal(refusal: Refusal): RefusalClass {
  switch (refusal.code) {
    case "bad_annotation":
    case "duplicate_pool":
    case "too_many_pools":
    case "bad_pattern":
    case "nic_not_listed":
    case "nic_beyond_list":
    case "nic_unknown":
    case "subnet_disabled":
    case "no_application":
      return "wrong_input";
    case "no_candidates":
    case "all_filtered":
    case "pool_not_made":
      return "no_available_pool";
    case "exhausted":
      return "ip_used_out";
    case "contended":
    case "deadline":
      return "retries_exhausted";
    default:
      return "internal";
  }
}
