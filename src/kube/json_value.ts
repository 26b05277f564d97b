/** Reading JSON and YAML values of unknown shape, one field at a time. */

/** An object as it came out of `JSON.parse`. */
export type JsonRecord = Readonly<Record<string, unknown>>;

/** The value as a record; `undefined` if it is anything else (also a list). */
export function asRecord(value: unknown): JsonRecord | undefined {
  return isRecord(value) ? value : undefined;
}

/** Whether the value is an object and not a list. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as a string; `undefined` if it is anything else or empty. */
export function asText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The value as a finite number; `undefined` if it is anything else. */
export function asNumber(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** The value as a list; empty if it is anything else. */
export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** The value at a path of fields; `undefined` where a field is missing. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let found: unknown = value;
  for (const field of path) found = asRecord(found)?.[field];
  return found;
}
