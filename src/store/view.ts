/**
 * What a reader of a kind sees of a stored object: parsed at the door, in full or its metadata
 * alone, or as a row. Pure; shared by the stores and by simulated servers.
 */
import {
  keyOf,
  keyText,
  type ObjectRow,
  type Resource,
  type StoredObject,
  type StoreResult,
  type WatchEvent,
} from "../base/object_store.ts";
import { err } from "../base/result.ts";
import { cellText, type RawObject, valueAt } from "./json_value.ts";
import { shown } from "./names.ts";
import type { RawWatchEvent } from "./watch.ts";

/** Parses what a call answers with; an object that its parser refuses is `broken`. */
export function readAs<T extends StoredObject>(
  resource: Resource<T>,
  object: RawObject,
): StoreResult<T> {
  const parsed = resource.parse(viewOf(resource, object));
  if (parsed.ok) return parsed;
  const message =
    `${resource.kind} ${shown(keyText(keyOf(object)))} is stored but cannot be read: ` +
    parsed.error;
  return err({ code: "broken", message });
}

/** What a reader of this resource sees: everything, or identity and metadata alone. */
export function viewOf<T extends StoredObject>(
  { view }: Resource<T>,
  object: RawObject,
): StoredObject {
  if (view === "full") return object;
  const { managedFields: _managed, ...metadata } = object.metadata;
  return { apiVersion: object.apiVersion, kind: object.kind, metadata };
}

/** Parses what a watch delivers; a refused object is an event of its own. */
export function eventAs<T extends StoredObject>(
  resource: Resource<T>,
  event: RawWatchEvent,
): WatchEvent<T> {
  switch (event.type) {
    case "synced":
    case "bookmark":
    case "failed":
      return event;
    case "added":
    case "modified":
    case "deleted": {
      const parsed = resource.parse(viewOf(resource, event.object));
      if (parsed.ok) return { type: event.type, object: parsed.value };
      return {
        type: "broken",
        change: event.type,
        object: { key: keyOf(event.object), problem: parsed.error },
        resourceVersion: event.object.metadata.resourceVersion ?? "",
      };
    }
  }
}

/** Columns of an object, as text. */
export function rowOf(
  object: RawObject,
  columns: Resource<StoredObject>["columns"],
): ObjectRow {
  const cells = columns.map(({ name, path }) => [name, cellText(valueAt(object, path))]);
  return { key: keyOf(object), cells: Object.fromEntries(cells) };
}
