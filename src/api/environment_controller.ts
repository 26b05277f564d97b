/** The controller's environment. Durations are whole seconds, as in the reference. */
import type { Result } from "../base/result.ts";
import {
  count,
  type EnvironmentOf,
  flag,
  parsed,
  port,
  readEnvironment,
  text,
  unsetByEmpty,
} from "./environment.ts";
import { DAEMON_VARIABLES } from "./environment_agent.ts";

const GARBAGE_COLLECTION = {
  gcEnabled: flag("SPIDERPOOL_GC_IP_ENABLED", {
    meaning: "whether addresses of dead pods are freed",
    otherwise: true,
  }),
  gcTerminatingOnReadyNode: flag("SPIDERPOOL_GC_STATELESS_TERMINATING_POD_ON_READY_NODE_ENABLED", {
    meaning: "whether a stateless pod that outlives its grace on a ready node counts as dead",
    otherwise: true,
  }),
  gcTerminatingOnNotReadyNode: flag(
    "SPIDERPOOL_GC_STATELESS_TERMINATING_POD_ON_NOT_READY_NODE_ENABLED",
    {
      meaning: "whether a stateless pod that outlives its grace on another node counts as dead",
      otherwise: true,
    },
  ),
  gcRunningWithoutAddresses: flag(
    "SPIDERPOOL_GC_ENABLE_STATELESS_RUNNING_POD_ON_EMPTY_POD_STATUS_IPS",
    {
      meaning: "whether a running stateless pod without status.podIPs counts as dead",
      otherwise: false,
    },
  ),
  gcWorkers: count("SPIDERPOOL_GC_IP_WORKER_NUM", {
    meaning: "pods whose addresses are freed at a time",
    otherwise: 3,
    min: 1,
  }),
  gcQueueSize: count("SPIDERPOOL_GC_CHANNEL_BUFFER", {
    meaning: "addresses, found by a scan, that may wait for a look at a time",
    otherwise: 5_000,
    min: 1,
  }),
  gcTracedPodsMax: count("SPIDERPOOL_GC_MAX_PODENTRY_DB_CAP", {
    meaning: "ending pods that are followed at a time",
    otherwise: 100_000,
    min: 1,
  }),
  gcIntervalSeconds: count("SPIDERPOOL_GC_DEFAULT_INTERVAL_DURATION", {
    meaning: "seconds between two scans of everything",
    otherwise: 600,
    min: 1,
  }),
  gcTraceSeconds: count("SPIDERPOOL_GC_TRACE_POD_GAP_DURATION", {
    meaning: "seconds from the end of a pod, or a failed look at its addresses, to a look",
    otherwise: 5,
    min: 1,
  }),
  gcSignalTimeoutSeconds: count("SPIDERPOOL_GC_SIGNAL_TIMEOUT_DURATION", {
    meaning: "seconds that a scan waits for room among them; the rest is left to the next one",
    otherwise: 3,
    min: 0,
  }),
  gcSignalGapSeconds: count("SPIDERPOOL_GC_HTTP_REQUEST_TIME_GAP", {
    meaning: "least seconds from a scan to one that an event without room asks for",
    otherwise: 1,
    min: 0,
  }),
  gcGraceSeconds: count("SPIDERPOOL_GC_ADDITIONAL_GRACE_DELAY", {
    meaning: "seconds beyond a pod's own grace before it counts as dead",
    otherwise: 0,
    min: 0,
  }),
  gcTriesMax: count("SPIDERPOOL_GC_PODENTRY_MAX_RETRIES", {
    meaning: "tries to free the addresses of one pod before the next scan does",
    otherwise: 5,
    min: 0,
  }),
};

const LEADERSHIP = {
  leaseSeconds: count("SPIDERPOOL_LEADER_DURATION", {
    meaning: "seconds that a leader's lease holds",
    otherwise: 15,
    min: 1,
  }),
  leaseRenewDeadlineSeconds: count("SPIDERPOOL_LEADER_RENEW_DEADLINE", {
    meaning: "seconds after which a leader that cannot renew gives up",
    otherwise: 10,
    min: 1,
  }),
  leaseRetrySeconds: count("SPIDERPOOL_LEADER_RETRY_PERIOD", {
    meaning: "seconds between two tries to take or renew the lease",
    otherwise: 2,
    min: 1,
  }),
  leaseRetryGapSeconds: count("SPIDERPOOL_LEADER_RETRY_GAP", {
    meaning: "seconds before a lost leader stands again",
    otherwise: 1,
    min: 0,
  }),
};

