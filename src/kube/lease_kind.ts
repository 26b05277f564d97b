/** Leases as the API has them. */
import type { Resource, StoredObject } from "../base/object_store.ts";
import { err, ok, type Result } from "../base/result.ts";
import { asNumber, asRecord, asText, valueAt } from "./json_value.ts";

/** A coordination.k8s.io/v1 Lease. Times are RFC 3339 with microseconds. */
export interface Lease extends StoredObject {
  readonly spec?: {
    readonly holderIdentity?: string | undefined;
    readonly leaseDurationSeconds?: number | undefined;
    readonly acquireTime?: string | undefined;
    readonly renewTime?: string | undefined;
    readonly leaseTransitions?: number | undefined;
    readonly [field: string]: unknown;
  } | undefined;
}

/** The Lease kind. */
export const LEASES: Resource<Lease> = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
  hasStatus: false,
  columns: [],
  view: "full",
  parse: parseLease,
};

function parseLease(value: unknown): Result<Lease, string> {
  const record = asRecord(value);
  const name = asText(valueAt(record, ["metadata", "name"]));
  if (record === undefined || name === undefined) return err("metadata.name is missing");
  const spec = asRecord(record["spec"]);
  const namespace = asText(valueAt(record, ["metadata", "namespace"]));
  const metadata = { ...asRecord(record["metadata"]), name, ...(namespace && { namespace }) };
  return ok({
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata,
    ...(spec !== undefined && {
      spec: {
        ...spec,
        holderIdentity: asText(spec["holderIdentity"]),
        leaseDurationSeconds: asNumber(spec["leaseDurationSeconds"]),
        acquireTime: asText(spec["acquireTime"]),
        renewTime: asText(spec["renewTime"]),
        leaseTransitions: asNumber(spec["leaseTransitions"]),
      },
    }),
  });
}
