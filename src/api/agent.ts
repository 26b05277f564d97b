/**
 * The messages between plugins and agent over the unix socket, with the reference's paths, bodies
 * and status codes: old plugins talk to new agents and the reverse while a cluster is upgraded.
 * Read at each start of a plugin, so no zod and nothing that loads it.
 *
 * @source spiderpool `api/v1/agent/openapi.yaml` and the handlers behind it.
 */
import type { Result } from "../base/result.ts";
import {
  decode,
  type Decoded,
  type Decoder,
  decoderOf,
  flag,
  integer,
  isRecord,
  listOf,
  members,
  oneOf,
  optional,
  otherwise,
  readJson,
  text,
} from "./decode.ts";
import { err, ok } from "../base/result.ts";
import { problemSentence } from "./problem.ts";

/** Where the agent listens unless its configuration says otherwise. */
export const AGENT_SOCKET_PATH = "/var/run/spidernet/spiderpool.sock";

/** Milliseconds that a plugin waits for an ADD or DEL. */
export const AGENT_CALL_TIMEOUT_MS = 100_000;
/** Milliseconds that a plugin waits for the answer to "are you there". */
export const AGENT_HEALTH_TIMEOUT_MS = 30_000;
/**
 * Milliseconds for which a plugin that makes a NIC waits for an agent that is gone: longer than
 * from the end of one to the start of the next while agents are replaced, and with all else that an
 * ADD waits for less than the two minutes that a kubelet gives a sandbox.
 */
export const AGENT_GONE_MS = 30_000;

/** Paths of the unix socket. */
export const AGENT_PATHS = {
  /** GET: 200 once the agent serves. */
  healthy: "/v1/ipam/healthy",
  /** POST `IpamAddArgs` gives `IpamAddResponse`; DELETE `IpamDelArgs`. */
  ip: "/v1/ipam/ip",
  /** DELETE `IpamBatchDelArgs`; POST does nothing and succeeds. */
  ips: "/v1/ipam/ips",
  /**
   * GET with `podNamespace` and `podName` in the query gives `WorkloadEndpointStatus`; without
   * Kubernetes they are empty, and `containerID` and `ifName` count.
   */
  workloadEndpoint: "/v1/workloadendpoint",
  /** GET **with a body**, `CoordinatorArgs`, gives `CoordinatorConfig`. */
  coordinatorConfig: "/v1/coordinator/config",
} as const;

/** Paths of agent and controller over TCP. */
export const RUNTIME_PATHS = {
  startup: "/v1/runtime/startup",
  readiness: "/v1/runtime/readiness",
  liveness: "/v1/runtime/liveness",
} as const;

/** Paths that the reference's controller declares and answers with 501. */
export const CONTROLLER_PATHS = {
  /** PUT. */
  ip: "/v1/ipam/ip",
  /** POST. */
  collectGarbage: "/v1/ipam/gc_ips",
  /** GET. */
  status: "/v1/ipam/status",
} as const;

/**
 * Status codes. The body of an operation's own error is a JSON string; that of a request which
 * reaches no operation (400, 405, 422, an unknown path) is `InvalidRequest`.
 */
export const AGENT_STATUS = {
  ok: 200,
  /** The body is no JSON. */
  badRequest: 400,
  /** The pod has no SpiderEndpoint. */
  notFound: 404,
  methodNotAllowed: 405,
  /** A required field is missing or of another type. */
  invalid: 422,
  failed: 500,
  notImplemented: 501,
  /** Conflicting addresses of stateless pods are not to be released. */
  statelessReleaseForbidden: 521,
  /** Conflicting addresses of stateful pods are never released. */
  statefulReleaseForbidden: 522,
} as const;

/** `code` of an `InvalidRequest` with a field of another type. */
export const FIELD_TYPE_CODE = 601;
/** `code` of an `InvalidRequest` whose required field is missing. */
export const REQUIRED_FIELD_CODE = 602;

/** Body of a reply to a request that reaches no operation. */
export interface InvalidRequest {
  /** The status code, or one that says more. */
  readonly code: number;
  readonly message: string;
}

/** Why the body of a request is refused, as it is answered. */
export interface RefusedBody {
  readonly status: typeof AGENT_STATUS.badRequest | typeof AGENT_STATUS.invalid;
  readonly body: InvalidRequest;
}

