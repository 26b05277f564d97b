import { type CommandOutput, run, runOrThrow } from "../../scripts/cluster/process.ts";

/** `kubectl` against one cluster, as a person would type it. */
export interface Kubectl {
  /** Path of the kubeconfig that it uses. */
  readonly kubeconfig: string;
  /** Runs it; the answer is what it prints. @throws {Error} If it ends with another code than 0. */
  run(...args: readonly string[]): Promise<string>;
  /** Applies objects. */
  apply(...objects: readonly unknown[]): Promise<string>;
  /** Runs it, on objects where there are any; the answer holds the code as well. */
  attempt(args: readonly string[], objects?: readonly unknown[]): Promise<CommandOutput>;
  /** Runs a shell line in a pod; the answer holds the code as well. */
  shell(
    pod: string,
    line: string,
    options?: { readonly namespace?: string },
  ): Promise<CommandOutput>;
}

/** Uses the kubectl and kubeconfig of a cluster's folder. */
export function kubectlOf(folder: string): Kubectl {
  const program = `${folder}/bin/kubectl`;
  const kubeconfig = `${folder}/kubeconfig`;
  const env = { KUBECONFIG: kubeconfig };
  return {
    kubeconfig,
    run: (...args) => runOrThrow([program, ...args], { env }),
    apply: (...objects) => {
      const list = { apiVersion: "v1", kind: "List", items: objects };
      return runOrThrow([program, "apply", "-f", "-"], { env, input: JSON.stringify(list) });
    },
    attempt: (args, objects) => {
      if (objects === undefined) return run([program, ...args], { env });
      // One after the other as in a file of several: what is in a List kubectl looks at itself.
      const input = objects.map((object) => JSON.stringify(object)).join("\n");
      return run([program, ...args, "-f", "-"], { env, input });
    },
    shell: (pod, line, { namespace = "default" } = {}) =>
      run([program, "exec", "-n", namespace, pod, "--", "sh", "-c", line], { env }),
  };
}
