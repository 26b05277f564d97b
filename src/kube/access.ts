/**
 * What it takes to reach one API server: its address, whom to trust, and who we are. Read from a
 * kubeconfig (`kube_config.ts`), from a pod's service account (`in_cluster.ts`) or made by hand.
 */

/** Material given as text, or as a file that is read again when it is rotated. */
export type Material =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "file"; readonly path: string };

/** A command that prints an `ExecCredential` (client.authentication.k8s.io/v1 or v1beta1). */
export interface ExecPlugin {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Tells people how to get the command; part of the message when it is missing. */
  readonly installHint?: string | undefined;
  /** Whether the cluster goes into `KUBERNETES_EXEC_INFO`. */
  readonly provideClusterInfo: boolean;
}

/** Who we are. Fields may be combined as a kubeconfig's user may. */
export interface Identity {
  /** PEM; set together with `clientKey`. */
  readonly clientCertificate?: Material | undefined;
  readonly clientKey?: Material | undefined;
  readonly token?: Material | undefined;
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  readonly exec?: ExecPlugin | undefined;
  readonly impersonateUser?: string | undefined;
}

/** One API server and one identity there. */
export interface ClusterAccess {
  /** `https://host:port`, without a slash at the end; it may have a path. */
  readonly server: string;
  /** PEM of the authorities to trust beside the system's. */
  readonly certificateAuthority?: Material | undefined;
  /** `http://`, `https://` or `socks5://` proxy in front of the server. */
  readonly proxyUrl?: string | undefined;
  readonly identity: Identity;
  /** Namespace of the context, or of the pod; `default` where neither names one. */
  readonly namespace: string;
  /** Where this was read, for messages: `context "blue" of "config"`. */
  readonly origin: string;
}

/** Why there is no access. `message` is one sentence: what was read, what is wrong, what to do. */
export interface AccessError {
  readonly code: "unreadable" | "invalid" | "unsupported";
  readonly message: string;
}

/** Reads a text file. `Deno.readTextFile` outside tests. */
export type ReadText = (path: string) => Promise<string>;

/** Reads an environment variable. `Deno.env.get` outside tests. */
export type ReadEnvironment = (name: string) => string | undefined;
