/**
 * The members of CNI configurations that the plugins of this project read, each to a value without
 * gaps. Names match in any case, as in the reference. What the CNI protocol itself asks for
 * (`cniVersion`, `prevResult`, ...) is `src/cni`'s. No zod.
 */
import type { LogLevel } from "../base/log.ts";
import { err, ok, type Result } from "../base/result.ts";
import { AGENT_SOCKET_PATH } from "./agent.ts";
import {
  COORDINATOR_MODES_ON_WIRE,
  type CoordinatorMode,
  parseCoordinatorMode,
} from "./coordinator_mode.ts";
import {
  type Decoded,
  type Decoder,
  decoderOf,
  flag,
  integer,
  isRecord,
  listOf,
  members,
  optional,
  otherwise,
  read,
  refined,
  text,
  wholeNumber,
} from "./decode.ts";
import { parseGoInteger } from "./go_text.ts";
import { logLevel } from "./log_level.ts";
import { choices } from "./problem.ts";

/** CNI versions that a configuration may ask for. */
export const CNI_VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0"] as const;
/** `cniVersion` of a rendered configuration whose SpiderMultusConfig names none. */
export const CNI_VERSION_DEFAULT = "0.3.1";

const ROOT = { root: "the CNI configuration" };
const noTexts: readonly string[] = [];
const texts = otherwise(listOf(text), noTexts);
const off = otherwise(flag, false);

/** A count, also as text: the documentation shows `"100"`, which the reference cannot read. */
const count: Decoder<number> = decoderOf((value) => {
  const number = typeof value === "string" ? parseGoInteger(value.trim()) : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return ok(number);
  return err({ allowed: wholeNumber({}) });
});

/** Where a plugin logs, and how much it keeps. */
export interface LogFile {
  readonly level: LogLevel;
  readonly path: string;
  /** Megabytes of one file, at least 1. */
  readonly megabytesMax: number;
  /** Days that an old file is kept; 0: for ever. */
  readonly daysMax: number;
  /** Old files that are kept; 0: all. */
  readonly filesMax: number;
}

/** What is said of a log where nothing else is. */
const LOG_DEFAULTS = { megabytesMax: 100, daysMax: 30, filesMax: 7 };

/** 0 keeps its meaning, what is absent or negative is the default. */
function logFile(
  path: string,
  given: {
    readonly level: LogLevel;
    readonly megabytes: number | undefined;
    readonly days: number | undefined;
    readonly files: number | undefined;
  },
): LogFile {
  const { megabytes = 0, days = -1, files = -1 } = given;
  return {
    level: given.level,
    path,
    megabytesMax: megabytes > 0 ? megabytes : LOG_DEFAULTS.megabytesMax,
    daysMax: days >= 0 ? days : LOG_DEFAULTS.daysMax,
    filesMax: files >= 0 ? files : LOG_DEFAULTS.filesMax,
  };
}

const ipamDecoder = members({
  ipam: members({
    log_level: otherwise(logLevel, "info"),
    log_file_path: otherwise(text, ""),
    log_file_max_size: optional(count),
    log_file_max_age: optional(count),
    log_file_max_count: optional(count),
    default_ipv4_ippool: texts,
    default_ipv6_ippool: texts,
    clean_gateway: off,
    match_master_subnet: off,
    ipam_unix_socket_path: otherwise(text, ""),
    fixed: optional(unlessEmpty(text)),
    probe_count: otherwise(integer({ min: 1, max: 10 }), 3),
    probe_timeout_ms: otherwise(integer({ min: 40, max: 10_000 }), 400),
    probe_later: off,
    parent_nic_mac: optional(text),
  }),
});

/** What `spiderpool` reads of its `ipam` object. */
export interface IpamConfig {
  readonly defaultIpv4Pools: readonly string[];
  readonly defaultIpv6Pools: readonly string[];
  /** Whether the NIC gets no default route. */
  readonly cleanGateway: boolean;
  /** Whether only pools count whose subnet has an address of the master; SR-IOV only. */
  readonly matchMasterSubnet: boolean;
  readonly socketPath: string;
  /** Name that the addresses are kept under when the container is replaced; without Kubernetes. */
  readonly fixed?: string;
  /** How addresses are probed where the agent wants it: so many questions, in so much time. */
  readonly timing: { readonly count: number; readonly totalMs: number };
  /** Whether the NIC is made after this: who asks does so again once it is there. */
  readonly probeLater: boolean;
  /** Hardware address of the node's link that the NIC will be a VLAN of. */
  readonly parentNicMac?: string;
  readonly log: LogFile;
}

