import { err, ok, type Result } from "../base/result.ts";
import { CNI_CODES, type CniRefusal } from "./refusal.ts";

const IGNORE_UNKNOWN = "IgnoreUnknown";

/**
 * Reads `CNI_ARGS`, `KEY=value` pairs between semicolons. A key that is given twice has its last
 * value.
 *
 * @param options.known Keys that are taken; `IgnoreUnknown` is one in any case.
 * @param options.tolerant Whether other keys are dropped even without `IgnoreUnknown=1`.
 * @returns Values by key, with known keys only.
 * @source `LoadArgs` of the specification's library
 */
export function readCniArguments(
  text: string,
  { known, tolerant }: { readonly known: readonly string[]; readonly tolerant: boolean },
): Result<ReadonlyMap<string, string>, CniRefusal> {
  const values = new Map<string, string>();
  const unknown: string[] = [];
  let ignored = tolerant;
  for (const pair of text.split(";")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    if (equals < 1) return refuse(`"${pair}" is no pair; write KEY=value`);
    const key = pair.slice(0, equals);
    const value = pair.slice(equals + 1);
    if (known.includes(key)) values.set(key, value);
    else if (key === IGNORE_UNKNOWN) {
      if (!/^(?:0|1|true|false)$/i.test(value)) {
        return refuse(`${IGNORE_UNKNOWN} "${value}" is no switch; write 1 or 0`);
      }
      ignored = tolerant || /^(?:1|true)$/i.test(value);
    } else unknown.push(key);
  }
  if (unknown.length === 0 || ignored) return ok(values);
  const keys = unknown.map((key) => `"${key}"`).join(", ");
  return refuse(`${keys} not known; leave it out, or add ${IGNORE_UNKNOWN}=1`);
}

function refuse(problem: string): Result<never, CniRefusal> {
  return err({ code: CNI_CODES.badEnvironment, msg: `Cannot use CNI_ARGS: ${problem}` });
}
