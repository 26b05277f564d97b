/** The command lines of an agent without Kubernetes. */
import { AGENT_SOCKET_PATH } from "../../api/agent.ts";
import { LOG_LEVEL_ALLOWED, parseLogLevel } from "../../api/log_level.ts";
import { isProviderUrl } from "../../api/provider.ts";
import type { LogLevel } from "../../base/log.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { nameProblem } from "../../store/names.ts";
import { SOCKET_PATH_BYTES_MAX } from "../socket_file.ts";

/** Where the database is unless the command line says otherwise. */
export const DATABASE_PATH = "/var/lib/spiderpool/standalone.db";
/** Name of this machine unless the command line says otherwise; it must not change by itself. */
export const NODE_NAME = "standalone";

/** What `--standalone` comes with. */
export interface StandaloneArguments {
  /** A YAML file, or a folder of them; absent: pools are as the database has them. */
  readonly pools?: string;
  readonly database: string;
  readonly socket: string;
  readonly node: string;
  readonly logLevel: LogLevel;
  /** What plugins look for on the wire before an address is used. */
  readonly probes: readonly Probe[];
  /** URL of the network provider; absent: there is none. */
  readonly provider?: string;
}

/** Hosts that have an address already; gateways that do not answer. */
export const PROBES = ["conflicts", "gateways"] as const;
/** One of `PROBES`. */
export type Probe = typeof PROBES[number];

/** Flags of the agent, each with what follows it. */
export const STANDALONE_USAGE = "--standalone [--pools PATH] [--database FILE] [--socket PATH] " +
  "[--node NAME] [--log-level LEVEL] [--probe conflicts,gateways] [--provider URL]";

const FLAGS = [
  ...["--pools", "--database", "--socket", "--node"],
  ...["--log-level", "--probe", "--provider"],
] as const;

/** Reads what follows `--standalone`. The refusal is one sentence. */
export function readStandaloneArguments(
  args: readonly string[],
): Result<StandaloneArguments, string> {
  const read = readFlags(args, { flags: FLAGS, usage: STANDALONE_USAGE });
  if (!read.ok) return read;
  const { value } = read;
  const socket = value.get("--socket") ?? AGENT_SOCKET_PATH;
  const node = value.get("--node") ?? NODE_NAME;
  const level = value.get("--log-level") ?? "info";
  const logLevel = parseLogLevel(level);
  if (logLevel === undefined) {
    return err(`Cannot use --log-level ${JSON.stringify(level)}: write ${LOG_LEVEL_ALLOWED}`);
  }
  const bytes = new TextEncoder().encode(socket).length;
  if (!socket.startsWith("/") || socket.endsWith("/") || bytes > SOCKET_PATH_BYTES_MAX) {
    const allowed = `an absolute path of a file, at most ${SOCKET_PATH_BYTES_MAX} bytes`;
    return err(`Cannot use --socket ${JSON.stringify(socket)}: write ${allowed}`);
  }
  const problem = nameProblem(node);
  if (problem !== undefined) return err(`Cannot use --node: ${problem}`);
  const probe = value.get("--probe");
  const probes = PROBES.filter((name) => probe?.split(",").includes(name));
  if (probe !== undefined && probes.length !== probe.split(",").length) {
    const allowed = `${PROBES.join(", ")}, or both with a comma`;
    return err(`Cannot use --probe ${JSON.stringify(probe)}: write ${allowed}`);
  }
  const pools = value.get("--pools");
  const provider = value.get("--provider");
  if (provider !== undefined && !isProviderUrl(provider)) {
    const allowed = "a URL such as https://provider.example:8443";
    return err(`Cannot use --provider ${JSON.stringify(provider)}: write ${allowed}`);
  }
  return ok({
    ...(provider !== undefined && { provider }),
    ...(pools !== undefined && { pools }),
    database: value.get("--database") ?? DATABASE_PATH,
    socket,
    node,
    logLevel,
    probes,
  });
}

/** Reads `[--database FILE]`. @param usage What the command is called, with all it takes. */
export function readDatabaseFlag(
  args: readonly string[],
  { usage }: { readonly usage: string },
): Result<string, string> {
  const read = readFlags(args, { flags: ["--database"], usage });
  return read.ok ? ok(read.value.get("--database") ?? DATABASE_PATH) : read;
}

/** Reads `--flag VALUE` and `--flag=VALUE`, each flag once at most. */
function readFlags(
  args: readonly string[],
  { flags, usage }: { readonly flags: readonly string[]; readonly usage: string },
): Result<ReadonlyMap<string, string>, string> {
  const values = new Map<string, string>();
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const equals = arg.indexOf("=");
    const flag = equals < 0 ? arg : arg.slice(0, equals);
    const value = equals < 0 ? rest.shift() ?? "" : arg.slice(equals + 1);
    const problem = !flags.includes(flag)
      ? "is unknown"
      : value === ""
      ? "has no value"
      : values.has(flag)
      ? "is there twice"
      : undefined;
    if (problem !== undefined) {
      return err(`Cannot run spiderpool-agent: ${JSON.stringify(flag)} ${problem}: use ${usage}`);
    }
    values.set(flag, value);
  }
  return ok(values);
}
