import { assert } from "./assert.ts";

/** Ranges of one pool's `spec.ips`: as many as people use; bounded to fit one object. */
export const POOL_RANGES_MAX = 65_536;
/** Extra routes of one pool, subnet, NIC or coordinator. */
export const ROUTES_MAX = 4_096;
/** Bytes of one API object that the server takes: etcd's request limit, less its envelope. */
export const OBJECT_BYTES_MAX = 1_500_000;
/** Bytes of all annotations of one object, keys and values, that the server takes. */
export const ANNOTATIONS_BYTES_MAX = 262_144;
/** Characters of one selector. */
export const SELECTOR_LENGTH_MAX = 65_536;
/** Objects in one page of a list. */
export const LIST_PAGE_OBJECTS = 500;
/** Milliseconds a local store's call waits for another process's lock, unless it says otherwise. */
export const STORE_CALL_MS = 10_000;
/** Milliseconds between two looks of a local store's watch for changes of other processes. */
export const STORE_POLL_MS = 200;
/** Milliseconds between bookmarks of a quiet watch; design.md 2.5 gives a watch up after 90 s. */
export const WATCH_BOOKMARK_MS = 60_000;
/** Events a slow reader of a watch may lag behind before the watch is ended and listed again. */
export const WATCH_BACKLOG_EVENTS_MAX = 10_000;

assert(LIST_PAGE_OBJECTS < WATCH_BACKLOG_EVENTS_MAX, "a page of a list fits a watch's backlog");
assert(ANNOTATIONS_BYTES_MAX < OBJECT_BYTES_MAX, "annotations fit their object");
