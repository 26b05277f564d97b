/** What a decision about a NIC looks like. */
import type { KernelOperation, Step } from "./operation.ts";
import type { CoordinatorRecord } from "./record.ts";

/** What the ADD of a NIC does, and what its result and its neighbours are told. */
export interface Plan {
  /** Empty if all is as wished. */
  readonly steps: readonly Step[];
  /**
   * To be stored before the first step is done, also if there is none: earlier steps of the same
   * NIC are in it.
   */
  readonly record: CoordinatorRecord;
  /** Facts must be read and planned again after the steps: they say what could not be known now. */
  readonly isPartial: boolean;
  readonly outcome: PlanOutcome;
}

/** What is true once a plan is done. */
export interface PlanOutcome {
  readonly mode: "underlay" | "overlay";
  readonly isFirst: boolean;
  /** Hardware address of the NIC. */
  readonly mac?: string;
  /**
   * Has the kernel tell the neighbours where the addresses are, when all is done; it changes
   * nothing. Absent where it cannot: an ipvlan has no hardware address of its own to set.
   */
  readonly notice?: KernelOperation;
  /** The pair that was made for the pod; absent in overlay mode, and for further NICs. */
  readonly veth?: {
    readonly podName: string;
    readonly podMac: string;
    readonly nodeName: string;
    readonly nodeMac: string;
  };
  /** Addresses of the NIC, without prefix length. */
  readonly addresses: readonly string[];
  /** What was left out on purpose, as sentences for the log. */
  readonly remarks: readonly string[];
}

/** Why no plan is made. The message is a sentence with names, values and the remedy. */
export interface PlanRefusal {
  readonly code:
    /** The pod has no such NIC: it is not there, was renamed, or the main plugin failed. */
    | "no_nic"
    /** The NIC has no usable address. */
    | "no_address"
    /** An address is IPv6 and the kernel has none. */
    | "no_ipv6"
    /** Underlay mode on a further NIC, but the first is not coordinated. */
    | "first_nic_missing"
    /** Overlay mode on the first NIC. */
    | "overlay_on_first_nic"
    /** Overlay mode, but the first NIC is coordinated as underlay. */
    | "overlay_on_underlay"
    /** The first NIC does not lead to the node. */
    | "no_overlay_link"
    /** The NIC for the default route is not there. */
    | "unknown_nic"
    /** A link of the name that is needed is somebody else's. */
    | "name_taken"
    /** Replies cannot be marked. */
    | "no_nf_tables"
    /** The NIC cannot have another hardware address. */
    | "fixed_mac"
    /** A value of the configuration cannot be used. */
    | "bad_value"
    /** No routing table is free. */
    | "no_table";
  readonly message: string;
}
