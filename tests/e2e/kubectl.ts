import { run, runOrThrow } from "../../scripts/cluster/process.ts";

/** `kubectl` against one cluster, as a person would type it. */
export interface Kubectl {
  /** Runs it; the answer is what it prints. @throws {Error} If it ends with another code than 0. */
  run(...args: readonly string[]): Promise<string>;
  /** Applies objects. */
  apply(...objects: readonly unknown[]): Promise<string>;
  /** Runs a shell line in a pod; the answer holds the code as well. */
  shell(
    pod: string,
    line: string,
    options?: { readonly namespace?: string },
  ): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>;
}

/** Uses the kubectl and kubeconfig of a cluster's folder. */
export function kubectlOf(folder: string): Kubectl {
  const program = `${folder}/bin/kubectl`;
  const env = { KUBECONFIG: `${folder}/kubeconfig` };
  return {
    run: (...args) => runOrThrow([program, ...args], { env }),
    apply: (...objects) => {
      const list = { apiVersion: "v1", kind: "List", items: objects };
      return runOrThrow([program, "apply", "-f", "-"], { env, input: JSON.stringify(list) });
    },
    shell: (pod, line, { namespace = "default" } = {}) =>
      run([program, "exec", "-n", namespace, pod, "--", "sh", "-c", line], { env }),
  };
}
