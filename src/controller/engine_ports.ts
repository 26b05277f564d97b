/** What a controller is handed. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { ObjectStore } from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import type { KindDirectory } from "../kube/mod.ts";
import type { NetworkProvider } from "../daemon/network_provider.ts";
import type { NodeFiles } from "./discovery/own_network.ts";

/** What a controller does to the outside. */
export interface EnginePorts {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Which kinds the server has; absent: only those that are built in. */
  readonly kinds?: KindDirectory | undefined;
  /** Of the node that it runs on. */
  readonly files: NodeFiles;
  /** Absent: nobody is told of addresses that are free. */
  readonly provider?: NetworkProvider | undefined;
}