const QUEUES = {
  subnetResyncSeconds: count("SPIDERPOOL_SUBNET_INFORMER_RESYNC_PERIOD", {
    meaning: "seconds between two looks at every subnet",
    otherwise: 300,
    min: 0,
  }),
  subnetWorkers: count("SPIDERPOOL_SUBNET_INFORMER_WORKERS", {
    meaning: "subnets that are worked on at a time",
    otherwise: 5,
    min: 1,
  }),
  subnetQueueMax: count("SPIDERPOOL_SUBNET_INFORMER_MAX_WORKQUEUE_LENGTH", {
    meaning: "subnets that may wait for that",
    otherwise: 10_000,
    min: 1,
  }),
  applicationWorkers: count("SPIDERPOOL_SUBNET_APPLICATION_CONTROLLER_WORKERS", {
    meaning: "applications whose automatic pools are worked on at a time",
    otherwise: 5,
    min: 1,
  }),
  poolResyncSeconds: count("SPIDERPOOL_IPPOOL_INFORMER_RESYNC_PERIOD", {
    meaning: "seconds between two looks at every pool",
    otherwise: 300,
    min: 0,
  }),
  poolWorkers: count("SPIDERPOOL_IPPOOL_INFORMER_WORKERS", {
    meaning: "pools that are worked on at a time",
    otherwise: 3,
    min: 1,
  }),
  poolQueueMax: count("SPIDERPOOL_AUTO_IPPOOL_HANDLER_MAX_WORKQUEUE_LENGTH", {
    meaning: "pools that may wait for that",
    otherwise: 10_000,
    min: 1,
  }),
  workTriesMax: count("SPIDERPOOL_WORKQUEUE_MAX_RETRIES", {
    meaning: "tries at one object before it waits for its next change",
    otherwise: 500,
    min: 0,
  }),
  /** Negative: a failed object waits for its next change. */
  workRetrySeconds: count("SPIDERPOOL_WORKQUEUE_RETRY_DELAY_DURATION", {
    meaning: "seconds before a failed object is tried again; negative: never",
    otherwise: 5,
  }),
};

/** A ConfigMap by its namespace and name. */
export interface ConfigMapKey {
  readonly namespace: string;
  readonly name: string;
}

/** Variables of the controller. */
export const CONTROLLER_VARIABLES = {
  ...DAEMON_VARIABLES,
  ...GARBAGE_COLLECTION,
  ...LEADERSHIP,
  ...QUEUES,
  metricsRenewSeconds: count("SPIDERPOOL_METRIC_RENEW_PERIOD", {
    meaning: "seconds between two counts of pools for metrics; read and not used: always current",
    otherwise: 120,
    min: 1,
  }),
  healthPort: port("SPIDERPOOL_HEALTH_PORT", { meaning: "port of the probes", otherwise: 5720 }),
  metricsPort: port("SPIDERPOOL_METRIC_HTTP_PORT", {
    meaning: "port of the metrics",
    otherwise: 5721,
  }),
  webhookPort: port("SPIDERPOOL_WEBHOOK_PORT", {
    meaning: "port of the webhooks",
    otherwise: 5722,
  }),
  gopsPort: unsetByEmpty(port("SPIDERPOOL_GOPS_LISTEN_PORT", {
    meaning: "port of Go's diagnostics in the reference; read and not used",
    otherwise: 5724,
  })),
  coordinatorEnabled: flag("SPIDERPOOL_COORDINATOR_ENABLED", {
    meaning: "whether the SpiderCoordinator is kept up to date",
    otherwise: false,
  }),
  coordinatorName: text("SPIDERPOOL_COORDINATOR_DEAFULT_NAME", {
    aliases: ["SPIDERPOOL_COORDINATOR_DEFAULT_NAME"],
    meaning: "name of the SpiderCoordinator that counts",
    otherwise: "default",
  }),
  coordinatorResyncSeconds: count("SPIDERPOOL_COORDINATOR_INFORMER_RESYNC_PERIOD", {
    meaning: "seconds between two looks at the SpiderCoordinator",
    otherwise: 60,
    min: 0,
  }),
  cniConfigFolder: text("SPIDERPOOL_CNI_CONFIG_DIR", {
    meaning: "folder of CNI configurations that tells the cluster's own network",
    otherwise: "/etc/cni/net.d",
  }),
  multusConfigEnabled: flag("SPIDERPOOL_MULTUS_CONFIG_ENABLED", {
    meaning: "whether SpiderMultusConfigs are rendered",
    otherwise: false,
  }),
  multusConfigResyncSeconds: count("SPIDERPOOL_MULTUS_CONFIG_INFORMER_RESYNC_PERIOD", {
    meaning: "seconds between two looks at every SpiderMultusConfig",
    otherwise: 60,
    min: 0,
  }),
  nodeGateEnabled: flag("SPIDERPOOL_NODE_GATE_ENABLED", {
    meaning: "whether new nodes take pods only once the agent, and Multus, are ready there",
    otherwise: true,
  }),
  ciliumConfigMap: parsed<ConfigMapKey>("SPIDERPOOL_CILIUM_CONFIGMAP_NAMESPACE_NAME", {
    meaning: "ConfigMap of Cilium",
    otherwise: { namespace: "kube-system", name: "cilium-config" },
    allowed: "namespace/name",
    parse: parseConfigMapKey,
  }),
  deploymentName: text("SPIDERPOOL_CONTROLLER_DEPLOYMENT_NAME", {
    meaning: "name of the controller's Deployment; read and not used",
    otherwise: "spiderpool-controller",
  }),
};

/** What the controller's environment says. */
export type ControllerEnvironment = EnvironmentOf<typeof CONTROLLER_VARIABLES>;

/** Reads the controller's environment. */
export function readControllerEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Result<ControllerEnvironment, string> {
  return readEnvironment(CONTROLLER_VARIABLES, environment);
}

function parseConfigMapKey(value: string): ConfigMapKey | undefined {
  const [namespace = "", name = "", ...rest] = value.split("/");
  return namespace === "" || name === "" || rest.length > 0 ? undefined : { namespace, name };
}
