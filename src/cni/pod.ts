/** The pod that a runtime names in `CNI_ARGS`, as Kubernetes' runtimes do. */
import { err, ok, type Result } from "../base/result.ts";
import { readCniArguments } from "./arguments.ts";
import { CNI_CODES, type CniRefusal } from "./refusal.ts";

/** The pod that a runtime names; without Kubernetes there is none, and all of it is empty. */
export interface PodIdentity {
  readonly podNamespace: string;
  readonly podName: string;
  /** Empty where the runtime is too old to know it; a static pod's is a hash of its file. */
  readonly podUID: string;
}

/** What `CNI_ARGS` say. */
export interface PodArguments {
  readonly pod: PodIdentity;
  /** Name that the addresses are kept under when the container is replaced; without Kubernetes. */
  readonly fixed?: string;
}

/**
 * Keys of `CNI_ARGS`: those that the reference knows, whether read or not, and one for containers
 * without Kubernetes.
 */
const KNOWN_ARGUMENTS = [
  "IP",
  "K8S_POD_NAME",
  "K8S_POD_NAMESPACE",
  "K8S_POD_INFRA_CONTAINER_ID",
  "K8S_POD_UID",
  "fixed",
];

/**
 * Reads of `CNI_ARGS` which pod it is about. That no pod is named is no mistake: the agent knows
 * whether there are pods.
 *
 * @param options.tolerant Whether unknown keys are dropped even without `IgnoreUnknown=1`.
 */
export function readPod(
  text: string,
  { tolerant = false }: { readonly tolerant?: boolean } = {},
): Result<PodArguments, CniRefusal> {
  const read = readCniArguments(text, { known: KNOWN_ARGUMENTS, tolerant });
  if (!read.ok) return read;
  const podNamespace = read.value.get("K8S_POD_NAMESPACE") ?? "";
  const podName = read.value.get("K8S_POD_NAME") ?? "";
  if ((podNamespace === "") !== (podName === "")) {
    const missing = podName === "" ? "K8S_POD_NAME" : "K8S_POD_NAMESPACE";
    const msg = `Cannot use CNI_ARGS: ${missing} missing; Kubernetes' runtimes set it`;
    return err({ code: CNI_CODES.badEnvironment, msg });
  }
  const fixed = read.value.get("fixed") ?? "";
  const pod = { podNamespace, podName, podUID: read.value.get("K8S_POD_UID") ?? "" };
  return ok(fixed === "" ? { pod } : { pod, fixed });
}
