/** `status.controlledIPPools` of a subnet: what is lent to which pool, as JSON text. */
import { err, ok, type Result } from "../base/result.ts";
import {
  type Decoded,
  listOf,
  members,
  optional,
  otherwise,
  readJson,
  recordOf,
  text,
} from "./decode.ts";

const noRanges: readonly string[] = [];
const records = recordOf(members({
  ips: otherwise(listOf(text), noRanges),
  application: optional(text),
}));

/** What is lent to one pool. */
export type LoanRecord = Decoded<typeof records>[string];

/** Loans by pool name. */
export type LoanRecords = Readonly<Record<string, LoanRecord>>;

/** Texts that were read last: one of many pools is long, and read by several in turn. */
const READ_MAX = 16;
const readLast = new Map<string, Result<LoanRecords, string>>();

/** Reads the text. @param status Absent: nothing is lent. */
export function readControlledIpPools(status: string = "{}"): Result<LoanRecords, string> {
  const known = readLast.get(status);
  if (known !== undefined) return known;
  const read = readJson(records, status, { root: "status.controlledIPPools" });
  readLast.set(status, read);
  const [oldest] = readLast.keys();
  if (readLast.size > READ_MAX && oldest !== undefined) readLast.delete(oldest);
  return read;
}

/** Prints the text, sorted by pool. @returns `undefined` for no loans: the field is left out. */
export function formatControlledIpPools(
  entries: Iterable<readonly [pool: string, record: LoanRecord]>,
): string | undefined {
  const sorted = [...entries].sort(([one], [other]) => one < other ? -1 : one > other ? 1 : 0);
  if (sorted.length === 0) return undefined;
  return `{${
    sorted.map(([pool, { ips, application }]) => {
      return `${JSON.stringify(pool)}:${JSON.stringify({ ips, application })}`;
    }).join(",")
  }}`;
}

/** The application that an automatic pool is for. */
export interface ApplicationKey {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Prints `group_version_kind_namespace_name`, without the group for the core group. */
export function formatApplication(
  { group, version, kind, namespace, name }: ApplicationKey,
): string {
  const parts = [version, kind, namespace, name];
  return (group === "" ? parts : [group, ...parts]).join("_");
}

/**
 * Reads what `formatApplication` prints.
 *
 * @outcome `not_application` The text has another number of parts.
 */
export function parseApplication(
  value: string,
): Result<ApplicationKey, { readonly code: "not_application" }> {
  const parts = value.split("_");
  if (parts.length !== 4 && parts.length !== 5) return err({ code: "not_application" });
  const [name = "", namespace = "", kind = "", version = "", group = ""] = parts.reverse();
  return ok({ group, version, kind, namespace, name });
}
