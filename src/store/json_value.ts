import type { StoredObject } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";

/** An object as the store keeps it: plain JSON, with fields that no type names. */
export type RawObject = StoredObject & Readonly<Record<string, unknown>>;

/** Levels of nesting in one object, at most: deeper ones come from mistakes or attacks. */
const DEPTH_MAX = 200;

/** Whether a value is a JSON object: not null, not an array. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a value has what every stored object has; its metadata is looked at elsewhere. */
export function isRawObject(value: unknown): value is RawObject {
  return isRecord(value) && typeof value["apiVersion"] === "string" &&
    typeof value["kind"] === "string" && isRecord(value["metadata"]) &&
    typeof value["metadata"]["name"] === "string";
}

/**
 * Copies what a caller gives as the wire would: members that are `undefined` go, nothing is shared.
 *
 * @returns The copy, or one sentence saying why the value is no object of the API.
 */
export function copyAsJson(value: unknown): Result<RawObject, string> {
  let copy: unknown;
  try {
    copy = JSON.parse(JSON.stringify(value) ?? "null");
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return err(`it cannot be written as JSON (${reason})`);
  }
  if (!isRawObject(copy)) {
    return err("it lacks apiVersion, kind or metadata.name, or one of them has another type");
  }
  if (depthOf(copy) > DEPTH_MAX) return err(`it is nested more than ${DEPTH_MAX} levels deep`);
  return ok(copy);
}

function depthOf(root: unknown): number {
  let depth = 0;
  let level: unknown[] = [root];
  while (level.length > 0 && depth <= DEPTH_MAX) {
    depth++;
    level = level.flatMap((value) =>
      typeof value === "object" && value !== null
        ? Object.values(value).filter((inner) => typeof inner === "object" && inner !== null)
        : []
    );
  }
  return depth;
}

/** Freezes JSON all the way down and returns it: who reads it cannot change what is stored. */
export function freezeDeep<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) freezeDeep(inner);
  return Object.freeze(value);
}

/** Whether two JSON values say the same; the order of members does not count. */
export function equalJson(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one)) {
    return Array.isArray(other) && one.length === other.length &&
      one.every((inner, index) => equalJson(inner, other[index]));
  }
  if (!isRecord(one) || !isRecord(other)) return false;
  const names = Object.keys(one);
  return names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && equalJson(one[name], other[name]));
}

/** Bytes of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0x80) continue;
    // A surrogate pair is two units and four bytes: two bytes each.
    bytes += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return bytes;
}

/** The value at a path of fields; `undefined` where the path leaves the object. */
export function valueAt(object: unknown, path: readonly string[]): unknown {
  let value = object;
  for (const field of path) {
    if (!isRecord(value) || !Object.hasOwn(value, field)) return undefined;
    value = value[field];
  }
  return value;
}

/** A value as one cell of text: absent is empty, text stands as it is, the rest is JSON. */
export function cellText(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
