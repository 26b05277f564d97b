/** Pods, as far as addresses depend on them. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { anything, flag, integer, listOf, optional, recordOf, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** Quantities of a container, as the API spells them: `{ cpu: "100m" }`. */
export type ResourceList = Readonly<Record<string, unknown>>;

/** A container of a pod. */
export interface Container {
  readonly name: string;
  readonly resources?: {
    readonly limits?: ResourceList | undefined;
    readonly requests?: ResourceList | undefined;
  } | undefined;
}

/** What a kubelet last said of one container. */
export interface ContainerStatus {
  readonly name: string;
  readonly state?: {
    readonly running?: unknown;
    readonly waiting?: unknown;
    readonly terminated?: unknown;
  } | undefined;
}

/** A pod. Fields that this type does not name are kept. */
export interface Pod {
  readonly apiVersion: "v1";
  readonly kind: "Pod";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly nodeName?: string | undefined;
    readonly hostNetwork?: boolean | undefined;
    /** `Always`, `OnFailure` or `Never`. */
    readonly restartPolicy?: string | undefined;
    readonly terminationGracePeriodSeconds?: number | undefined;
    readonly containers: readonly Container[];
  };
  readonly status?: {
    /** `Pending`, `Running`, `Succeeded`, `Failed` or `Unknown`. */
    readonly phase?: string | undefined;
    /** `Evicted`, `NodeLost` and the like. */
    readonly reason?: string | undefined;
    readonly podIP?: string | undefined;
    readonly podIPs?: readonly { readonly ip: string }[] | undefined;
    readonly containerStatuses?: readonly ContainerStatus[] | undefined;
  } | undefined;
}

const containerStatuses = listOf(stored({
  name: text,
  state: optional(stored({
    running: optional(anything),
    waiting: optional(anything),
    terminated: optional(anything),
  })),
}));

const decodePod = stored({
  ...typeMeta({ apiVersion: "v1", kind: "Pod" }),
  metadata: objectMeta,
  spec: stored({
    nodeName: optional(text),
    hostNetwork: optional(flag),
    restartPolicy: optional(text),
    terminationGracePeriodSeconds: optional(integer()),
    containers: listOf(stored({
      name: text,
      resources: optional(stored({
        limits: optional(recordOf(anything)),
        requests: optional(recordOf(anything)),
      })),
    })),
  }),
  status: optional(stored({
    phase: optional(text),
    reason: optional(text),
    podIP: optional(text),
    podIPs: optional(listOf(stored({ ip: text }))),
    containerStatuses: optional(containerStatuses),
  })),
});

/** The resource. */
export const PODS: Resource<Pod> = lean<Pod>({
  kind: "Pod",
  plural: "pods",
  hasStatus: true,
  decoder: decodePod,
});
