/** The controllers that pods come from, as far as their number of pods and annotations matter. */
import type { ObjectMeta, Resource, StoredObject } from "../../base/object_store.ts";
import { type Decoder, flag, integer, optional, recordOf, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** What a controller makes its pods of. */
export interface PodTemplate {
  readonly metadata?: {
    readonly labels?: Readonly<Record<string, string>> | undefined;
    readonly annotations?: Readonly<Record<string, string>> | undefined;
  } | undefined;
  readonly spec?: { readonly hostNetwork?: boolean | undefined } | undefined;
}

/** Deployment, ReplicaSet or StatefulSet. */
export interface ReplicatedWorkload<K extends string = string> extends StoredObject {
  readonly apiVersion: "apps/v1";
  readonly kind: K;
  readonly metadata: ObjectMeta;
  readonly spec: {
    /** The API server writes 1 where the user wrote nothing. */
    readonly replicas?: number | undefined;
    readonly template: PodTemplate;
  };
}

/** A Deployment. */
export type Deployment = ReplicatedWorkload<"Deployment">;
/** A ReplicaSet. */
export type ReplicaSet = ReplicatedWorkload<"ReplicaSet">;

/** A StatefulSet. */
export interface StatefulSet extends StoredObject {
  readonly apiVersion: "apps/v1";
  readonly kind: "StatefulSet";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly replicas?: number | undefined;
    /** The number of its first pod, 0 where absent. */
    readonly ordinals?: { readonly start?: number | undefined } | undefined;
    readonly template: PodTemplate;
  };
}

/** A DaemonSet. */
export interface DaemonSet extends StoredObject {
  readonly apiVersion: "apps/v1";
  readonly kind: "DaemonSet";
  readonly metadata: ObjectMeta;
  readonly spec: { readonly template: PodTemplate };
  readonly status?: { readonly desiredNumberScheduled?: number | undefined } | undefined;
}

/** How many pods a Job runs. */
export interface JobSpec {
  readonly parallelism?: number | undefined;
  readonly completions?: number | undefined;
  readonly template: PodTemplate;
}

/** A Job. */
export interface Job extends StoredObject {
  readonly apiVersion: "batch/v1";
  readonly kind: "Job";
  readonly metadata: ObjectMeta;
  readonly spec: JobSpec;
}

/** A CronJob. */
export interface CronJob extends StoredObject {
  readonly apiVersion: "batch/v1";
  readonly kind: "CronJob";
  readonly metadata: ObjectMeta;
  readonly spec: { readonly jobTemplate: { readonly spec: JobSpec } };
}

const template: Decoder<PodTemplate> = stored({
  metadata: optional(stored({
    labels: optional(recordOf(text)),
    annotations: optional(recordOf(text)),
  })),
  spec: optional(stored({ hostNetwork: optional(flag) })),
});

const replicated = stored({ replicas: optional(integer()), template });

const jobSpec: Decoder<JobSpec> = stored({
  parallelism: optional(integer()),
  completions: optional(integer()),
  template,
});

/** The resource. */
export const DEPLOYMENTS: Resource<Deployment> = lean<Deployment>({
  kind: "Deployment",
  plural: "deployments",
  group: "apps",
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "apps/v1", kind: "Deployment" }),
    metadata: objectMeta,
    spec: replicated,
  }),
});

/** The resource. */
export const REPLICA_SETS: Resource<ReplicaSet> = lean<ReplicaSet>({
  kind: "ReplicaSet",
  plural: "replicasets",
  group: "apps",
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "apps/v1", kind: "ReplicaSet" }),
    metadata: objectMeta,
    spec: replicated,
  }),
});

/** The resource. */
export const STATEFUL_SETS: Resource<StatefulSet> = lean<StatefulSet>({
  kind: "StatefulSet",
  plural: "statefulsets",
  group: "apps",
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "apps/v1", kind: "StatefulSet" }),
    metadata: objectMeta,
    spec: stored({
      replicas: optional(integer()),
      ordinals: optional(stored({ start: optional(integer()) })),
      template,
    }),
  }),
});

/** The resource. */
export const DAEMON_SETS: Resource<DaemonSet> = lean<DaemonSet>({
  kind: "DaemonSet",
  plural: "daemonsets",
  group: "apps",
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "apps/v1", kind: "DaemonSet" }),
    metadata: objectMeta,
    spec: stored({ template }),
    status: optional(stored({ desiredNumberScheduled: optional(integer()) })),
  }),
});

/** The resource. */
export const JOBS: Resource<Job> = lean<Job>({
  kind: "Job",
  plural: "jobs",
  group: "batch",
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "batch/v1", kind: "Job" }),
    metadata: objectMeta,
    spec: jobSpec,
  }),
});

/** The resource. */
export const CRON_JOBS: Resource<CronJob> = lean<CronJob>({
  kind: "CronJob",
  plural: "cronjobs",
  group: "batch",
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "batch/v1", kind: "CronJob" }),
    metadata: objectMeta,
    spec: stored({ jobTemplate: stored({ spec: jobSpec }) }),
  }),
});
