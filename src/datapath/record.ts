/**
 * What is kept on the node about the ADD of one NIC, so that its DEL needs nobody's answer. It is
 * written before the first operation is done: whatever happens then, it says how to go back.
 */
import type { Result } from "../base/result.ts";
import { flag, integer, listOf, members, oneOf, optional, readJson, text } from "../api/decode.ts";
import { targetText } from "./likeness.ts";
import type { IpVersion, Step } from "./operation.ts";
import { stepDecoder } from "./step_decoder.ts";

/** What an ADD set out to do. */
export interface CoordinatorRecord {
  readonly format: 1;
  readonly containerId: string;
  readonly ifName: string;
  readonly mode: "underlay" | "overlay";
  /** Whether it was the first NIC that was coordinated. */
  readonly isFirst: boolean;
  /** Link of the node that leads to the pod. */
  readonly nodeLink: string;
  /** The pod's end of it. */
  readonly podLink: string;
  readonly hostRuleTable: number;
  /** Routing table of the NIC in the pod. */
  readonly table: number;
  /** Routing table of replies (underlay) or of the first NIC (overlay); absent if not used. */
  readonly replyTable?: number | undefined;
  /** Addresses of the NIC, without prefix length. */
  readonly addresses: readonly { readonly version: IpVersion; readonly address: string }[];
  /** In the order in which they are done. */
  readonly steps: readonly Step[];
}

const recordDecoder = members({
  format: oneOf([1]),
  containerId: text,
  ifName: text,
  mode: oneOf(["underlay", "overlay"]),
  isFirst: flag,
  nodeLink: text,
  podLink: text,
  hostRuleTable: integer({ min: 1 }),
  table: integer({ min: 1 }),
  replyTable: optional(integer({ min: 1 })),
  addresses: listOf(members({ version: oneOf([4, 6]), address: text })),
  steps: listOf(stepDecoder),
});

/** Reads a record that `formatRecord` wrote; what is wrong with any other, as a sentence. */
export function parseRecord(content: string): Result<CoordinatorRecord, string> {
  return readJson(recordDecoder, content, { root: "the coordinator's record" });
}

/** Writes a record as one line of JSON. */
export function formatRecord(record: CoordinatorRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/**
 * Joins the steps of an earlier ADD with those of the next: where both change the same thing, the
 * earlier one knows how it was before either.
 */
export function mergeSteps(previous: readonly Step[], next: readonly Step[]): readonly Step[] {
  const steps = new Map(previous.map((step) => [targetText(step.operation), step]));
  for (const step of next) {
    const target = targetText(step.operation);
    const before = steps.get(target);
    const undo = before === undefined ? step.undo : before.undo;
    steps.set(target, undo === undefined ? { operation: step.operation } : { ...step, undo });
  }
  return [...steps.values()];
}
