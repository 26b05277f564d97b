/** Events: what people read with `kubectl describe`. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { integer, oneOf, optional, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** The object that an event is about. */
export interface ObjectReference {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly fieldPath?: string | undefined;
}

/** An Event of `events.k8s.io/v1`. */
export interface Event {
  readonly apiVersion: "events.k8s.io/v1";
  readonly kind: "Event";
  readonly metadata: ObjectMeta;
  /** With microseconds. */
  readonly eventTime?: string | undefined;
  /** Present once it happened again. */
  readonly series?: {
    readonly count: number;
    readonly lastObservedTime: string;
  } | undefined;
  /** `spiderpool.spidernet.io/agent` and the like. */
  readonly reportingController?: string | undefined;
  readonly reportingInstance?: string | undefined;
  /** What was done, in CamelCase. */
  readonly action?: string | undefined;
  /** Why, in CamelCase. */
  readonly reason?: string | undefined;
  readonly regarding?: ObjectReference | undefined;
  readonly related?: ObjectReference | undefined;
  readonly note?: string | undefined;
  readonly type?: "Normal" | "Warning" | undefined;
}

const reference = optional(stored({
  apiVersion: optional(text),
  kind: optional(text),
  namespace: optional(text),
  name: optional(text),
  uid: optional(text),
  resourceVersion: optional(text),
  fieldPath: optional(text),
}));

/** The resource. */
export const EVENTS: Resource<Event> = lean<Event>({
  kind: "Event",
  plural: "events",
  group: "events.k8s.io",
  decoder: stored({
    ...typeMeta({ apiVersion: "events.k8s.io/v1", kind: "Event" }),
    metadata: objectMeta,
    eventTime: optional(text),
    series: optional(stored({ count: integer(), lastObservedTime: text })),
    reportingController: optional(text),
    reportingInstance: optional(text),
    action: optional(text),
    reason: optional(text),
    regarding: reference,
    related: reference,
    note: optional(text),
    type: optional(oneOf(["Normal", "Warning"])),
  }),
});
