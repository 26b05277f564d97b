/** The agent's environment. */
import type { LogLevel } from "../base/log.ts";
import type { Result } from "../base/result.ts";
import {
  count,
  type EnvironmentOf,
  flag,
  parsed,
  port,
  readEnvironment,
  requiredText,
  text,
  unsetByEmpty,
  withoutDefault,
} from "./environment.ts";
import { LOG_LEVEL_ALLOWED, parseLogLevel } from "./log_level.ts";

/** Where the configuration file is unless `--config-path` says otherwise. */
export const CONFIG_FILE_PATH = "/tmp/spiderpool/config-map/conf.yml";

/** Variables that agent and controller have in common. */
export const DAEMON_VARIABLES = {
  commitVersion: text("GIT_COMMIT_VERSION", { meaning: "commit of this build, for the log" }),
  commitTime: text("GIT_COMMIT_TIME", { meaning: "time of that commit, for the log" }),
  version: text("VERSION", { meaning: "version of this build, for the log" }),
  logLevel: parsed<LogLevel>("SPIDERPOOL_LOG_LEVEL", {
    meaning: "least severity that is logged",
    otherwise: "info",
    allowed: LOG_LEVEL_ALLOWED,
    parse: parseLogLevel,
  }),
  metricsEnabled: flag("SPIDERPOOL_ENABLED_METRIC", {
    meaning: "whether metrics are served",
    otherwise: false,
  }),
  debugMetricsEnabled: flag("SPIDERPOOL_ENABLED_DEBUG_METRIC", {
    meaning: "whether metrics per pool and subnet are served too",
    otherwise: false,
  }),
  podNamespace: requiredText("SPIDERPOOL_POD_NAMESPACE", { meaning: "namespace of this pod" }),
  podName: requiredText("SPIDERPOOL_POD_NAME", { meaning: "name of this pod" }),
  pyroscopeAddress: text("SPIDERPOOL_PYROSCOPE_PUSH_SERVER_ADDRESS", {
    meaning: "where the reference sends profiles; read and not used",
  }),
  /**
   * Absent: a pool may have any number of addresses in use. The reference stops at 5,000, since one
   * object holds them all; ours has no such object.
   */
  poolAddressesMax: withoutDefault(
    count("SPIDERPOOL_IPPOOL_MAX_ALLOCATED_IPS", {
      meaning: "most addresses of one pool that may be in use",
      otherwise: 0,
      min: 1,
    }),
  ),
};

/** Variables of the agent. */
export const AGENT_VARIABLES = {
  ...DAEMON_VARIABLES,
  rdmaMetricsEnabled: flag("SPIDERPOOL_ENABLED_RDMA_METRIC", {
    meaning: "whether RDMA metrics are served too",
    otherwise: false,
  }),
  nodeName: requiredText("SPIDERPOOL_NODE_NAME", { meaning: "name of this node" }),
  healthPort: port("SPIDERPOOL_HEALTH_PORT", { meaning: "port of the probes", otherwise: 5710 }),
  metricsPort: port("SPIDERPOOL_METRIC_HTTP_PORT", {
    meaning: "port of the metrics",
    otherwise: 5711,
  }),
  gopsPort: unsetByEmpty(port("SPIDERPOOL_GOPS_LISTEN_PORT", {
    meaning: "port of Go's diagnostics in the reference; read and not used",
    otherwise: 5712,
  })),
  releaseConflicting: flag("SPIDERPOOL_ENABLED_RELEASE_CONFLICT_IPS", {
    meaning: "whether a stateless pod gives back an address that conflicts on the wire",
    otherwise: true,
  }),
  autoPoolWaitSeconds: count("SPIDERPOOL_WAIT_SUBNET_POOL_TIME_IN_SECOND", {
    meaning: "seconds of each of the following; nobody looks, an ADD waits for both together",
    otherwise: 2,
    min: 0,
  }),
  autoPoolWaitTries: count("SPIDERPOOL_WAIT_SUBNET_POOL_MAX_RETRIES", {
    meaning: "times the seconds above: how long an ADD waits for an automatic pool, at most 55 s",
    otherwise: 25,
    min: 0,
  }),
  /** Empty: only pods that name their default network have one. */
  multusClusterNetwork: parsed("MULTUS_CLUSTER_NETWORK", {
    meaning: "NetworkAttachmentDefinition of the first NIC of pods that name none",
    otherwise: "",
    allowed: "NAME or NAMESPACE/NAME into key clusterNetwork of the ConfigMap",
    parse: (value) => /^(?:[^\s\/]+\/)?[^\s\/]+$/.test(value) ? value : undefined,
  }),
} as const;

/** What the agent's environment says. */
export type AgentEnvironment = EnvironmentOf<typeof AGENT_VARIABLES>;

/** Reads the agent's environment. */
export function readAgentEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Result<AgentEnvironment, string> {
  return readEnvironment(AGENT_VARIABLES, environment);
}

/** Variables of what writes the configuration of Multus on the node. */
export const MULTUS_VARIABLES = {
  /** Empty: the cluster's own network, as the folder of CNI configurations tells. */
  clusterNetwork: AGENT_VARIABLES.multusClusterNetwork,
  namespace: requiredText("MULTUS_NAMESPACE", {
    meaning: "namespace of NetworkAttachmentDefinitions that are named without one",
  }),
} as const;

/** What the environment of that says. */
export type MultusEnvironment = EnvironmentOf<typeof MULTUS_VARIABLES>;

/** Reads the environment of what writes the configuration of Multus. */
export function readMultusEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Result<MultusEnvironment, string> {
  return readEnvironment(MULTUS_VARIABLES, environment);
}

/**
 * Switches of what puts third parties' plugins on the node, with the reference's names and
 * defaults, but for `INSTALL_MULTUS`, which is ours, and for what our image does not have.
 */
export const PLUGIN_VARIABLES = {
  multus: flag("INSTALL_MULTUS", { meaning: "whether Multus is installed", otherwise: true }),
  standard: flag("INSTALL_CNI_PLUGINS", {
    meaning: "whether the plugins of containernetworking are installed",
    otherwise: false,
  }),
  ovs: flag("INSTALL_OVS_PLUGIN", { meaning: "whether ovs is installed", otherwise: true }),
  rdma: flag("INSTALL_RDMA_PLUGIN", { meaning: "whether rdma is installed", otherwise: true }),
  sriov: flag("INSTALL_SRIOV_PLUGIN", { meaning: "whether sriov is installed", otherwise: false }),
  ibSriov: flag("INSTALL_IB_SRIOV_PLUGIN", {
    meaning: "whether ib-sriov is installed",
    otherwise: false,
  }),
  ipoib: flag("INSTALL_IPOIB_PLUGIN", { meaning: "whether ipoib is installed", otherwise: false }),
  /** The agent installs it, whatever is written here. */
  vlan: flag("INSTALL_VLAN_PLUGIN", { meaning: "whether vlan is installed", otherwise: true }),
} as const;

/** What the environment of that says. */
export type PluginEnvironment = EnvironmentOf<typeof PLUGIN_VARIABLES>;

/** Reads those switches. */
export function readPluginEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Result<PluginEnvironment, string> {
  return readEnvironment(PLUGIN_VARIABLES, environment);
}
