/** What the API server of a cluster writes down: who of ours asked it for what, and the answer. */
import * as path from "node:path";

/** Where the log of a control plane's folder is: one JSON object a line. */
export function auditLogPath(folder: string): string {
  return path.join(folder, "log", "audit.log");
}

/** Flags of kube-apiserver: requests of the ServiceAccounts of one namespace, without bodies. */
export function auditFlags(folder: string): readonly string[] {
  return [
    `--audit-policy-file=${policyPath(folder)}`,
    `--audit-log-path=${auditLogPath(folder)}`,
    "--audit-log-maxsize=2000", // Megabytes: one file, never a second.
  ];
}

/** Writes the policy that the flags name. */
export async function writeAuditPolicy(
  folder: string,
  { namespace }: { readonly namespace: string },
): Promise<void> {
  const policy = {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    rules: [
      { level: "Metadata", userGroups: [`system:serviceaccounts:${namespace}`] },
      { level: "None" },
    ],
  };
  await Deno.writeTextFile(policyPath(folder), JSON.stringify(policy));
}

function policyPath(folder: string): string {
  return path.join(folder, "audit-policy.json");
}
