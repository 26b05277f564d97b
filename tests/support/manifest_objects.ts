/** Objects of manifests, as tests look at them. */
import { parseAllDocuments } from "yaml";

/** A container as far as an installation's rules are about it. */
export interface ManifestContainer {
  readonly name: string;
  readonly image: string;
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean;
    readonly readOnlyRootFilesystem?: boolean;
    readonly privileged?: boolean;
    readonly runAsUser?: number;
    readonly runAsNonRoot?: boolean;
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  };
  readonly resources?: {
    readonly requests?: Readonly<Record<string, string>>;
    readonly limits?: Readonly<Record<string, string>>;
  };
  readonly startupProbe?: object;
  readonly readinessProbe?: object;
  readonly livenessProbe?: object;
}

/** The pods that an object makes. */
export interface ManifestPod {
  readonly securityContext?: { readonly runAsUser?: number; readonly runAsNonRoot?: boolean };
  readonly priorityClassName?: string;
  readonly serviceAccountName?: string;
  readonly tolerations?: readonly object[];
  readonly initContainers?: readonly ManifestContainer[];
  readonly containers: readonly ManifestContainer[];
}

/** An object of a manifest. */
export interface InstalledObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    /** Of objects as a server has them; not every kind has the first. */
    readonly generation?: number;
    readonly resourceVersion?: string;
  };
  readonly spec?: {
    readonly template?: { readonly spec: ManifestPod };
    readonly replicas?: number;
    readonly names?: { readonly kind: string };
    readonly group?: string;
    readonly multusName?: readonly string[];
  };
  readonly data?: Readonly<Record<string, string>>;
  /** Of a ClusterRole. */
  readonly aggregationRule?: object;
}

/** Every object of a file, in its order. @throws {Error} If it is not YAML. */
export function objectsIn(text: string): readonly InstalledObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    for (const error of document.errors) throw error;
    const value: InstalledObject | null = document.toJS();
    return value === null ? [] : [value];
  });
}

/** Kind, namespace and name: what makes an object that object. */
export function identityOf({ apiVersion, kind, metadata }: InstalledObject): string {
  return [apiVersion, kind, metadata.namespace ?? "", metadata.name].join(" ");
}
