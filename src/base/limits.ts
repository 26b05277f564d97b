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
/** Pools, by name or pattern, that one pod may ask for: each is read for it. */
export const WISHED_POOLS_MAX = 1_000;
/** Patterns among them: each is compared with the name of every pool. */
export const WISHED_PATTERNS_MAX = 32;
/** Bytes of the sentence that refuses an address: it has to be read in an Event. */
export const REFUSAL_BYTES_MAX = 1_000;

/** Bytes of request line and headers of one HTTP request. */
export const HTTP_HEAD_BYTES_MAX = 16_384;
/** Bytes of one HTTP request's body: a thousand names of pools fit. */
export const HTTP_BODY_BYTES_MAX = 262_144;
/** Bytes that one read of an HTTP connection takes. */
export const HTTP_READ_BYTES = 4_096;
/** Bytes of further requests that a connection takes in while it answers one. */
export const HTTP_AHEAD_BYTES_MAX = 65_536;
/** Bytes of a refused request that are thrown away, so that its sender reads the refusal. */
export const HTTP_LINGER_BYTES_MAX = 524_288;
/** Milliseconds for that. */
export const HTTP_LINGER_MS = 1_000;
/** Milliseconds that a connection may be open without a request. */
export const HTTP_IDLE_MS = 60_000;
/** Milliseconds from the first byte of a request to its last. */
export const HTTP_REQUEST_MS = 30_000;
/** Milliseconds that the sender of a request may take to accept the reply. */
export const HTTP_REPLY_MS = 10_000;
/** Milliseconds between two tries to accept a connection when the machine is out of something. */
export const HTTP_ACCEPT_RETRY_MS = 100;
/** Milliseconds in which a server that stops still takes what was sent before. */
export const HTTP_STOP_SETTLE_MS = 50;
/** Connections of plugins that are open at a time; many times the pods a kubelet starts at once. */
export const AGENT_CONNECTIONS_MAX = 512;
/** Connections of probes that are open at a time. */
export const PROBE_CONNECTIONS_MAX = 64;
/** Milliseconds that an answer to a probe may take. */
export const PROBE_MS = 5_000;
/** Milliseconds that a starting program waits for one answer of the API server. */
export const API_SERVER_ASK_MS = 5_000;
/** Milliseconds before it asks again the first time; doubles up to the next. */
export const API_SERVER_RETRY_MS_MIN = 500;
/** Milliseconds between two tries at most. */
export const API_SERVER_RETRY_MS_MAX = 15_000;
/** Milliseconds between two looks at what configures Multus on a node, as in the reference. */
export const MULTUS_LOOK_MS = 10_000;
/** The same while it is not configured: new pods of the node wait for it. */
export const MULTUS_RETRY_MS = 2_000;
/** Milliseconds for each request by which a program that ends says why, as an Event. */
export const LAST_WORD_MS = 5_000;
/** Different sentences that a program tells so: what changes all the time is for the log. */
export const LAST_WORDS_MAX = 100;
/** Tries to see an object go that is uninstalled, half a second apart. */
export const CLEAN_TRIES_MAX = 60;
/** Milliseconds after which no request is in flight any more whose sender has ended. */
export const IN_FLIGHT_MS = 60_000;
/** Times that SpiderIPs may have changed while their records were written back. */
export const GIVE_BACK_TRIES_MAX = 5;
/** Milliseconds that agents and controllers may take to end before records are written back. */
export const GIVE_BACK_STOP_MS = 120_000;
/** Milliseconds between two tries of a write that a changed definition is to allow. */
export const FENCE_LOOK_MS = 500;
/** Tries of it: servers learn of a definition within a few seconds. */
export const FENCE_TRIES_MAX = 60;
/** Milliseconds that the first objects of an installation may take, with the controllers' start. */
export const INIT_MS = 600_000;
/** Milliseconds between two tries at one of them at least. */
export const INIT_RETRY_MS_MIN = 1_000;
/** Milliseconds between two tries at one of them at most. */
export const INIT_RETRY_MS_MAX = 15_000;
/** Milliseconds between two looks for what hinders an engine. */
export const ENGINE_LOOK_MS = 10_000;
/** Milliseconds that requests in flight have to end when a program is told to stop. */
export const STOP_GRACE_MS = 25_000;
/** Milliseconds that they have to give up after that, and then what else runs. */
export const STOP_ABORT_MS = 2_000;
/** Milliseconds that a plugin may take to start when it is tried, on a node that is busy. */
export const PLUGIN_TRIAL_MS = 30_000;
/** Milliseconds that a kubelet waits between SIGTERM and SIGKILL unless the pod says otherwise. */
export const TERMINATION_GRACE_MS = 30_000;
/** Bytes of a program's configuration file: what a ConfigMap holds. */
export const CONFIG_FILE_BYTES_MAX = 1_048_576;
/** Files of pools that an agent without Kubernetes reads. */
export const POOL_FILES_MAX = 1_000;

/** Milliseconds that a review may take: less than a webhook's `timeoutSeconds` (10). */
export const REVIEW_MS = 8_000;
/** Bytes of the bodies of reviews that are held at a time. */
export const REVIEW_BODIES_BYTES_MAX = 67_108_864;
/** Milliseconds less than what the API server says it waits that a review takes at most. */
export const REVIEW_SPARE_MS = 1_000;
/** Milliseconds that an admitted object counts before a watch shows it. */
export const ADMITTED_KEPT_MS = 60_000;
/** Objects of one kind that are kept for that. */
export const ADMITTED_OBJECTS_MAX = 1_000;
/** SpiderIPs that one review reads by name. */
export const HOLDER_READS_MAX = 16;
/** Pools and subnets in the way of one object that its review reads again. */
export const CONFLICT_READS_MAX = 8;
/** Milliseconds between two looks at certificates: well below what they are trusted beforehand. */
export const CERTIFICATES_LOOK_MS = 30_000;
/** Milliseconds between two looks while there is none. */
export const CERTIFICATES_RETRY_MS = 1_000;
/** Milliseconds that an API server's connection may be idle: more than its own 90 seconds. */
export const WEBHOOK_IDLE_MS = 120_000;
/**
 * Milliseconds that webhooks serve on after a program was told to stop: API servers, and proxies of
 * the Service, hear in that time that it is not to be asked any more.
 */
export const WEBHOOK_LEAVE_MS = 6_000;
/** Connections of API servers that are open at a time. */
export const WEBHOOK_CONNECTIONS_MAX = 2_048;
/** Bytes of a network provider's answer. */
export const PROVIDER_BODY_BYTES_MAX = 65_536;
/** Milliseconds after a failure for which a network provider is given nothing back. */
export const PROVIDER_REST_MS = 10_000;

assert(LIST_PAGE_OBJECTS < WATCH_BACKLOG_EVENTS_MAX, "a page of a list fits a watch's backlog");
assert(ANNOTATIONS_BYTES_MAX < OBJECT_BYTES_MAX, "annotations fit their object");
assert(HTTP_READ_BYTES <= HTTP_AHEAD_BYTES_MAX, "a read fits what a connection takes in ahead");
assert(HTTP_HEAD_BYTES_MAX < HTTP_BODY_BYTES_MAX, "a head is the smaller part of a request");
assert(STOP_GRACE_MS + 2 * STOP_ABORT_MS < TERMINATION_GRACE_MS, "a stop ends before it is killed");
assert(
  WEBHOOK_LEAVE_MS + REVIEW_MS + 2 * STOP_ABORT_MS < TERMINATION_GRACE_MS,
  "a review that begins last ends before the program is killed",
);
