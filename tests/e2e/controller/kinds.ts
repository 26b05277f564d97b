/** Kinds of others, as far as they matter here: any field is taken. */
import type { Kubectl } from "../kubectl.ts";
import { LIMIT } from "../ipam/installation.ts";

/** Serves a kind until it is disposed. */
export async function serveKind(
  kubectl: Kubectl,
  { group, version, kind, isNamespaced = false }: {
    readonly group: string;
    readonly version: string;
    readonly kind: string;
    readonly isNamespaced?: boolean;
  },
): Promise<AsyncDisposable> {
  const singular = kind.toLowerCase();
  const plural = `${singular}s`;
  const schema = {
    openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  };
  await kubectl.apply({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: isNamespaced ? "Namespaced" : "Cluster",
      names: { kind, plural, singular },
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  });
  const definition = `crd/${plural}.${group}`;
  await kubectl.run("wait", "--for=condition=Established", `--timeout=${LIMIT}`, definition);
  return {
    [Symbol.asyncDispose]: async () => {
      await kubectl.run("delete", definition, `--timeout=${LIMIT}`);
    },
  };
}
