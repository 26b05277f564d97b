/** What the controller's configuration file and environment say, joined and checked. */
import { CONFIG_FILE_PATH } from "../api/environment_agent.ts";
import { type Config, readConfig } from "../api/config_map.ts";
import {
  type ConfigMapKey,
  CONTROLLER_VARIABLES,
  type ControllerEnvironment,
  readControllerEnvironment,
} from "../api/environment_controller.ts";
import { problemSentence } from "../api/problem.ts";
import type { LogLevel } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import type { DaemonOptions } from "./arguments.ts";
import type { AdmissionSettings } from "./admission/rules/settings.ts";
import { providerOf, type ProviderSettings } from "../daemon/network_provider.ts";
import { readYaml, type SettingsSources, valuesOf } from "../daemon/settings_file.ts";
import type { ReclaimSwitches } from "../ipam/reclaim.ts";

/** How a leader is elected, in milliseconds. */
export interface LeadershipSettings {
  readonly durationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryMs: number;
  readonly restMs: number;
}

/** How pools are worked on. */
export interface PoolWorkSettings {
  readonly workers: number;
  /** Pools that may wait. */
  readonly queueMax: number;
  /** Milliseconds between two looks at every pool; 0: never. */
  readonly resyncMs: number;
  /** Tries in a row at one pool before it waits for its next change. */
  readonly triesMax: number;
  /** Milliseconds from a try that failed to the next; absent: it waits for its next change. */
  readonly retryMs: number | undefined;
}

