/** Finds out how to reach the API server: a kubeconfig, or the service account of this pod. */
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { AccessError, ClusterAccess, ReadEnvironment, ReadText } from "./access.ts";
import { readKubeConfig } from "./kube_config.ts";

/** Where a kubelet puts the service account of a pod. */
export const SERVICE_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Where `loadAccess` looks. */
export interface LoadOptions {
  readonly environment: ReadEnvironment;
  readonly readText: ReadText;
  /** A path given by a person; it wins over everything. */
  readonly kubeconfig?: string | undefined;
  /** Context to use instead of the kubeconfig's current one. */
  readonly context?: string | undefined;
  readonly serviceAccountDirectory?: string | undefined;
}

/**
 * Finds the API server: the kubeconfig it is given, else `KUBECONFIG`, else the pod's service
 * account, else `~/.kube/config` (the order of controllers written with controller-runtime).
 *
 * @outcome `unreadable` `invalid` `unsupported` As `readKubeConfig`; also when there is nothing.
 */
export function loadAccess(options: LoadOptions): Promise<Result<ClusterAccess, AccessError>> {
  const { environment, readText, kubeconfig, context } = options;
  if (kubeconfig !== undefined) return readKubeConfig([kubeconfig], { readText, context });
  const listed = (environment("KUBECONFIG") ?? "").split(":").filter((path) => path !== "");
  if (listed.length > 0) return readKubeConfig(listed, { readText, context });
  if (environment("KUBERNETES_SERVICE_HOST") !== undefined && context === undefined) {
    return inClusterAccess(options);
  }
  const home = environment("HOME");
  if (home === undefined) {
    return Promise.resolve(err({
      code: "unreadable",
      message: "Cannot find the API server: neither KUBECONFIG nor KUBERNETES_SERVICE_HOST nor " +
        "HOME is set: name a kubeconfig in KUBECONFIG",
    }));
  }
  return readKubeConfig([`${home}/.kube/config`], { readText, context });
}

/**
 * Reads the access that a pod has: server from the environment, token and CA from the mounted
 * service account (both are read again when the kubelet rotates them).
 *
 * @outcome `unreadable` The environment names no server, or the service account is not mounted.
 */
export async function inClusterAccess(
  { environment, readText, serviceAccountDirectory = SERVICE_ACCOUNT_DIRECTORY }: Pick<
    LoadOptions,
    "environment" | "readText" | "serviceAccountDirectory"
  >,
): Promise<Result<ClusterAccess, AccessError>> {
  const host = environment("KUBERNETES_SERVICE_HOST") ?? "";
  const port = environment("KUBERNETES_SERVICE_PORT") ?? "";
  if (host === "" || port === "") {
    return err({
      code: "unreadable",
      message: "Cannot use the pod's service account: KUBERNETES_SERVICE_HOST or " +
        "KUBERNETES_SERVICE_PORT is not set: run in a pod or name a kubeconfig in KUBECONFIG",
    });
  }
  const token = `${serviceAccountDirectory}/token`;
  try {
    await readText(token);
  } catch (error) {
    return err({
      code: "unreadable",
      message: `Cannot use the pod's service account: "${token}": ${errorText(error)}: ` +
        `set automountServiceAccountToken or name a kubeconfig in KUBECONFIG`,
    });
  }
  const namespace = await readText(`${serviceAccountDirectory}/namespace`).catch(() => "default");
  return ok({
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    certificateAuthority: { kind: "file", path: `${serviceAccountDirectory}/ca.crt` },
    identity: { token: { kind: "file", path: token } },
    namespace: namespace.trim(),
    origin: `the service account in "${serviceAccountDirectory}"`,
  });
}