const noTexts: readonly string[] = [];
const texts = otherwise(listOf(text), noTexts);
const off = otherwise(flag, false);

const podFields = { podNamespace: text, podName: text, podUID: text };

/** Whether a text is a hardware address, `aa:bb:cc:dd:ee:ff` in either case. */
export function isHardwareAddress(text: string): boolean {
  return /^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$/.test(text);
}

const hardwareAddress: Decoder<string> = decoderOf((value) => {
  if (typeof value === "string" && isHardwareAddress(value)) return ok(value);
  return err({ allowed: 'a hardware address such as "aa:bb:cc:dd:ee:ff"' });
});

const addArgs = members({
  containerID: text,
  ifName: text,
  netNamespace: text,
  ...podFields,
  defaultIPv4IPPool: texts,
  defaultIPv6IPPool: texts,
  cleanGateway: off,
  matchMasterSubnet: off,
  fixed: optional(text),
  parentNicMac: optional(hardwareAddress),
});

/**
 * Body of an ADD. Required texts may be empty: old runtimes know no pod UID, and without Kubernetes
 * there is no pod; then `fixed` may be a name that the container's addresses are kept under.
 * `parentNicMac`, which the reference's plugin does not say, is the hardware address of the node's
 * link that the NIC will be a VLAN of: with it the network provider is asked for that VLAN.
 */
export type IpamAddArgs = Decoded<typeof addArgs>;

const delArgs = members({
  containerID: text,
  ifName: text,
  netNamespace: otherwise(text, ""),
  ...podFields,
  network: optional(text),
  master: optional(text),
});

/**
 * Body of a DEL. `network` and `master`, which the reference's plugin does not say, are the name of
 * the CNI configuration and the node's link that its main plugin puts NICs on: whoever could not
 * make a NIC for want of that link does not say so, and its DEL is all that is heard of it.
 */
export type IpamDelArgs = Decoded<typeof delArgs>;

const coordinatorArgs = members({
  podNamespace: otherwise(text, ""),
  podName: otherwise(text, ""),
  podUID: otherwise(text, ""),
});

/** Body of a coordinator's question; the reference's plugin says no UID. */
export type CoordinatorArgs = Decoded<typeof coordinatorArgs>;

const seenConflict = members({ ip: text, mac: hardwareAddress });

/** An address, and the hardware address of the other host that has it. */
export type SeenConflict = Decoded<typeof seenConflict>;

const batchDelArgs = members({
  containerID: text,
  netNamespace: otherwise(text, ""),
  ...podFields,
  isReleaseConflictIPs: off,
  ifName: optional(text),
  conflicts: optional(listOf(seenConflict)),
});

/**
 * Body of the release of all addresses of a pod, after a conflict was seen on the wire. Members
 * `ifName` and `conflicts` are not the reference's, whose agent ignores them. With `conflicts`,
 * only those addresses of that NIC are released, and are avoided.
 */
export type IpamBatchDelArgs = Decoded<typeof batchDelArgs>;

const vlan = integer({ min: 0, max: 4094 });

const ipConfig = members({
  version: oneOf([4, 6]),
  address: text,
  nic: text,
  ipPool: otherwise(text, ""),
  gateway: otherwise(text, ""),
  vlan: otherwise(vlan, 0),
  mac: optional(hardwareAddress),
  enableGatewayDetection: off,
  enableIPConflictDetection: off,
});

/** An address of the answer, with the prefix length of its pool: `10.6.0.17/16`. */
export type IpConfig = Decoded<typeof ipConfig>;

const nicRoute = members({ ifName: otherwise(text, ""), dst: text, gw: text });

/** A route of the answer and the NIC that it belongs to. */
export type NicRoute = Decoded<typeof nicRoute>;

const noRoutes: readonly NicRoute[] = [];
const dns = members({
  domain: otherwise(text, ""),
  nameservers: texts,
  options: texts,
  search: texts,
});

const addResponse = members({
  ips: listOf(ipConfig),
  routes: otherwise(listOf(nicRoute), noRoutes),
  dns: optional(dns),
});

/** Answer to an ADD: addresses and routes of all NICs that were allocated so far. */
export type IpamAddResponse = Decoded<typeof addResponse>;

