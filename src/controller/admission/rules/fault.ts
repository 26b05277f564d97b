/** What is wrong with one field of an object, as a sentence and as a cause of a Status. */
import { pathText, type Problem, shown } from "../../../api/problem.ts";
import { explainRefusal, type IpRefusal } from "../../../ip/mod.ts";
import type { StatusCause } from "../../../kube/mod.ts";

/** Where in an object: `["spec", "ips", 3]`. */
export type FieldPath = readonly PropertyKey[];

/** One refused field. */
export interface Fault {
  readonly path: FieldPath;
  /** What it holds; `undefined` where that says nothing or there is nothing. */
  readonly value: unknown;
  /** Reason and remedy, the end of a sentence: `it is reversed; write "a-b"`. */
  readonly why: string;
  /** `FieldValueInvalid` where absent. */
  readonly reason?: StatusCause["reason"] | undefined;
}

/** A fault of what stands in the field itself. */
export function fault(path: FieldPath, value: unknown, { why }: { readonly why: string }): Fault {
  return { path, value, why };
}

/** A fault of a field that must be there. @param write What to write, as the object of "write". */
export function missing(path: FieldPath, { write }: { readonly write: string }): Fault {
  const why = `it is missing; write ${write}`;
  return { path, value: undefined, why, reason: "FieldValueRequired" };
}

/** A fault of what the field does to others: it may be a good value elsewhere or later. */
export function forbidden(
  path: FieldPath,
  value: unknown,
  { why }: { readonly why: string },
): Fault {
  return { path, value, why, reason: "FieldValueForbidden" };
}

/** A fault of an address, a range or a network. */
export function faultOfRefusal(path: FieldPath, refusal: IpRefusal): Fault {
  return { path, value: refusal.text, why: explainRefusal(refusal) };
}

/** A fault that a parser found. */
export function faultOfProblem({ path, value, allowed, reason }: Problem): Fault {
  if (value === undefined && reason === undefined) return missing(path, { write: allowed });
  const before = reason === undefined ? "" : `${reason}; `;
  return { path, value, why: `${before}write ${allowed}` };
}

/** The sentence of a fault: `Cannot use spec.gateway "10.7.0.1": it is ...; write ...`. */
export function faultSentence({ path, value, why }: Fault): string {
  const place = pathText(path);
  return `Cannot use ${place}${value === undefined ? "" : ` ${shown(value)}`}: ${why}`;
}

/** The fault as kubectl prints it after the name of the field, in the API server's own form. */
export function faultCause(found: Fault): StatusCause {
  const { path, value, why, reason = "FieldValueInvalid" } = found;
  const text = value === undefined ? "" : `${shown(value)}: `;
  return { reason, field: pathText(path), message: `${PREFIXES[reason]}: ${text}${why}` };
}

/** The words with which Kubernetes begins what it says of a field. */
const PREFIXES: Readonly<Record<StatusCause["reason"], string>> = {
  FieldValueInvalid: "Invalid value",
  FieldValueRequired: "Required value",
  FieldValueForbidden: "Forbidden",
  FieldValueDuplicate: "Duplicate value",
  FieldValueNotSupported: "Unsupported value",
};