/** Which pools are made for applications. */
export interface AutoPoolSettings {
  readonly isOn: boolean;
  /** Addresses beyond the replicas, where an application does not say. */
  readonly flexible: number;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

/** How SpiderSubnets are worked on. */
export interface LendingSettings extends PoolWorkSettings {
  readonly isOn: boolean;
  readonly autoPools: AutoPoolSettings;
}

/** How addresses of dead pods are freed. */
export interface ReclaimSettings {
  readonly isOn: boolean;
  /** Whether pods that outlive their grace lose their addresses. */
  readonly switches: ReclaimSwitches;
  /** Milliseconds between two scans. */
  readonly intervalMs: number;
  /** Milliseconds beyond a pod's own grace. */
  readonly extraGraceMs: number;
  /** Looks at a time. */
  readonly workers: number;
  /** Addresses that wait for a look. */
  readonly tracedMax: number;
  /** Of those that a scan found, how many wait at a time. */
  readonly scanQueueMax: number;
  /** Milliseconds that a scan waits for room among them before it leaves the rest to the next. */
  readonly roomWaitMs: number;
  /** Least milliseconds from a scan to one that is made because an event found no room. */
  readonly requestGapMs: number;
  /** Milliseconds from an event, or a look that came to nothing, to the next look. */
  readonly lookGapMs: number;
  /** Looks in a row that may fail before one is left to the next scan. */
  readonly triesMax: number;
  /** Whether endpoints without an address are deleted also where a pod is said to own them. */
  readonly cleansEndpoints: boolean;
}

/** How the networks of the cluster are found. */
export interface DiscoverySettings {
  readonly isOn: boolean;
  /** The SpiderCoordinator that they are written into. */
  readonly coordinatorName: string;
  /** Milliseconds between two looks that no event asked for; 0: only while something is missing. */
  readonly resyncMs: number;
  /** Folder of the node's CNI configurations. */
  readonly cniFolder: string;
  readonly ciliumConfigMap: ConfigMapKey;
}

/** How SpiderMultusConfigs are kept as NetworkAttachmentDefinitions. */
export interface NetworkSettings {
  readonly isOn: boolean;
  /** Milliseconds between two looks at every one that no event asked for; 0: never. */
  readonly resyncMs: number;
}

/** How webhooks are served, and what their rules depend on. */
export interface WebhookSettings {
  /** TCP port. */
  readonly port: number;
  readonly rules: AdmissionSettings;
  /** Certificate and key that somebody else keeps; absent: the controller makes its own. */
  readonly files?:
    | { readonly certificatePath: string; readonly keyPath: string }
    | undefined;
}

/** Everything that a controller is told. */
export interface ControllerSettings {
  readonly namespace: string;
  readonly podName: string;
  readonly logLevel: LogLevel;
  /** TCP port of the probes. */
  readonly healthPort: number;
  /** TCP port of the metrics, and whether there are debug metrics; absent: there are none. */
  readonly metrics?: { readonly port: number; readonly keepsDebug: boolean };
  readonly leadership: LeadershipSettings;
  readonly pools: PoolWorkSettings;
  readonly lending: LendingSettings;
  readonly reclaim: ReclaimSettings;
  readonly discovery: DiscoverySettings;
  readonly networks: NetworkSettings;
  readonly webhooks: WebhookSettings;
  /** Absent: there is none. */
  readonly provider?: ProviderSettings;
  /** What is set and has no effect: logged as warnings. */
  readonly unused: readonly string[];
}

/**
 * Reads the settings.
 *
 * @returns Or one sentence with the setting, its value and what to write.
 */
export async function readSettings(
  { configPath: path = CONFIG_FILE_PATH, certificatePath, keyPath }: DaemonOptions,
  { readEnvironment, readText }: SettingsSources,
): Promise<Result<ControllerSettings, string>> {
  if ((certificatePath === undefined) !== (keyPath === undefined)) {
    const missing = keyPath === undefined ? "--tls-server-key" : "--tls-server-cert";
    return err(`Cannot serve webhooks with half a certificate: write ${missing} as well`);
  }
  const files = certificatePath === undefined || keyPath === undefined
    ? undefined
    : { certificatePath, keyPath };
  const read = readControllerEnvironment(valuesOf(CONTROLLER_VARIABLES, readEnvironment));
  if (!read.ok) return read;
  const environment = read.value;
  const leadership = leadershipOf(environment);
  if (!leadership.ok) return leadership;
  const document = await readYaml(path, readText);
  if (!document.ok) return document;
  const config = readConfig(document.value);
  if (!config.ok) return err(`${config.error}: it is in "${path}"`);
  const { metricsEnabled, metricsPort, debugMetricsEnabled } = environment;
  return ok({
    namespace: environment.podNamespace,
    podName: environment.podName,
    logLevel: environment.logLevel,
    healthPort: environment.healthPort,
    ...providerOf(config.value.config),
    ...(metricsEnabled && { metrics: { port: metricsPort, keepsDebug: debugMetricsEnabled } }),
    leadership: leadership.value,
    webhooks: { ...webhooksOf(environment, config.value.config), files },
    ...poolWorkOf(environment, config.value.config),
    reclaim: {
      isOn: environment.gcEnabled,
      switches: {
        readyNode: environment.gcTerminatingOnReadyNode,
        notReadyNode: environment.gcTerminatingOnNotReadyNode,
      },
      intervalMs: environment.gcIntervalSeconds * 1_000,
      extraGraceMs: environment.gcGraceSeconds * 1_000,
      workers: environment.gcWorkers,
      tracedMax: environment.gcTracedPodsMax,
      scanQueueMax: environment.gcQueueSize,
      roomWaitMs: environment.gcSignalTimeoutSeconds * 1_000,
      requestGapMs: environment.gcSignalGapSeconds * 1_000,
      lookGapMs: environment.gcTraceSeconds * 1_000,
      triesMax: environment.gcTriesMax,
      cleansEndpoints: config.value.config.enableCleanOutdatedEndpoint,
    },
    discovery: discoveryOf(environment),
    networks: {
      isOn: environment.multusConfigEnabled,
      resyncMs: environment.multusConfigResyncSeconds * 1_000,
    },
    unused: [
      ...config.value.unknown.map((key) =>
        `${key} of "${path}": nobody reads it; correct its name, or take it out`
      ),
      ...(environment.gcRunningWithoutAddresses
        ? [`${CONTROLLER_VARIABLES.gcRunningWithoutAddresses.name}: a running pod is not dead`]
        : []),
    ],
  });
}

function poolWorkOf(
  environment: ControllerEnvironment,
  { enableSpiderSubnet: isOn, enableAutoPoolForApplication, flexibleIpNumber, ...config }: Config,
): Pick<ControllerSettings, "pools" | "lending"> {
  const { workTriesMax: triesMax, workRetrySeconds } = environment;
  const retryMs = workRetrySeconds < 0 ? undefined : workRetrySeconds * 1_000;
  return {
    pools: {
      workers: environment.poolWorkers,
      queueMax: environment.poolQueueMax,
      resyncMs: environment.poolResyncSeconds * 1_000,
      triesMax,
      retryMs,
    },
    lending: {
      isOn,
      autoPools: {
        isOn: isOn && enableAutoPoolForApplication,
        flexible: flexibleIpNumber,
        ipv4: config.enableIPv4,
        ipv6: config.enableIPv6,
      },
      workers: environment.subnetWorkers,
      queueMax: environment.subnetQueueMax,
      resyncMs: environment.subnetResyncSeconds * 1_000,
      triesMax,
      retryMs,
    },
  };
}

function discoveryOf(
  { coordinatorEnabled, coordinatorName, coordinatorResyncSeconds, cniConfigFolder, ...rest }:
    ControllerEnvironment,
): DiscoverySettings {
  return {
    isOn: coordinatorEnabled,
    coordinatorName,
    resyncMs: coordinatorResyncSeconds * 1_000,
    cniFolder: cniConfigFolder,
    ciliumConfigMap: rest.ciliumConfigMap,
  };
}

function webhooksOf(
  { webhookPort: port, coordinatorName, nodeGateEnabled: gatesNodes }: ControllerEnvironment,
  config: Config,
): WebhookSettings {
  const { enableIPv4, enableIPv6, enableSpiderSubnet } = config;
  const refuseDeletionInUse = config.enableValidatingResourcesDeletedWebhook;
  const families = { enableIPv4, enableIPv6 };
  const others = { enableSpiderSubnet, refuseDeletionInUse, coordinatorName, gatesNodes };
  return { port, rules: { ...families, ...others } };
}

/** A leader must have given up before another may lead, and try to renew before it gives up. */
function leadershipOf(
  { leaseSeconds, leaseRenewDeadlineSeconds, leaseRetrySeconds, leaseRetryGapSeconds }:
    ControllerEnvironment,
): Result<LeadershipSettings, string> {
  const { leaseRenewDeadlineSeconds: deadline, leaseRetrySeconds: retry } = CONTROLLER_VARIABLES;
  if (leaseRenewDeadlineSeconds >= leaseSeconds) {
    const allowed = `less than ${leaseSeconds}`;
    const reason = `a leader stops before its lease of ${leaseSeconds} s ends`;
    const value = leaseRenewDeadlineSeconds;
    return err(problemSentence({ path: [deadline.name], value, allowed, reason }));
  }
  if (leaseRetrySeconds >= leaseRenewDeadlineSeconds) {
    const allowed = `less than ${leaseRenewDeadlineSeconds}`;
    const reason = `a leader tries to renew before it gives up`;
    return err(problemSentence({ path: [retry.name], value: leaseRetrySeconds, allowed, reason }));
  }
  return ok({
    durationMs: leaseSeconds * 1_000,
    renewDeadlineMs: leaseRenewDeadlineSeconds * 1_000,
    retryMs: leaseRetrySeconds * 1_000,
    restMs: leaseRetryGapSeconds * 1_000,
  });
}