/** Reads the configuration of the IPAM plugin. @param network The whole configuration. */
export function readIpamConfig(network: unknown): Result<IpamConfig, string> {
  const decoded = read(ipamDecoder, network, ROOT);
  if (!decoded.ok) return decoded;
  const { ipam } = decoded.value;
  const path = ipam.log_file_path || "/var/log/spidernet/spiderpool.log";
  return ok({
    defaultIpv4Pools: ipam.default_ipv4_ippool,
    defaultIpv6Pools: ipam.default_ipv6_ippool,
    cleanGateway: ipam.clean_gateway,
    matchMasterSubnet: ipam.match_master_subnet,
    socketPath: ipam.ipam_unix_socket_path || AGENT_SOCKET_PATH,
    ...(ipam.fixed !== undefined && { fixed: ipam.fixed }),
    timing: { count: ipam.probe_count, totalMs: ipam.probe_timeout_ms },
    probeLater: ipam.probe_later,
    ...(ipam.parent_nic_mac !== undefined && { parentNicMac: ipam.parent_nic_mac }),
    log: logFile(path, {
      level: ipam.log_level,
      megabytes: ipam.log_file_max_size,
      days: ipam.log_file_max_age,
      files: ipam.log_file_max_count,
    }),
  });
}

const mode: Decoder<CoordinatorMode> = decoderOf((value) => {
  const parsed = typeof value === "string" ? parseCoordinatorMode(value) : undefined;
  return parsed === undefined ? err({ allowed: choices(COORDINATOR_MODES_ON_WIRE) }) : ok(parsed);
});

/** An empty text is as good as none. */
function unlessEmpty<T>(decoder: Decoder<T>): Decoder<T | undefined> {
  return (value) => value === "" ? undefined : decoder(value);
}

const rpFilter: Decoder<number> = refined(integer(), (value) => {
  if (value <= 2) return undefined;
  return { path: [], value, allowed: "0, 1 or 2, or a negative number to leave it alone" };
});

const noRoutes: readonly { readonly dst: string; readonly gw: string }[] = [];

const coordinatorDecoder = members({
  mode: optional(unlessEmpty(mode)),
  podMACPrefix: optional(unlessEmpty(text)),
  vethLinkAddress: optional(unlessEmpty(text)),
  vethMTU: optional(integer({ min: 1 })),
  overlayPodCIDR: texts,
  serviceCIDR: texts,
  hijackCIDR: texts,
  policyRoutes: otherwise(
    listOf(members({ dst: otherwise(text, ""), gw: otherwise(text, "") })),
    noRoutes,
  ),
  tunePodRoutes: optional(flag),
  hostRuleTable: optional(integer()),
  podRPFilter: optional(rpFilter),
  txQueueLen: optional(integer()),
  podDefaultRouteNic: optional(unlessEmpty(text)),
  podDefaultCniNic: otherwise(unlessEmpty(text), undefined),
  multusNicPrefix: otherwise(text, ""),
  ipam_unix_socket_path: otherwise(text, ""),
  logOptions: optional(members({
    logLevel: optional(unlessEmpty(logLevel)),
    logFile: otherwise(text, ""),
    logMaxSize: optional(count),
    logMaxAge: optional(count),
    logMaxCount: optional(count),
  })),
});

/**
 * What `coordinator` reads of its configuration. What is absent, and a list that is empty, is as
 * the agent's `CoordinatorConfig` says.
 */
export type CoordinatorPluginConfig =
  & Omit<
    Decoded<typeof coordinatorDecoder>,
    "logOptions" | "podDefaultCniNic" | "ipam_unix_socket_path"
  >
  & {
    /** NIC that the cluster's default network gave the pod. */
    readonly podDefaultCniNic: string;
    /** Where the agent listens; the reference's plugin knows one place only. */
    readonly socketPath: string;
    readonly log: LogFile;
  };

/** Reads the configuration of the coordinator plugin. */
export function readCoordinatorPluginConfig(
  network: unknown,
): Result<CoordinatorPluginConfig, string> {
  const decoded = read(coordinatorDecoder, network, ROOT);
  if (!decoded.ok) return decoded;
  const {
    logOptions,
    podDefaultCniNic = "eth0",
    ipam_unix_socket_path: socketPath,
    ...rest
  } = decoded.value;
  const path = logOptions?.logFile || "/var/log/spidernet/coordinator.log";
  const log = logFile(path, {
    level: logOptions?.logLevel ?? "info",
    megabytes: logOptions?.logMaxSize,
    days: logOptions?.logMaxAge,
    files: logOptions?.logMaxCount,
  });
  return ok({
    ...rest,
    podDefaultCniNic,
    socketPath: socketPath || AGENT_SOCKET_PATH,
    log,
  });
}