const interfaceDetail = members({
  interface: text,
  ipv4: optional(text),
  ipv6: optional(text),
  mac: optional(text),
  vlan: otherwise(vlan, 0),
  ipv4Pool: optional(text),
  ipv6Pool: optional(text),
  ipv4Gateway: optional(text),
  ipv6Gateway: optional(text),
  routes: otherwise(listOf(nicRoute), noRoutes),
});

/** What one NIC of a pod has. */
export type InterfaceDetail = Decoded<typeof interfaceDetail>;

const workloadEndpointStatus = members({
  ...podFields,
  node: text,
  interfaces: listOf(interfaceDetail),
});

/** What a pod has. */
export type WorkloadEndpointStatus = Decoded<typeof workloadEndpointStatus>;

const policyRoute = members({ dst: otherwise(text, ""), gw: otherwise(text, "") });
const noPolicyRoutes: readonly Decoded<typeof policyRoute>[] = [];

const coordinatorConfig = members({
  mode: text,
  overlayPodCIDR: texts,
  serviceCIDR: texts,
  tunePodRoutes: flag,
  hijackCIDR: texts,
  policyRoutes: otherwise(listOf(policyRoute), noPolicyRoutes),
  podMACPrefix: otherwise(text, ""),
  podDefaultRouteNIC: otherwise(text, ""),
  hostRuleTable: otherwise(integer(), 0),
  podRPFilter: otherwise(integer(), 0),
  txQueueLen: otherwise(integer(), 0),
  vethLinkAddress: otherwise(text, ""),
  vethMTU: otherwise(integer(), 0),
  podNICs: optional(listOf(text)),
});

/**
 * What coordinators do unless their own configuration says otherwise; 0 and "" are "not set".
 * `podNICs`, which the reference does not say, are the pod's NICs beside its first; absent where
 * they are not known.
 */
export type CoordinatorConfig = Decoded<typeof coordinatorConfig>;

const REQUEST = { root: "the request" };
const ANSWER = { root: "the agent's answer" };

/** Reads the body of an ADD. */
export function readIpamAddArgs(body: string): Result<IpamAddArgs, RefusedBody> {
  return readBody(addArgs, body);
}

/** Reads the body of a DEL. */
export function readIpamDelArgs(body: string): Result<IpamDelArgs, RefusedBody> {
  return readBody(delArgs, body);
}

/** Reads the body of the release of all addresses of a pod. */
export function readIpamBatchDelArgs(body: string): Result<IpamBatchDelArgs, RefusedBody> {
  return readBody(batchDelArgs, body);
}

/** Reads the body of a coordinator's question. */
export function readCoordinatorArgs(body: string): Result<CoordinatorArgs, RefusedBody> {
  return readBody(coordinatorArgs, body);
}

function readBody<T>(decoder: Decoder<T>, body: string): Result<T, RefusedBody> {
  let value: unknown;
  try {
    value = body === "" ? undefined : JSON.parse(body);
  } catch {
    const { badRequest } = AGENT_STATUS;
    const message = problemSentence({ path: [], value: body, allowed: "valid JSON" }, REQUEST);
    return err({ status: badRequest, body: { code: badRequest, message } });
  }
  const decoded = decode(decoder, value);
  if (decoded.ok) return decoded;
  const code = decoded.error.value === undefined ? REQUIRED_FIELD_CODE : FIELD_TYPE_CODE;
  const message = problemSentence(decoded.error, REQUEST);
  return err({ status: AGENT_STATUS.invalid, body: { code, message } });
}

/** Reads the answer to an ADD. */
export function readIpamAddResponse(body: string): Result<IpamAddResponse, string> {
  return readJson(addResponse, body, ANSWER);
}

/** Reads what a pod has. */
export function readWorkloadEndpointStatus(body: string): Result<WorkloadEndpointStatus, string> {
  return readJson(workloadEndpointStatus, body, ANSWER);
}

/** Reads what coordinators do. */
export function readCoordinatorConfig(body: string): Result<CoordinatorConfig, string> {
  return readJson(coordinatorConfig, body, ANSWER);
}

/**
 * The text of an error's body, whichever form it has: a JSON string, `InvalidRequest`, or what
 * something in between wrote.
 */
export function agentErrorText(body: string): string {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === "string") return value.trim();
    if (isRecord(value) && typeof value.message === "string") return value.message;
  } catch {
    // Not the agent's own words: shown as they are.
  }
  return body.trim();
}
