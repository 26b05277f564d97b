/** Nodes and namespaces. */
import type { ObjectMeta, Resource } from "../../base/object_store.ts";
import { flag, listOf, optional, stored, text } from "../decode.ts";
import { objectMeta, typeMeta } from "../metadata.ts";
import { lean } from "./resource.ts";

/** A node. Fields that this type does not name are kept. */
export interface Node {
  readonly apiVersion: "v1";
  readonly kind: "Node";
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly unschedulable?: boolean | undefined;
    readonly taints?: readonly Taint[] | undefined;
  };
  readonly status?: {
    readonly conditions?: readonly NodeCondition[] | undefined;
    readonly addresses?: readonly { readonly type: string; readonly address: string }[] | undefined;
    readonly nodeInfo?: {
      /** Changes with every boot of the machine. */
      readonly bootID?: string | undefined;
    } | undefined;
  } | undefined;
}

/** A taint of a node. */
export interface Taint {
  readonly key: string;
  readonly value?: string | undefined;
  readonly effect: string;
  readonly timeAdded?: string | undefined;
}

/** A condition of a node. */
export interface NodeCondition {
  readonly type: string;
  /** `True`, `False` or `Unknown`. */
  readonly status: string;
  readonly lastHeartbeatTime?: string | undefined;
  readonly lastTransitionTime?: string | undefined;
}

/** The taint that says a node is shut down and its pods are gone. */
export const TAINT_OUT_OF_SERVICE = "node.kubernetes.io/out-of-service";

/** Label by which a kubelet says what its node runs: `linux` or `windows`. */
export const OS_LABEL = "kubernetes.io/os";

/** Whether the node's kubelet said, and the control plane still believes, that it is ready. */
export function isNodeReady(node: Node): boolean {
  const conditions = node.status?.conditions ?? [];
  return conditions.some(({ type, status }) => type === "Ready" && status === "True");
}

/** Whether a person says that the node is shut down. */
export function isOutOfService({ spec }: Node): boolean {
  return (spec.taints ?? []).some(({ key }) => key === TAINT_OUT_OF_SERVICE);
}

/** The resource. */
export const NODES: Resource<Node> = lean<Node>({
  kind: "Node",
  plural: "nodes",
  namespaced: false,
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "v1", kind: "Node" }),
    metadata: objectMeta,
    spec: stored({
      unschedulable: optional(flag),
      taints: optional(listOf(stored({
        key: text,
        value: optional(text),
        effect: text,
        timeAdded: optional(text),
      }))),
    }),
    status: optional(stored({
      conditions: optional(listOf(stored({
        type: text,
        status: text,
        lastHeartbeatTime: optional(text),
        lastTransitionTime: optional(text),
      }))),
      addresses: optional(listOf(stored({ type: text, address: text }))),
      nodeInfo: optional(stored({ bootID: optional(text) })),
    })),
  }),
});

/** A namespace. */
export interface Namespace {
  readonly apiVersion: "v1";
  readonly kind: "Namespace";
  readonly metadata: ObjectMeta;
  readonly status?: {
    /** `Active` or `Terminating`. */
    readonly phase?: string | undefined;
  } | undefined;
}

/** The resource. */
export const NAMESPACES: Resource<Namespace> = lean<Namespace>({
  kind: "Namespace",
  plural: "namespaces",
  namespaced: false,
  hasStatus: true,
  decoder: stored({
    ...typeMeta({ apiVersion: "v1", kind: "Namespace" }),
    metadata: objectMeta,
    status: optional(stored({ phase: optional(text) })),
  }),
});
