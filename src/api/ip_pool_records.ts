/**
 * `status.allocatedIPs` of a pool: who has which address, as JSON text. The reference's only
 * record; ours derives it from the SpiderIPs and reads it once, at adoption.
 */
import type { Result } from "../base/result.ts";
import { members, otherwise, readJson, recordOf, text } from "./decode.ts";

const records = recordOf(members({ pod: otherwise(text, ""), podUid: otherwise(text, "") }));

/** Who has an address. */
export interface AllocationRecord {
  /** `namespace/name` of the pod, of the VirtualMachineInstance for a virtual machine. */
  readonly pod: string;
  readonly podUid: string;
}

/** Records by address in canonical text, without prefix length. */
export type AllocationRecords = Readonly<Record<string, AllocationRecord>>;

/**
 * Reads the text. Members of older releases are ignored; keys are as they were written.
 *
 * @param status Absent: there are no records.
 */
export function readAllocatedIps(status: string | undefined): Result<AllocationRecords, string> {
  return readJson(records, status ?? "{}", { root: "status.allocatedIPs" });
}

/**
 * Prints the text, sorted by key as the reference does, so that equal records are equal texts.
 *
 * @returns `undefined` for no records: the field is then left out.
 */
export function formatAllocatedIps(
  entries: Iterable<readonly [address: string, record: AllocationRecord]>,
): string | undefined {
  const sorted = [...entries].sort(([one], [other]) => one < other ? -1 : one > other ? 1 : 0);
  if (sorted.length === 0) return undefined;
  return `{${
    sorted.map(([address, { pod, podUid }]) => {
      return `${JSON.stringify(address)}:${JSON.stringify({ pod, podUid })}`;
    }).join(",")
  }}`;
}
