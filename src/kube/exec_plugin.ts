/** Runs a kubeconfig's `exec` command and reads the credential it prints. */
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { ClusterAccess, ExecPlugin } from "./access.ts";
import { asRecord, asText, type JsonRecord } from "./json_value.ts";

/** What an `exec` command printed. */
export interface ExecCredential {
  readonly token?: string | undefined;
  /** PEM; comes together with `clientKey`. */
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  /** Unix milliseconds; absent: good until the server refuses it. */
  readonly expiresAtMs?: number | undefined;
}

/** Bytes of a credential: a token and two PEM blocks are a few thousand. */
const CREDENTIAL_BYTES_MAX = 1_000_000;

/**
 * Runs the command and reads its `ExecCredential`. Refusals are one sentence with the command.
 *
 * @throws The signal's reason, if it aborts first; the command is ended then.
 * @source https://kubernetes.io/docs/reference/config-api/client-authentication.v1/
 */
export async function runExecPlugin(
  plugin: ExecPlugin,
  { access, signal }: { readonly access: ClusterAccess; readonly signal: AbortSignal },
): Promise<Result<ExecCredential, string>> {
  const tried = `command "${plugin.command}" of ${access.origin}`;
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(plugin.command, {
      args: [...plugin.args],
      env: { ...plugin.env, KUBERNETES_EXEC_INFO: JSON.stringify(execInfo(plugin, access)) },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal,
    }).output();
  } catch (error) {
    const hint = plugin.installHint ?? "install it or correct exec.command";
    return err(`${tried} cannot be run: ${errorText(error)}: ${hint}`);
  }
  signal.throwIfAborted();
  if (!output.success) {
    const [line = ""] = new TextDecoder().decode(output.stderr).trim().split("\n");
    return err(`${tried} ended with exit code ${output.code}: ${line || "it printed no reason"}`);
  }
  if (output.stdout.length > CREDENTIAL_BYTES_MAX) {
    return err(`${tried} printed ${output.stdout.length} bytes: a credential has a few thousand`);
  }
  const credential = readCredential(new TextDecoder().decode(output.stdout), plugin.apiVersion);
  return credential.ok ? credential : err(`${tried} printed no credential: ${credential.error}`);
}

function execInfo(plugin: ExecPlugin, access: ClusterAccess): JsonRecord {
  const authority = access.certificateAuthority;
  const cluster = {
    server: access.server,
    ...(authority?.kind === "text" && {
      "certificate-authority-data": new TextEncoder().encode(authority.text).toBase64(),
    }),
    ...(access.proxyUrl !== undefined && { "proxy-url": access.proxyUrl }),
  };
  return {
    apiVersion: plugin.apiVersion,
    kind: "ExecCredential",
    spec: { interactive: false, ...(plugin.provideClusterInfo && { cluster }) },
  };
}

function readCredential(text: string, apiVersion: string): Result<ExecCredential, string> {
  let value: JsonRecord | undefined;
  try {
    value = asRecord(JSON.parse(text));
  } catch {
    return err("its output is not JSON");
  }
  if (value?.["kind"] !== "ExecCredential") return err('kind is not "ExecCredential"');
  if (value["apiVersion"] !== apiVersion) {
    return err(`apiVersion is ${JSON.stringify(value["apiVersion"])}, not "${apiVersion}"`);
  }
  const status = asRecord(value["status"]) ?? {};
  const token = asText(status["token"]);
  const clientCertificate = asText(status["clientCertificateData"]);
  const clientKey = asText(status["clientKeyData"]);
  if (token === undefined && clientCertificate === undefined) {
    return err("status has neither token nor clientCertificateData");
  }
  if ((clientCertificate === undefined) !== (clientKey === undefined)) {
    return err("status has only one of clientCertificateData and clientKeyData");
  }
  const stamp = asText(status["expirationTimestamp"]);
  const expiresAtMs = stamp === undefined ? undefined : Date.parse(stamp);
  if (expiresAtMs !== undefined && Number.isNaN(expiresAtMs)) {
    return err(`status.expirationTimestamp is "${stamp}", not a time of RFC 3339`);
  }
  return ok({
    ...(token !== undefined && { token }),
    ...(clientCertificate !== undefined && { clientCertificate, clientKey }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  });
}
