/** Workloads as a lender keeps them: what their pools depend on, and no more. Never written. */
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
import {
  aboutPools,
  type Application,
  applicationOf,
  type Workload,
} from "../../ipam/workloads.ts";

/** A workload, reduced. */
export interface WorkloadRow extends StoredObject {
  /** Absent: its pods ask for no pool of their own. */
  readonly application?: Application | undefined;
}

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
