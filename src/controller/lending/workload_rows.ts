/** Workloads as a lender keeps them: what their pools depend on, and no more. Never written. */
import {
  ANNOTATION_IP_NUMBER,
  ANNOTATION_IP_POOL_RECLAIM,
  ANNOTATION_SUBNET,
  ANNOTATION_SUBNETS,
} from "../../api/annotations.ts";
import {
  CRON_JOBS,
  DAEMON_SETS,
  DEPLOYMENTS,
  JOBS,
  REPLICA_SETS,
  STATEFUL_SETS,
} from "../../api/kubernetes/workload.ts";
import { apiVersionOf, type Resource, type StoredObject } from "../../base/object_store.ts";
import { ok } from "../../base/result.ts";
import { type Application, applicationOf, type Workload } from "../../ipam/workloads.ts";

/** A workload, reduced. */
export interface WorkloadRow extends StoredObject {
  /** Absent: its pods ask for no pool of their own. */
  readonly application?: Application | undefined;
}

/** What is read of a pod template's annotations. */
const READ = [
  ANNOTATION_SUBNET,
  ANNOTATION_SUBNETS,
  ANNOTATION_IP_NUMBER,
  ANNOTATION_IP_POOL_RECLAIM,
];

/** The kinds that are watched. */
export const WORKLOAD_ROWS: readonly Resource<WorkloadRow>[] = [
  rowsOf(DEPLOYMENTS),
  rowsOf(REPLICA_SETS),
  rowsOf(STATEFUL_SETS),
  rowsOf(DAEMON_SETS),
  rowsOf(JOBS),
  rowsOf(CRON_JOBS),
];

/** `apps/v1 Deployment`: a kind as a key. */
export function kindKey(
  { apiVersion, kind }: { readonly apiVersion: string; readonly kind: string },
): string {
  return `${apiVersion} ${kind}`;
}

/** The key of a kind that is watched. */
export function kindKeyOf(resource: Resource<WorkloadRow>): string {
  return kindKey({ apiVersion: apiVersionOf(resource), kind: resource.kind });
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

function rowsOf<T extends Workload>(resource: Resource<T>): Resource<WorkloadRow> {
  return {
    ...resource,
    parse: (value) => {
      const read = resource.parse(value);
      if (!read.ok) return read;
      const { apiVersion, kind, metadata: { name, namespace, uid, resourceVersion } } = read.value;
      const metadata = { name, namespace, uid, resourceVersion };
      const application = applicationOf(read.value);
      const annotations = application && aboutPools(application.annotations);
      return ok({
        apiVersion,
        kind,
        metadata,
        ...(application && annotations && { application: { ...application, annotations } }),
      });
    },
  };
}
