/** A small client of the Kubernetes API: a store over it, and what programs need to run on it. */
export type {
  AccessError,
  ClusterAccess,
  ExecPlugin,
  Identity,
  Material,
  ReadEnvironment,
  ReadText,
} from "./access.ts";
export { KubeStore } from "./client.ts";
export { readKubeConfig } from "./kube_config.ts";
export { inClusterAccess, loadAccess, type LoadOptions } from "./load_access.ts";
export { type ApiRequest, Transport, type TransportOptions } from "./transport.ts";
export {
  Informer,
  type InformerOptions,
  type InformerStatus,
  WATCH_SILENCE_MS_MAX,
} from "./informer.ts";
export type { IndexEntry, IndexFunction } from "./object_cache.ts";
export type { InformerEvent } from "./subscription.ts";
export {
  type AdmissionRequest,
  type AdmissionVerdict,
  type JsonPatchOperation,
  pointerStep,
  readReview,
  type RefusalStatus,
  REVIEW_BYTES_MAX,
  type StatusCause,
  writeReview,
} from "./admission.ts";
export {
  type ApiKind,
  ApiKinds,
  type KindDirectory,
  type KindName,
  type KindReference,
} from "./api_kinds.ts";
export { backoffMs } from "./backoff.ts";
export {
  EventRecorder,
  type EventRecorderOptions,
  EVENTS,
  type Happening,
  type KubeEvent,
  type ObjectReference,
} from "./events.ts";
export {
  LeadershipLost,
  type Lease,
  LEASE_MS,
  LeaseCandidate,
  type LeaseOptions,
  LEASES,
} from "./lease.ts";
export { type AddError, type WorkOutcome, WorkQueue, type WorkQueueOptions } from "./work_queue.ts";
export { CALL_MS_MAX, Settler, type SettlerPorts, UnsettledFailure } from "./settler.ts";
// Who serves webhooks imports the server itself: it loads node:https.
export type {
  ServingCertificate,
  WebhookReply,
  WebhookRequest,
  WebhookServer,
  WebhookServerOptions,
} from "./webhook_server.ts";
