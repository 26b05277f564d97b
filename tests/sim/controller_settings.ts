/** What the simulated installation chose for its controllers. */
import type { ControllerSettings } from "../../src/controller/config.ts";
import type { EnginePorts as ControllerPorts } from "../../src/controller/engine_ports.ts";

/** The namespace that the controllers run in. */
export const CONTROLLER_NAMESPACE = "spiderpool";

/** Simulated machines have no CNI configurations. */
export const NO_FILES: ControllerPorts["files"] = {
  listFiles: () => Promise.resolve([]),
  readText: (path) => Promise.reject(new Error(`no such file "${path}"`)),
};

/** What worlds choose. */
export interface ControllerHabits {
  /** Whether SpiderSubnets lend to pools; absent: they do not. */
  readonly lends?: boolean;
  /** Milliseconds between two scans. */
  readonly scanMs: number;
  /** Milliseconds between two looks at every pool; 0: never. */
  readonly resyncMs: number;
  /** Whether pods that outlive their grace lose their addresses, by their node. */
  readonly switches: { readonly readyNode: boolean; readonly notReadyNode: boolean };
}

/** Settings of one replica: the defaults, but for what the world chose. */
export function controllerSettings(
  podName: string,
  { lends = false, scanMs, resyncMs, switches }: ControllerHabits,
): ControllerSettings {
  return {
    namespace: CONTROLLER_NAMESPACE,
    podName,
    logLevel: "info",
    healthPort: 5720,
    leadership: { durationMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000, restMs: 1_000 },
    pools: { workers: 3, queueMax: 10_000, resyncMs, triesMax: 500, retryMs: 5_000 },
    lending: {
      isOn: lends,
      autoPools: { isOn: lends, flexible: 1, ipv4: true, ipv6: true },
      workers: 5,
      queueMax: 10_000,
      resyncMs,
      triesMax: 500,
      retryMs: 5_000,
    },
    reclaim: {
      isOn: true,
      switches,
      intervalMs: scanMs,
      extraGraceMs: 0,
      workers: 3,
      tracedMax: 100_000,
      scanQueueMax: 5_000,
      roomWaitMs: 3_000,
      requestGapMs: 1_000,
      lookGapMs: 5_000,
      triesMax: 5,
      cleansEndpoints: false,
    },
    // Coordinators and networks take no part in what is simulated.
    discovery: {
      isOn: false,
      coordinatorName: "default",
      resyncMs: 60_000,
      cniFolder: "/etc/cni/net.d",
      ciliumConfigMap: { namespace: "kube-system", name: "cilium-config" },
    },
    networks: { isOn: false, resyncMs: 60_000 },
    webhooks: {
      port: 5722,
      rules: {
        enableIPv4: true,
        enableIPv6: true,
        enableSpiderSubnet: false,
        refuseDeletionInUse: false,
        coordinatorName: "default",
        gatesNodes: true,
      },
    },
    unused: [],
  };
}
