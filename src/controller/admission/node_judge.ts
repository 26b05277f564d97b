/** The webhook of new nodes: they take no pods before their networks are there. */
import { type Node, NODES, OS_LABEL } from "../../api/kubernetes/node.ts";
import { shut } from "../../api/node_gate.ts";
import type { AdmissionVerdict } from "../../kube/mod.ts";
import type { JudgeOptions, KindJudge } from "./kind_judge.ts";
import { patchBetween } from "./rules/json_patch.ts";

const ALLOWED: AdmissionVerdict = { allowed: true };

/**
 * New Linux nodes get a taint, which the leader takes off ([nodes](../nodes/README.md)). No node is
 * ever refused, and one that is there already, also where its kubelet registers it again, never
 * gets it: it runs pods.
 */
export function nodeJudge(
  { settings: { gatesNodes } }: Pick<JudgeOptions, "settings">,
): readonly [string, KindJudge] {
  const allow = (): Promise<AdmissionVerdict> => Promise.resolve(ALLOWED);
  const mutate: KindJudge["mutate"] = ({ operation, object }) => {
    const node = NODES.parse(object);
    const isMeant = gatesNodes && operation === "CREATE" && node.ok && isLinux(node.value);
    if (!isMeant) return allow();
    const patch = patchBetween(node.value, shut(node.value));
    return Promise.resolve(patch.length === 0 ? ALLOWED : { allowed: true, patch });
  };
  const { group, version, kind } = NODES;
  return ["node", { group, version, kind, mutate, validate: allow }];
}

/** Kubelets say it of their nodes. */
function isLinux({ metadata: { labels } }: Node): boolean {
  return labels?.[OS_LABEL] === "linux";
}
