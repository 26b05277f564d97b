/**
 * Reads kubeconfig files (YAML or JSON) as kubectl does. Our own reader: client-node's costs an
 * agent 70 MB of memory (docs/decisions/0003-kubeconfig.md); a test holds ours against it.
 */
import { assert } from "../base/assert.ts";
import { errorText } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type {
  AccessError,
  ClusterAccess,
  ExecPlugin,
  Identity,
  Material,
  ReadText,
} from "./access.ts";
import { asList, asRecord, asText, type JsonRecord } from "./json_value.ts";

/** An entry of `clusters`, `users` or `contexts` and the file it stands in. */
interface Entry {
  readonly value: JsonRecord;
  readonly file: string;
}

interface Sections {
  readonly clusters: Map<string, Entry>;
  readonly users: Map<string, Entry>;
  readonly contexts: Map<string, Entry>;
  currentContext: string | undefined;
}

const SECTIONS = [["clusters", "cluster"], ["users", "user"], ["contexts", "context"]] as const;

/**
 * Reads one or more kubeconfig files, merged as kubectl merges them: the first file that names a
 * cluster, user, context or current context wins; relative paths start at the file they stand in.
 *
 * @param paths Files in the order of `KUBECONFIG`; at least one.
 * @param options.context Context to use instead of `current-context`.
 * @outcome `unreadable` A file cannot be read.
 * @outcome `invalid` A file is no kubeconfig, or names something it does not define.
 * @outcome `unsupported` It asks for something we do not do; the message says what to use instead.
 */
export async function readKubeConfig(
  paths: readonly string[],
  { readText, context }: { readonly readText: ReadText; readonly context?: string | undefined },
): Promise<Result<ClusterAccess, AccessError>> {
  assert(paths.length > 0, "a kubeconfig is read from at least one file");
  const sections: Sections = {
    clusters: new Map(),
    users: new Map(),
    contexts: new Map(),
    currentContext: undefined,
  };
  for (const path of paths) {
    const parsed = await parseFile(path, readText);
    if (!parsed.ok) return parsed;
    const problem = mergeInto(sections, { value: parsed.value, file: path });
    if (problem !== undefined) return err(invalid(path, problem));
  }
  return accessOf(sections, { files: paths, context });
}

async function parseFile(
  path: string,
  readText: ReadText,
): Promise<Result<JsonRecord, AccessError>> {
  let text: string;
  try {
    text = await readText(path);
  } catch (error) {
    return err({
      code: "unreadable",
      message: `Cannot read kubeconfig "${path}": ${errorText(error)}: ` +
        `check the path in KUBECONFIG and the file's permissions`,
    });
  }
  const value = await parseText(text);
  if (!value.ok) return err(invalid(path, `it is not YAML: ${value.error}`));
  const record = asRecord(value.value);
  return record === undefined
    ? err(invalid(path, "it holds no fields: write one with `kubectl config view --raw`"))
    : ok(record);
}

async function parseText(text: string): Promise<Result<unknown, string>> {
  try {
    if (text.trimStart().startsWith("{")) return ok(JSON.parse(text));
  } catch {
    // A flow mapping of YAML begins like JSON.
  }
  // Loaded only here: a program in a pod reads no kubeconfig and saves the package's memory.
  const { parseYaml } = await import("./yaml_text.ts");
  try {
    return ok(parseYaml(text));
  } catch (error) {
    const [line = ""] = errorText(error).split("\n");
    return err(line.replace(/:$/, ""));
  }
}

/** @returns What is wrong with the file. */
function mergeInto(sections: Sections, { value, file }: Entry): string | undefined {
  const kind = value["kind"];
  if (kind !== undefined && kind !== "Config") {
    return `kind is ${JSON.stringify(kind)}: a kubeconfig's is "Config"`;
  }
  sections.currentContext ??= asText(value["current-context"]);
  for (const [section, field] of SECTIONS) {
    const list = value[section] ?? [];
    if (!Array.isArray(list)) return `${section} is not a list`;
    for (const [index, item] of list.entries()) {
      const name = asText(asRecord(item)?.["name"]);
      if (name === undefined) return `${section}[${index}].name is missing`;
      const entry = asRecord(asRecord(item)?.[field]) ?? {};
      if (!sections[section].has(name)) sections[section].set(name, { value: entry, file });
    }
  }
  return undefined;
}

