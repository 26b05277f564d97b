/** A small CNI runtime: runs the plugins of a network, one after the other. */
import { err, ok, type Result } from "../../src/base/result.ts";
import { run } from "../cluster/process.ts";

/** A network, as in a `.conflist` file. */
export interface CniNetworkList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly Readonly<Record<string, unknown>>[];
}

/** A container's NIC. */
export interface Attachment {
  readonly containerID: string;
  /** Path of its network namespace. */
  readonly netns: string;
  readonly ifName: string;
  /** `KEY=value;KEY=value`. */
  readonly args?: string;
}

/** Where plugins run and are found. */
export interface RunnerOptions {
  /** Words before a command that is to run on the machine. */
  readonly enter: readonly [string, ...string[]];
  /** Folders that plugins are looked for in, in order. */
  readonly path: readonly string[];
  readonly signal: AbortSignal;
}

/** What an ADD gave, as far as the demo shows it. */
export interface CniResult {
  readonly ips: readonly { readonly address: string; readonly gateway?: string }[];
}

/**
 * Adds a container to a network. If a plugin refuses, what was done before is taken back, as every
 * runtime does.
 *
 * @returns Or the plugin's own sentence.
 * @source CNI specification 1.0.0, "Section 3: Execution of Network Configurations"
 */
export async function addToNetwork(
  list: CniNetworkList,
  attachment: Attachment,
  options: RunnerOptions,
): Promise<Result<CniResult, string>> {
  let prevResult: unknown;
  for (const plugin of list.plugins) {
    const config = { ...plugin, ...(prevResult !== undefined && { prevResult }) };
    const done = await runPlugin("ADD", { list, config, attachment, options });
    if (!done.ok) {
      await deleteFromNetwork(list, attachment, options);
      return done;
    }
    prevResult = JSON.parse(done.value);
  }
  const ips = membersOf(prevResult)["ips"];
  return ok({ ips: Array.isArray(ips) ? ips.map(ipOf) : [] });
}

/** Takes a container off a network, last plugin first. Each plugin is run, whatever others say. */
export async function deleteFromNetwork(
  list: CniNetworkList,
  attachment: Attachment,
  options: RunnerOptions,
): Promise<Result<void, string>> {
  const problems: string[] = [];
  for (const config of list.plugins.toReversed()) {
    const done = await runPlugin("DEL", { list, config, attachment, options });
    if (!done.ok) problems.push(done.error);
  }
  return problems.length === 0 ? ok(undefined) : err(problems.join("; "));
}

/** Has an IPAM plugin look for addresses that nobody uses any more: GC of CNI 1.1. */
export async function collectGarbage(
  list: CniNetworkList,
  { ipam, options }: {
    /** What the plugin is told. */
    readonly ipam: Readonly<Record<string, unknown>>;
    readonly options: RunnerOptions;
  },
): Promise<Result<void, string>> {
  const config = { type: ipam["type"], ipam };
  const newest = { ...list, cniVersion: "1.1.0" };
  const done = await runPlugin("GC", { list: newest, config, options });
  return done.ok ? ok(undefined) : done;
}

interface PluginRun {
  readonly list: CniNetworkList;
  readonly config: Readonly<Record<string, unknown>>;
  readonly attachment?: Attachment;
  readonly options: RunnerOptions;
}

async function runPlugin(
  command: string,
  { list: { cniVersion, name }, config, attachment, options }: PluginRun,
): Promise<Result<string, string>> {
  const program = await findPlugin(String(config["type"]), options.path);
  if (program === undefined) return err(`no plugin "${config["type"]}" in ${options.path}`);
  const variables = {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    CNI_COMMAND: command,
    CNI_PATH: options.path.join(":"),
    ...(attachment !== undefined && {
      CNI_CONTAINERID: attachment.containerID,
      CNI_NETNS: attachment.netns,
      CNI_IFNAME: attachment.ifName,
      CNI_ARGS: attachment.args ?? "",
    }),
  };
  const pairs = Object.entries(variables).map(([key, value]) => `${key}=${value}`);
  const { code, stdout, stderr } = await run(
    [...options.enter, "env", "-i", ...pairs, program],
    { input: JSON.stringify({ ...config, cniVersion, name }), signal: options.signal },
  );
  if (code === 0) return ok(stdout);
  return err(
    messageOf(stdout) ?? (stderr.trim() || `plugin "${config["type"]}" ends with ${code}`),
  );
}

async function findPlugin(type: string, path: readonly string[]): Promise<string | undefined> {
  for (const folder of path) {
    try {
      if ((await Deno.stat(`${folder}/${type}`)).isFile) return `${folder}/${type}`;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

function messageOf(stdout: string): string | undefined {
  try {
    const msg = membersOf(JSON.parse(stdout))["msg"];
    return typeof msg === "string" ? msg : undefined;
  } catch {
    return undefined; // No error object: what it complained of is said instead.
  }
}

function ipOf(value: unknown): CniResult["ips"][number] {
  return { address: String(membersOf(value)["address"]) };
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
