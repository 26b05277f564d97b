/** What the parts of a term share. */
import type { EventRecorder, Settler } from "../kube/mod.ts";
import type { ClusterView } from "./cluster_view.ts";
import type { ControllerSettings } from "./config.ts";
import type { ControllerMetrics } from "./controller_metrics.ts";
import type { EnginePorts } from "./engine_ports.ts";
import type { LookPace } from "./look_queue.ts";
import type { LifeView } from "./reclaim/life_view.ts";

/** The parts of one term. */
export interface LeaderParts {
  readonly ports: EnginePorts;
  readonly settings: ControllerSettings;
  readonly settler: Settler;
  readonly recorder: EventRecorder;
  readonly view: ClusterView;
  readonly life: LifeView;
  readonly pace: LookPace;
  readonly metrics: ControllerMetrics;
}