function accessOf(
  sections: Sections,
  { files, context: wanted }: {
    readonly files: readonly string[];
    readonly context: string | undefined;
  },
): Result<ClusterAccess, AccessError> {
  const shown = files.join(":");
  const name = wanted ?? sections.currentContext;
  if (name === undefined) {
    return err(
      invalid(shown, "current-context is not set: set it with `kubectl config use-context`"),
    );
  }
  const context = sections.contexts.get(name);
  if (context === undefined) {
    return err(invalid(shown, `context "${name}" is not defined${known(sections.contexts)}`));
  }
  const clusterName = asText(context.value["cluster"]) ?? "";
  const cluster = sections.clusters.get(clusterName);
  if (cluster === undefined) {
    return err(invalid(
      shown,
      `context "${name}" names cluster "${clusterName}", which is not defined` +
        known(sections.clusters),
    ));
  }
  const userName = asText(context.value["user"]);
  const user = userName === undefined ? undefined : sections.users.get(userName);
  if (userName !== undefined && user === undefined) {
    return err(invalid(
      shown,
      `context "${name}" names user "${userName}", which is not defined${known(sections.users)}`,
    ));
  }
  const origin = `context "${name}" of "${shown}"`;
  const reached = readCluster(cluster, { name: clusterName });
  if (!reached.ok) return err(reached.error);
  const identity = user === undefined ? ok({}) : readUser(user, { name: userName ?? "" });
  if (!identity.ok) return err(identity.error);
  return ok({
    ...reached.value,
    identity: identity.value,
    namespace: asText(context.value["namespace"]) ?? "default",
    origin,
  });
}

function readCluster(
  { value, file }: Entry,
  { name }: { readonly name: string },
): Result<Pick<ClusterAccess, "server" | "certificateAuthority" | "proxyUrl">, AccessError> {
  const at = `cluster "${name}"`;
  const server = asText(value["server"]);
  if (server === undefined) return err(invalid(file, `server of ${at} is missing`));
  const url = URL.parse(server);
  if (url === null || !["https:", "http:"].includes(url.protocol)) {
    return err(invalid(file, `server of ${at} is "${server}": write https://HOST:PORT`));
  }
  const serverName = asText(value["tls-server-name"]);
  if (serverName !== undefined) {
    return err(unsupported(
      file,
      `${at} sets tls-server-name "${serverName}": ` +
        `use a host in server that the certificate names`,
    ));
  }
  if (value["insecure-skip-tls-verify"] === true && url.protocol === "https:") {
    return err(unsupported(
      file,
      `${at} sets insecure-skip-tls-verify: name the server's CA in certificate-authority-data`,
    ));
  }
  const authority = materialOf(value, { field: "certificate-authority", file });
  if (!authority.ok) return err(invalid(file, `${authority.error} of ${at}`));
  const proxyUrl = asText(value["proxy-url"]);
  if (proxyUrl !== undefined && !/^(?:https?|socks5):\/\/[^/]/.test(proxyUrl)) {
    return err(invalid(
      file,
      `proxy-url of ${at} is "${proxyUrl}": write http://, https:// or socks5:// and a host`,
    ));
  }
  return ok({
    server: server.replace(/\/+$/, ""),
    ...(authority.value !== undefined && { certificateAuthority: authority.value }),
    ...(proxyUrl !== undefined && { proxyUrl }),
  });
}

