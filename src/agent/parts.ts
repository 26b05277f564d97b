/** What the flows of an agent share. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import type { Metrics } from "../base/metrics.ts";
import type { ObjectStore } from "../base/object_store.ts";
import type { Random } from "../base/random.ts";
import type { Result } from "../base/result.ts";
import type { AnyAddressInCidr } from "../ip/mod.ts";
import type { NetworkProvider } from "../daemon/network_provider.ts";
import type { IpamSettings } from "../ipam/settings.ts";
import type { AgentMetrics } from "./agent_metrics.ts";
import type { Claimer } from "./claimer.ts";
import type { CoordinatorReader } from "./coordinator_reader.ts";
import type { KnownEndpoints } from "./known_endpoints.ts";
import type { Lenders } from "./lenders.ts";
import type { NodeView } from "./node_view.ts";
import type { OwnClaims } from "./own_claims.ts";
import type { Owners } from "./owners.ts";
import type { PoolBook } from "./pool_book.ts";
import type { PoolReader } from "./pool_reader.ts";
import type { SeenVersions } from "./seen_versions.ts";
import type { Settler } from "../kube/settler.ts";
import type { Bell } from "../base/waiting.ts";

/** What an engine does to the outside. */
export interface EnginePorts {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Absent: nobody counts. */
  readonly metrics?: Metrics | undefined;
  /**
   * Addresses of the master of a NIC inside a network namespace, or why they cannot be known. Asked
   * for `match_master_subnet` only.
   */
  readonly masterSubnets: (
    nic: { readonly netns: string; readonly nic: string },
  ) => Promise<Result<readonly AnyAddressInCidr[], string>>;
  /** Whether this node still holds anything of a pod: `absent` proves that its sandbox is gone. */
  readonly sandboxOf: (podUid: string) => Promise<"present" | "absent" | "unknown">;
  /** Names of the node's links; absent, or nothing: they cannot be seen. */
  readonly nodeLinks?: (() => readonly string[] | undefined) | undefined;
  /** Absent: nobody is asked for VLANs. */
  readonly provider?: NetworkProvider | undefined;
}

/** What an engine is told once. */
export interface EngineSettings {
  readonly ipam: IpamSettings;
  readonly nodeName: string;
  /** Differs between all agents, also after a restart. */
  readonly identity: string;
}

/** The parts of an engine. */
export interface AgentParts {
  readonly ports: EnginePorts;
  readonly settings: EngineSettings;
  readonly settler: Settler;
  readonly view: NodeView;
  readonly reader: PoolReader;
  readonly book: PoolBook;
  readonly claims: OwnClaims;
  readonly claimer: Claimer;
  readonly owners: Owners;
  readonly coordinators: CoordinatorReader;
  readonly endpoints: KnownEndpoints;
  readonly versions: SeenVersions;
  readonly metrics: AgentMetrics;
  /** Rung under `ANY_POOL` while an ADD waits until the records of a pool are taken over. */
  readonly unadopted: Bell;
  /** Rung when copies change: under `poolKey`, `applicationKey` and `podKey`. */
  readonly news: Bell;
  readonly lenders: Lenders;
  /** Ends with the agent: for work that no request owns. */
  readonly lifetime: AbortSignal;
}
