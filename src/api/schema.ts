/**
 * What the zod schemas of all kinds share: the type that a schema yields, metadata, refusals as
 * sentences, CEL rules, and the small objects that several kinds contain.
 *
 * A schema is the one description of a kind: `scripts/generate_crds.ts` makes its CRD of it, so its
 * `.meta()` carries what only the API server reads (`description`, `format`, CEL rules).
 */
import * as z from "zod";
import type { ObjectMeta } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import { decode, wholeNumber } from "./decode.ts";
import { objectMeta } from "./metadata.ts";
import { choices, type Problem, problemSentence } from "./problem.ts";

/** What a schema yields, readonly, without the index signature of unknown fields (they survive). */
export type Wire<T> = IsObjectMeta<T> extends true ? ObjectMeta
  : T extends readonly (infer Item)[] ? readonly Wire<Item>[]
  : T extends object ? WireObject<T>
  : T;

type IsObjectMeta<T> = [T] extends [ObjectMeta] ? ([ObjectMeta] extends [T] ? true : false) : false;

type WireObject<T> = [NamedKeys<T>] extends [never] ? { readonly [K in keyof T]: Wire<T[K]> }
  : { readonly [K in keyof T as string extends K ? never : K]: Wire<T[K]> };

type NamedKeys<T> = keyof { [K in keyof T as string extends K ? never : K]: T[K] };

/** A validation rule of the API server. */
export interface CelRule {
  readonly rule: string;
  /** One sentence with the remedy, shown to who is refused. */
  readonly message: string;
  /** CEL of the same with the values, for servers that know it (Kubernetes 1.27). */
  readonly messageExpression?: string;
  /** The field that the refusal names, where it is not the one that carries the rule. */
  readonly fieldPath?: string;
}

/** CEL rules as schema metadata: `z.string().meta({ ...cel({ rule, message }) })`. */
export function cel(...rules: readonly CelRule[]): {
  readonly "x-kubernetes-validations": readonly CelRule[];
} {
  return { "x-kubernetes-validations": rules };
}

/** Object metadata inside a zod schema: hand-written, since every object has it. */
export const metadataSchema: z.ZodType<ObjectMeta> = z.unknown().transform((value, context) => {
  const decoded = decode(objectMeta, value);
  if (decoded.ok) return decoded.value;
  const { path, allowed } = decoded.error;
  context.issues.push({
    code: "custom",
    input: value,
    path: [...path],
    params: { allowed },
    message: allowed,
  });
  return z.NEVER;
});

/**
 * A whole number of the API: `int32` or `int64` on the wire, never beyond what a double holds.
 *
 * @param bounds Both included. A refusal names both.
 */
export function wholeNumberSchema(
  { format, min, max }: {
    readonly format?: "int32" | "int64";
    readonly min?: number;
    readonly max?: number;
  } = {},
): z.ZodNumber {
  const error = ALLOWED + wholeNumber({ min, max });
  let schema = z.int({ error });
  if (min !== undefined) schema = schema.min(min, { error });
  if (max !== undefined) schema = schema.max(max, { error });
  return format === undefined ? schema : schema.meta({ format });
}

/**
 * A text of which `z.string()` would not say what stands in it.
 *
 * @param options.write What to write where it is missing or no text, as an object of "write".
 */
export function textSchema(
  { write, max }: { readonly write: string; readonly max: number },
): z.ZodString {
  return z.string({ error: ALLOWED + write }).max(max);
}

/** Marks a message that is already an object of "write". */
const ALLOWED = "allowed: ";

/** Reads a document with a schema. The refusal is one sentence (`problemSentence`). */
export function readSchema<T>(schema: z.ZodType<T>, value: unknown): Result<T, string> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return ok(parsed.data);
  const problems = problemsOf(parsed.error.issues, value);
  const first = problems[0] ?? { path: [], value, allowed: "something else" };
  return err(problemSentence(first, { more: Math.max(0, problems.length - 1) }));
}

/** Translates what zod found, in zod's order. @param value The document that was refused. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], value: unknown): Problem[] {
  return issues.map((issue) => ({
    path: issue.path,
    value: valueAt(value, issue.path),
    allowed: allowedBy(issue),
  }));
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = Reflect.get(found, key);
  }
  return found;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  array: "a list",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  object: "an object",
  record: "an object",
  string: "a string",
};

function allowedBy(issue: z.core.$ZodIssue): string {
  if (issue.message.startsWith(ALLOWED)) return issue.message.slice(ALLOWED.length);
  switch (issue.code) {
    case "invalid_type":
      return TYPE_NAMES[issue.expected] ?? `a value of type ${issue.expected}`;
    case "invalid_value":
      return choices(issue.values);
    case "too_small":
      return bounded(issue.origin, { min: Number(issue.minimum) });
    case "too_big":
      return bounded(issue.origin, { max: Number(issue.maximum) });
    case "unrecognized_keys":
      return `nothing named ${choices(issue.keys)} there`;
    case "custom":
      return typeof issue.params?.allowed === "string" ? issue.params.allowed : issue.message;
    case "invalid_format":
      return issue.pattern === undefined
        ? `a value of the form ${issue.format}`
        : `a string that matches ${issue.pattern}`;
    default:
      return issue.message;
  }
}

function bounded(
  origin: string,
  { min, max }: { readonly min?: number; readonly max?: number },
): string {
  const bound = min === undefined ? `at most ${max}` : `at least ${min}`;
  if (origin === "number" || origin === "int" || origin === "bigint") return `a number of ${bound}`;
  const unit = origin === "string" ? "character" : "item";
  return (min ?? max) === 1 ? `${bound} ${unit}` : `${bound} ${unit}s`;
}
