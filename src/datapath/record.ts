/**
 * What is kept on the node about the ADD of one NIC, so that its DEL needs nobody's answer. It is
 * written before the first operation is done: whatever happens then, it says how to go back.
 */
import type { IpVersion, Step } from "./operation.ts";

/** What an ADD set out to do. */
export interface CoordinatorRecord {
  readonly format: 1;
  readonly containerId: string;
  readonly ifName: string;
  readonly mode: "underlay" | "overlay";
  /** Link of the node that leads to the pod. */
  readonly nodeLink: string;
  /** The pod's end of it. */
  readonly podLink: string;
  readonly hostRuleTable: number;
  /** Routing table of the NIC in the pod. */
  readonly table: number;
  /** Routing table of replies (underlay) or of the first NIC (overlay); absent if not used. */
  readonly replyTable?: number;
  /** Addresses of the NIC, without prefix length. */
  readonly addresses: readonly { readonly version: IpVersion; readonly address: string }[];
  /** In the order in which they are done. */
  readonly steps: readonly Step[];
}
