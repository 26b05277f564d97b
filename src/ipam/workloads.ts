/** Kubernetes' own workloads as applications: how many pods each has, and what these ask for. */
import {
  ANNOTATION_IP_NUMBER,
  ANNOTATION_IP_POOL_RECLAIM,
  ANNOTATION_SUBNET,
  ANNOTATION_SUBNETS,
} from "../api/annotations.ts";
import type {
  CronJob,
  DaemonSet,
  Deployment,
  Job,
  JobSpec,
  PodTemplate,
  ReplicaSet,
  StatefulSet,
} from "../api/kubernetes/workload.ts";
import { controllerOf } from "../api/metadata.ts";
import { unreachable } from "../base/assert.ts";
import type { TopController } from "./top_controller.ts";

/** What is read of a pod template's annotations. */
const READ = [
  ANNOTATION_SUBNET,
  ANNOTATION_SUBNETS,
  ANNOTATION_IP_NUMBER,
  ANNOTATION_IP_POOL_RECLAIM,
];

/** One of Kubernetes' own workloads. */
export type Workload = Deployment | ReplicaSet | StatefulSet | DaemonSet | Job | CronJob;

/** What an application's pools depend on. */
export interface Application {
  readonly controller: TopController;
  /** When it was made, as the server writes it: of two that want the same the older has it. */
  readonly created: string;
  /** Pods that it should have at a time. */
  readonly replicas: number;
  /** Of its pods. */
  readonly annotations: Readonly<Record<string, string>>;
}

/**
 * Reads a workload.
 *
 * @returns `undefined` where it has no pools of its own: its pods are on their nodes' network, or
 *   a Deployment or CronJob above it is the application.
 * @source spiderpool `pkg/applicationcontroller/app_controller.go` for the counts
 */
export function applicationOf(workload: Workload): Application | undefined {
  const { template, replicas } = podsOf(workload);
  if (template.spec?.hostNetwork === true || isPartOfAnother(workload)) return undefined;
  const { apiVersion, kind, metadata } = workload;
  const { name, namespace = "", uid = "", creationTimestamp: created = "" } = metadata;
  const controller = { apiVersion, kind, name, namespace, uid };
  return { controller, created, replicas, annotations: template.metadata?.annotations ?? {} };
}

function podsOf(
  workload: Workload,
): { readonly template: PodTemplate; readonly replicas: number } {
  switch (workload.kind) {
    case "Deployment":
    case "ReplicaSet":
    case "StatefulSet": {
      const { template, replicas = 0 } = workload.spec;
      return { template, replicas };
    }
    case "DaemonSet": {
      const replicas = workload.status?.desiredNumberScheduled ?? 0;
      return { template: workload.spec.template, replicas };
    }
    case "Job":
      return podsOfJob(workload.spec);
    case "CronJob":
      return podsOfJob(workload.spec.jobTemplate.spec);
    default:
      return unreachable(workload);
  }
}

function podsOfJob(
  { parallelism, completions, template }: JobSpec,
): { readonly template: PodTemplate; readonly replicas: number } {
  return { template, replicas: (completions ?? parallelism) || 1 };
}

function isPartOfAnother(workload: Workload): boolean {
  const owner = controllerOf(workload);
  switch (workload.kind) {
    case "ReplicaSet":
      return owner?.apiVersion === "apps/v1" && owner.kind === "Deployment";
    case "Job":
      return owner?.apiVersion === "batch/v1" && owner.kind === "CronJob";
    default:
      return false;
  }
}

/** What of annotations says something of pools; `undefined` where they name no subnet. */
export function aboutPools(
  annotations: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  const kept = READ.flatMap((key): readonly (readonly [string, string])[] => {
    const value = Object.hasOwn(annotations, key) ? annotations[key] : undefined;
    return value === undefined ? [] : [[key, value]];
  });
  const isAsked = kept.some(([key]) => key === ANNOTATION_SUBNET || key === ANNOTATION_SUBNETS);
  return isAsked ? Object.fromEntries(kept) : undefined;
}