/** Name of a bond that has none. */
export const BOND_NAME_DEFAULT = "sp_bond0";

const vlanId = integer({ min: 0, max: 4094 });

const interfaces: Decoder<readonly string[]> = refined(listOf(text), (value) => {
  return value.length > 0 ? undefined : { path: [], value, allowed: "at least one interface" };
});

const ifacerDecoder = members({
  interfaces,
  vlanID: otherwise(vlanId, 0),
  bond: optional(members({
    name: otherwise(unlessEmpty(text), undefined),
    mode: otherwise(integer({ min: 0, max: 6 }), 0),
    options: otherwise(text, ""),
  })),
});

/** A bond to make of several interfaces. */
export interface BondConfig {
  readonly name: string;
  /** 0 to 6, as the kernel numbers them. */
  readonly mode: number;
  /** `primary=eth1;arp_interval=1`. */
  readonly options: string;
}

/** What `ifacer` reads of its configuration. */
export interface IfacerConfig {
  /** At least one. */
  readonly interfaces: readonly string[];
  /** 0: no VLAN. */
  readonly vlanId: number;
  readonly bond?: BondConfig | undefined;
}

/** Reads the configuration of the ifacer plugin. */
export function readIfacerConfig(network: unknown): Result<IfacerConfig, string> {
  const decoded = read(ifacerDecoder, network, ROOT);
  if (!decoded.ok) return decoded;
  const { interfaces, vlanID, bond } = decoded.value;
  if (bond === undefined) return ok({ interfaces, vlanId: vlanID });
  return ok({
    interfaces,
    vlanId: vlanID,
    bond: { ...bond, name: bond.name ?? BOND_NAME_DEFAULT },
  });
}

const master: Decoder<string> = refined(text, (value) => {
  return value === "" ? { path: [], value, allowed: "the name of an interface" } : undefined;
});

const delegateMembers = members({
  type: refined(text, (value) => {
    const allowed = 'the name of a plugin, such as "spiderpool"';
    return /^[^/]+$/.test(value) ? undefined : { path: [], value, allowed };
  }),
  ipam_unix_socket_path: otherwise(text, ""),
});

/** An empty `ipam` is none; one that says something names its plugin. */
const delegate: Decoder<Decoded<typeof delegateMembers> | undefined> = (value) => {
  if (value === undefined || value === null) return undefined;
  if (isRecord(value) && Object.keys(value).length === 0) return undefined;
  return delegateMembers(value);
};

const vlanDecoder = members({
  master,
  vlanId: optional(vlanId),
  mtu: otherwise(integer({ min: 0 }), 0),
  ipam: otherwise(delegate, undefined),
});

/** What `vlan` reads of its configuration. */
export type VlanConfig =
  & {
    readonly master: string;
    /** 0: as the master's. */
    readonly mtu: number;
  }
  & (
    | {
      readonly mode: "manual";
      readonly vlanId: number;
      /** Plugin that gives the addresses; absent: none does. */
      readonly ipam?: string | undefined;
    }
    /** The network provider says the VLAN. */
    | {
      readonly mode: "auto";
      readonly ipam: string;
      /** Where the agent listens. */
      readonly socketPath: string;
    }
  );

/**
 * Reads the configuration of the vlan plugin. A configuration with a VLAN is manual, one without is
 * automatic, whatever `vlanMode` says.
 */
export function readVlanConfig(network: unknown): Result<VlanConfig, string> {
  const decoded = read(vlanDecoder, network, ROOT);
  if (!decoded.ok) return decoded;
  const { master, mtu, vlanId, ipam } = decoded.value;
  if (vlanId !== undefined) {
    const plugin = ipam === undefined ? {} : { ipam: ipam.type };
    return ok({ master, mtu, ...plugin, mode: "manual", vlanId });
  }
  if (ipam === undefined) {
    return err(
      "Cannot use ipam of the CNI configuration: it is missing, and without vlanId the agent " +
        "says the VLAN that belongs to the addresses; write ipam or vlanId",
    );
  }
  const socketPath = ipam.ipam_unix_socket_path || AGENT_SOCKET_PATH;
  return ok({ master, mtu, mode: "auto", ipam: ipam.type, socketPath });
}
