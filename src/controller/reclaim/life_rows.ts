/** Pods and nodes as the controller keeps them: what says that a look is due, and no more. */
import { aboutPools } from "../../ipam/workloads.ts";
import { isNodeReady, type Node, NODES, TAINT_OUT_OF_SERVICE } from "../../api/kubernetes/node.ts";
import { isShut, TAINT_NOT_READY } from "../../api/node_gate.ts";
import { PODS } from "../../api/kubernetes/pod.ts";
import { LABEL_COMPONENT, POOL_COMPONENTS } from "../../api/labels.ts";
import { parseMetadataOf } from "../../api/metadata.ts";
import { type MetadataObject, metadataOf, type Resource } from "../../base/object_store.ts";
import { ok } from "../../base/result.ts";

/**
 * Metadata of pods with annotations about pools only, and with the label of Spiderpool's own ones.
 * Never written.
 */
export function podRows(): Resource<MetadataObject> {
  const whole = metadataOf(PODS, parseMetadataOf(PODS));
  return {
    ...whole,
    parse: (value) => {
      const read = whole.parse(value);
      if (!read.ok) return read;
      const { apiVersion, kind, metadata } = read.value;
      const { name, namespace, uid, resourceVersion } = metadata;
      const { deletionTimestamp, deletionGracePeriodSeconds } = metadata;
      const { creationTimestamp, ownerReferences } = metadata;
      const annotations = aboutPools(metadata.annotations ?? {});
      const component = metadata.labels?.[LABEL_COMPONENT] ?? "";
      return ok({
        apiVersion,
        kind,
        metadata: {
          name,
          namespace,
          uid,
          resourceVersion,
          ...(deletionTimestamp !== undefined && { deletionTimestamp, deletionGracePeriodSeconds }),
          ...(POOL_COMPONENTS.includes(component) && { labels: { [LABEL_COMPONENT]: component } }),
          ...(annotations !== undefined && { annotations, creationTimestamp, ownerReferences }),
        },
      });
    },
  };
}

const TAINTS: readonly string[] = [TAINT_OUT_OF_SERVICE, TAINT_NOT_READY];

/**
 * Nodes: whether they are ready, whether a person says that they are off, and which take no pods
 * yet, with their age. Never written.
 */
export function nodeRows(): Resource<Node> {
  return {
    ...NODES,
    parse: (value) => {
      const read = NODES.parse(value);
      if (!read.ok) return read;
      const { apiVersion, kind, metadata, spec } = read.value;
      const { name, uid, resourceVersion, creationTimestamp } = metadata;
      const status = isNodeReady(read.value) ? "True" : "False";
      const age = isShut(read.value) ? { creationTimestamp } : {};
      return ok({
        apiVersion,
        kind,
        metadata: { name, uid, resourceVersion, ...age },
        spec: { taints: (spec.taints ?? []).filter(({ key }) => TAINTS.includes(key)) },
        status: { conditions: [{ type: "Ready", status }] },
      });
    },
  };
}
