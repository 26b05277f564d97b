/** What the agent does for plugins, without how it is asked: `server.ts` speaks HTTP. */
import type {
  CoordinatorArgs,
  CoordinatorConfig,
  IpamAddArgs,
  IpamAddResponse,
  IpamBatchDelArgs,
  IpamDelArgs,
  WorkloadEndpointStatus,
} from "../api/agent.ts";
import type { Result } from "../base/result.ts";

/** A request that was refused or could not be carried out. */
export interface ServiceFailure {
  /** Status code of the reply, one of `AGENT_STATUS`. */
  readonly status: 404 | 500 | 521 | 522;
  /** One sentence: cause and remedy; the plugin shows it to the user as it is. */
  readonly message: string;
}

/** How long a request may take. */
export interface ServiceOptions {
  /** Aborted when the asker has gone or the agent stops; what a request made is then undone. */
  readonly signal: AbortSignal;
}

/** Answer of a request: never thrown, but for a bug and for the signal's reason. */
export type ServiceResult<T> = Promise<Result<T, ServiceFailure>>;

/** Whose addresses are asked for. */
export interface EndpointQuestion {
  /** Empty where only the NIC is known. */
  readonly podNamespace: string;
  readonly podName: string;
  /** Who counts without Kubernetes. */
  readonly nic?: { readonly containerID: string; readonly ifName: string } | undefined;
}

/** What a node's plugins ask of its agent. */
export interface AgentService {
  /** Gives a NIC its addresses, the same when asked again. */
  add(args: IpamAddArgs, options: ServiceOptions): ServiceResult<IpamAddResponse>;
  /** Releases what the NIC of a sandbox has; succeeds if there is nothing. */
  release(args: IpamDelArgs, options: ServiceOptions): ServiceResult<void>;
  /** Releases what a pod has after a failed ADD. */
  releaseAll(args: IpamBatchDelArgs, options: ServiceOptions): ServiceResult<void>;
  /** Looks at once for addresses of this node whose pods are dead, and frees them. */
  settle(options: ServiceOptions): ServiceResult<void>;
  /** What a pod has. */
  endpoint(who: EndpointQuestion, options: ServiceOptions): ServiceResult<WorkloadEndpointStatus>;
  /** What coordinators do unless their own configuration says otherwise. */
  coordinatorConfig(
    args: CoordinatorArgs,
    options: ServiceOptions,
  ): ServiceResult<CoordinatorConfig>;
}

/** A service with what it needs to be kept alive. */
export interface AgentEngine extends AgentService {
  /** Watches, settles and adopts until the signal aborts. @throws The signal's reason, or a bug. */
  run(options: ServiceOptions): Promise<never>;
  /** Resolves once requests can be served. `run` must have been called. */
  ready(options: ServiceOptions): Promise<void>;
  /** Whether `ready` would resolve at once. */
  readonly isReady: boolean;
  /** What keeps it from seeing the cluster as it is, as one sentence; `undefined` for nothing. */
  readonly problem: string | undefined;
}
