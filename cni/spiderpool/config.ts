import { type IpamConfig, readIpamConfig } from "../../src/api/cni_config.ts";
import { err, ok, type Result } from "../../src/base/result.ts";
import { readCniArguments } from "../../src/cni/arguments.ts";
import type { CniNetwork } from "../../src/cni/network.ts";
import { CNI_CODES, type CniRefusal } from "../../src/cni/refusal.ts";

/** The pod that a runtime names. */
export interface PodIdentity {
  readonly podNamespace: string;
  readonly podName: string;
  /** Empty where the runtime is too old to know it; a static pod's is a hash of its file. */
  readonly podUID: string;
}

/** Keys of `CNI_ARGS` that the reference knows; those that are not read are no mistake either. */
const KNOWN_ARGUMENTS = [
  "IP",
  "K8S_POD_NAME",
  "K8S_POD_NAMESPACE",
  "K8S_POD_INFRA_CONTAINER_ID",
  "K8S_POD_UID",
];

/** Reads the plugin's own part of a network configuration. */
export function readPluginConfig({ config }: CniNetwork): Result<IpamConfig, CniRefusal> {
  const read = readIpamConfig(config);
  return read.ok ? read : err({ code: CNI_CODES.badConfig, msg: read.error });
}

/**
 * Reads of `CNI_ARGS` which pod it is about.
 *
 * @param options.tolerant Whether unknown keys are dropped even without `IgnoreUnknown=1`.
 */
export function readPod(
  text: string,
  { tolerant = false }: { readonly tolerant?: boolean } = {},
): Result<PodIdentity, CniRefusal> {
  const read = readCniArguments(text, { known: KNOWN_ARGUMENTS, tolerant });
  if (!read.ok) return read;
  const podNamespace = read.value.get("K8S_POD_NAMESPACE") ?? "";
  const podName = read.value.get("K8S_POD_NAME") ?? "";
  const missing: string[] = [];
  if (podNamespace === "") missing.push("K8S_POD_NAMESPACE");
  if (podName === "") missing.push("K8S_POD_NAME");
  if (missing.length === 0) {
    return ok({ podNamespace, podName, podUID: read.value.get("K8S_POD_UID") ?? "" });
  }
  const msg = `Cannot use CNI_ARGS: ${missing.join(" and ")} missing; Kubernetes' runtimes set it`;
  return err({ code: CNI_CODES.badEnvironment, msg });
}
