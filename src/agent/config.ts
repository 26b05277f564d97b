/** What the agent's configuration file and environment say, joined and checked. */
import { readConfig } from "../api/config_map.ts";
import { AGENT_VARIABLES, readAgentEnvironment } from "../api/environment_agent.ts";
import { shown } from "../api/problem.ts";
import type { LogLevel } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import { readYaml, type SettingsSources, valuesOf } from "../daemon/settings_file.ts";
import { providerOf, type ProviderSettings } from "../daemon/network_provider.ts";
import type { IpamSettings } from "../ipam/settings.ts";
import { SOCKET_PATH_BYTES_MAX } from "./socket_file.ts";

/** Everything that an agent is told. */
export interface AgentSettings {
  readonly socketPath: string;
  /** TCP port of the probes; absent: there are none. */
  readonly healthPort?: number;
  readonly logLevel: LogLevel;
  readonly nodeName: string;
  readonly podName: string;
  /** TCP port of the metrics, and whether there are debug metrics; absent: there are none. */
  readonly metrics?: { readonly port: number; readonly keepsDebug: boolean };
  /** Whether the node's sysctls are set. */
  readonly tunesSysctls: boolean;
  readonly kubeletRootDir: string;
  readonly ipam: IpamSettings;
  /** Absent: there is none. */
  readonly provider?: ProviderSettings;
  /** What is set and has no effect: logged as warnings. */
  readonly unused: readonly string[];
}

/**
 * Reads the settings.
 *
 * @param path The configuration file, YAML.
 * @returns Or one sentence with the setting, its value and what to write.
 */
export async function readSettings(
  path: string,
  { readEnvironment, readText }: SettingsSources,
): Promise<Result<AgentSettings, string>> {
  const environment = readAgentEnvironment(valuesOf(AGENT_VARIABLES, readEnvironment));
  if (!environment.ok) return environment;
  const document = await readYaml(path, readText);
  if (!document.ok) return document;
  const read = readConfig(document.value);
  if (!read.ok) return err(`${read.error}: it is in "${path}"`);
  const { config, unknown } = read.value;
  const problem = socketPathProblem(config.ipamUnixSocketPath) ?? familyProblem(config);
  if (problem !== undefined) return err(`${problem}: it is in "${path}"`);
  const {
    nodeName,
    podName,
    podNamespace,
    healthPort,
    logLevel,
    releaseConflicting,
    poolAddressesMax,
    autoPoolWaitSeconds,
    autoPoolWaitTries,
    multusClusterNetwork,
    metricsEnabled,
    metricsPort,
    debugMetricsEnabled,
    rdmaMetricsEnabled,
  } = environment.value;
  return ok({
    socketPath: config.ipamUnixSocketPath,
    healthPort,
    logLevel,
    nodeName,
    podName,
    tunesSysctls: config.tuneSysctlConfig,
    kubeletRootDir: config.agent.networkResourcePlugin.kubeletRootDir,
    ipam: {
      ipv4: config.enableIPv4,
      ipv6: config.enableIPv6,
      statefulSet: config.enableStatefulSet,
      kubevirt: config.enableKubevirtStaticIP,
      spiderSubnet: config.enableSpiderSubnet,
      autoPool: config.enableAutoPoolForApplication,
      agentNamespace: podNamespace,
      clusterNetwork: multusClusterNetwork,
      conflictDetection: config.enableIPConflictDetection,
      gatewayDetection: config.enableGatewayDetection,
      releaseConflicting,
      poolAddressesMax,
      autoPoolWaitMs: autoPoolWaitTries * autoPoolWaitSeconds * 1_000,
    },
    ...providerOf(config),
    ...(metricsEnabled && { metrics: { port: metricsPort, keepsDebug: debugMetricsEnabled } }),
    unused: [
      ...unknown.map((key) =>
        `${key} of "${path}": nobody reads it; correct its name, or take it out`
      ),
      ...(rdmaMetricsEnabled ? ["SPIDERPOOL_ENABLED_RDMA_METRIC: there are no such metrics"] : []),
    ],
  });
}

function socketPathProblem(path: string): string | undefined {
  if (!path.startsWith("/") || path.endsWith("/") || path.includes("\0")) {
    return `Cannot use ipamUnixSocketPath ${shown(path)}: write an absolute path of a file`;
  }
  if (new TextEncoder().encode(path).length <= SOCKET_PATH_BYTES_MAX) return undefined;
  return `Cannot use ipamUnixSocketPath ${shown(path)}: the kernel takes shorter paths only; ` +
    `write at most ${SOCKET_PATH_BYTES_MAX} bytes`;
}

function familyProblem(
  { enableIPv4, enableIPv6 }: { readonly enableIPv4: boolean; readonly enableIPv6: boolean },
): string | undefined {
  if (enableIPv4 || enableIPv6) return undefined;
  return "Cannot use enableIPv4 false with enableIPv6 false: no pod would get an address; write " +
    "true for at least one";
}
