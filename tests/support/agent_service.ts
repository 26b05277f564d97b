/** An `AgentService` that does what a test says. */
import type { ServiceFailure, ServiceOptions, ServiceResult } from "../../src/agent/service.ts";
import type { AgentEngine } from "../../src/agent/service.ts";
import type {
  CoordinatorArgs,
  CoordinatorConfig,
  IpamAddArgs,
  IpamAddResponse,
  IpamBatchDelArgs,
  IpamDelArgs,
  WorkloadEndpointStatus,
} from "../../src/api/agent.ts";
import { err, ok } from "../../src/base/result.ts";

/** What the service answers to ADD unless a test says otherwise. */
export const ADD_ANSWER: IpamAddResponse = {
  ips: [{
    version: 4,
    address: "10.6.0.17/16",
    nic: "eth0",
    ipPool: "p4",
    gateway: "10.6.0.1",
    vlan: 0,
    enableGatewayDetection: false,
    enableIPConflictDetection: true,
  }],
  routes: [{ ifName: "eth0", dst: "0.0.0.0/0", gw: "10.6.0.1" }],
};

/** What the service answers to coordinators. */
export const COORDINATOR_ANSWER: CoordinatorConfig = {
  mode: "underlay",
  overlayPodCIDR: [],
  serviceCIDR: ["10.96.0.0/12"],
  tunePodRoutes: false,
  hijackCIDR: [],
  policyRoutes: [],
  podMACPrefix: "",
  podDefaultRouteNIC: "",
  hostRuleTable: 500,
  podRPFilter: 0,
  txQueueLen: 0,
  vethLinkAddress: "",
  vethMTU: 0,
  podNICs: [],
};

/** What the service answers of a pod. */
export const ENDPOINT_ANSWER: WorkloadEndpointStatus = {
  podNamespace: "default",
  podName: "a",
  podUID: "u",
  node: "n1",
  interfaces: [{
    interface: "eth0",
    ipv4: "10.6.0.17/16",
    ipv6: undefined,
    mac: undefined,
    vlan: 0,
    ipv4Pool: "p4",
    ipv6Pool: undefined,
    ipv4Gateway: "10.6.0.1",
    ipv6Gateway: undefined,
    routes: [],
  }],
};

/** Notes what it is asked, and answers at once, with `failure` if there is one. */
export class RecordingService implements AgentEngine {
  /** What it was asked: name of the method and its arguments. */
  readonly asked: { readonly what: string; readonly args: unknown }[] = [];
  failure: ServiceFailure | undefined;
  /** Answers wait for it, or for their signal's abort; set it to hold requests. */
  held: Promise<void> | undefined;
  isReady = true;
  problem: string | undefined;

  add(args: IpamAddArgs, options: ServiceOptions): ServiceResult<IpamAddResponse> {
    return this.#answer("add", { args, options, value: ADD_ANSWER });
  }

  release(args: IpamDelArgs, options: ServiceOptions): ServiceResult<void> {
    return this.#answer("release", { args, options, value: undefined });
  }

  releaseAll(args: IpamBatchDelArgs, options: ServiceOptions): ServiceResult<void> {
    return this.#answer("releaseAll", { args, options, value: undefined });
  }

  settle(options: ServiceOptions): ServiceResult<void> {
    return this.#answer("settle", { args: undefined, options, value: undefined });
  }

  endpoint(
    args: { readonly podNamespace: string; readonly podName: string },
    options: ServiceOptions,
  ): ServiceResult<WorkloadEndpointStatus> {
    return this.#answer("endpoint", { args, options, value: ENDPOINT_ANSWER });
  }

  coordinatorConfig(
    args: CoordinatorArgs,
    options: ServiceOptions,
  ): ServiceResult<CoordinatorConfig> {
    return this.#answer("coordinatorConfig", { args, options, value: COORDINATOR_ANSWER });
  }

  run({ signal }: ServiceOptions): Promise<never> {
    return untilAborted(signal);
  }

  async ready({ signal }: ServiceOptions): Promise<void> {
    if (!this.isReady) await untilAborted(signal);
  }

  async #answer<T>(what: string, { args, options: { signal }, value }: {
    readonly args: unknown;
    readonly options: ServiceOptions;
    readonly value: T;
  }): ServiceResult<T> {
    this.asked.push({ what, args });
    if (this.held !== undefined) await Promise.race([this.held, untilAborted(signal)]);
    return this.failure === undefined ? ok(value) : err(this.failure);
  }
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