function readUser(
  { value, file }: Entry,
  { name }: { readonly name: string },
): Result<Identity, AccessError> {
  const at = `user "${name}"`;
  const provider = asRecord(value["auth-provider"]);
  if (provider !== undefined) {
    return err(unsupported(
      file,
      `${at} uses auth-provider "${String(provider["name"])}", which Kubernetes has removed: ` +
        `use exec or a token`,
    ));
  }
  const certificate = materialOf(value, { field: "client-certificate", file });
  if (!certificate.ok) return err(invalid(file, `${certificate.error} of ${at}`));
  const key = materialOf(value, { field: "client-key", file });
  if (!key.ok) return err(invalid(file, `${key.error} of ${at}`));
  if ((certificate.value === undefined) !== (key.value === undefined)) {
    const missing = key.value === undefined ? "client-key" : "client-certificate";
    return err(
      invalid(file, `${missing} of ${at} is missing: a certificate and its key go together`),
    );
  }
  const exec = value["exec"] === undefined || value["exec"] === null
    ? ok(undefined)
    : readExec(asRecord(value["exec"]) ?? {}, { file });
  if (!exec.ok) return err(invalid(file, `${exec.error} of ${at}`));
  const tokenFile = asText(value["tokenFile"]);
  const token = asText(value["token"]);
  const username = asText(value["username"]);
  const impersonateUser = asText(value["as"]);
  return ok({
    ...(certificate.value !== undefined && { clientCertificate: certificate.value }),
    ...(key.value !== undefined && { clientKey: key.value }),
    // kubectl lets tokenFile win over token.
    ...(tokenFile !== undefined
      ? { token: { kind: "file" as const, path: besideFile(tokenFile, file) } }
      : token !== undefined
      ? { token: { kind: "text" as const, text: token } }
      : {}),
    ...(username !== undefined && {
      basic: { username, password: asText(value["password"]) ?? "" },
    }),
    ...(exec.value !== undefined && { exec: exec.value }),
    ...(impersonateUser !== undefined && { impersonateUser }),
  });
}

function readExec(
  value: JsonRecord,
  { file }: { readonly file: string },
): Result<ExecPlugin, string> {
  const command = asText(value["command"]);
  if (command === undefined) return err("exec.command is missing: name the command to run, field");
  const apiVersion = asText(value["apiVersion"]) ?? "";
  if (!/^client\.authentication\.k8s\.io\/v1(?:beta1)?$/.test(apiVersion)) {
    return err(
      `exec.apiVersion is "${apiVersion}": client.authentication.k8s.io/v1 and v1beta1 are ` +
        `known, field`,
    );
  }
  const env: Record<string, string> = {};
  for (const item of asList(value["env"])) {
    const name = asText(asRecord(item)?.["name"]);
    if (name !== undefined) env[name] = String(asRecord(item)?.["value"] ?? "");
  }
  const installHint = asText(value["installHint"]);
  return ok({
    apiVersion,
    command: command.includes("/") ? besideFile(command, file) : command,
    args: asList(value["args"]).map(String),
    env,
    provideClusterInfo: value["provideClusterInfo"] === true,
    ...(installHint !== undefined && { installHint }),
  });
}

/** `<field>-data` (base64) wins over `<field>` (a path), as in kubectl. */
function materialOf(
  value: JsonRecord,
  { field, file }: { readonly field: string; readonly file: string },
): Result<Material | undefined, string> {
  const data = asText(value[`${field}-data`]);
  if (data !== undefined) {
    try {
      const bytes = Uint8Array.fromBase64(data);
      return ok({ kind: "text", text: new TextDecoder().decode(bytes) });
    } catch {
      return err(`${field}-data is not base64: encode the PEM file with \`base64 -w0\`, field`);
    }
  }
  const path = asText(value[field]);
  return ok(path === undefined ? undefined : { kind: "file", path: besideFile(path, file) });
}

function besideFile(path: string, file: string): string {
  if (path.startsWith("/")) return path;
  const slash = file.lastIndexOf("/");
  return slash < 0 ? path : `${file.slice(0, slash)}/${path.replace(/^\.\//, "")}`;
}

function known(entries: ReadonlyMap<string, Entry>): string {
  const names = [...entries.keys()].map((name) => `"${name}"`);
  return names.length === 0 ? ": the file defines none" : `: use one of ${names.join(", ")}`;
}

function invalid(file: string, problem: string): AccessError {
  return { code: "invalid", message: `Cannot use kubeconfig "${file}": ${problem}` };
}

function unsupported(file: string, problem: string): AccessError {
  return { code: "unsupported", message: `Cannot use kubeconfig "${file}": ${problem}` };
}
