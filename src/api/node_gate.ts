/** The taint that keeps pods off a node until its networks are there. */
import type { Node } from "./kubernetes/node.ts";

/** Key of the taint: of whoever writes it, a person or a kubelet too. */
export const TAINT_NOT_READY = "ipam.spidernet.io/not-ready";

/** Whether a node takes no pods yet, whatever the effect of the taint is. */
export function isShut({ spec }: Pick<Node, "spec">): boolean {
  return (spec.taints ?? []).some(({ key }) => key === TAINT_NOT_READY);
}

/** The node with the taint, after those that it has; the same object if it has it. */
export function shut(node: Node): Node {
  if (isShut(node)) return node;
  const taints = [...node.spec.taints ?? [], { key: TAINT_NOT_READY, effect: "NoSchedule" }];
  return { ...node, spec: { ...node.spec, taints } };
}

/** The node without the taint; the same object if it has none. */
export function opened(node: Node): Node {
  if (!isShut(node)) return node;
  const taints = (node.spec.taints ?? []).filter(({ key }) => key !== TAINT_NOT_READY);
  return { ...node, spec: { ...node.spec, taints } };
}
