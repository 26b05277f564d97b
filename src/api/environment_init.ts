/**
 * The environment of `spiderpool-init`, which makes the first objects, and of `clean`, which
 * removes them all. Double quotes in values are dropped, as the reference does.
 */
import { ok, type Result } from "../base/result.ts";
import { listOf, members, readJson, text as jsonText } from "./decode.ts";
import {
  count,
  type EnvironmentOf,
  flag,
  parsed,
  readEnvironment,
  requiredText,
  text,
  type Variable,
} from "./environment.ts";

/** A route of `...COORDINATOR_POLICY_ROUTES`. */
export interface InitRoute {
  readonly dst: string;
  readonly gw: string;
}

/** Variable of the policy routes: its quotes matter, as it is JSON. */
export const POLICY_ROUTES = "SPIDERPOOL_INIT_DEFAULT_COORDINATOR_POLICY_ROUTES";

const noTexts: readonly string[] = [];

function list(name: string, meaning: string): Variable<readonly string[]> {
  return parsed(name, {
    meaning,
    otherwise: noTexts,
    allowed: 'a list such as ["a","b"]',
    parse: (value) => value.split(/[\s,[\]"'\\]+/).filter((entry) => entry !== ""),
  });
}

const COORDINATOR = {
  coordinatorName: text("SPIDERPOOL_INIT_DEFAULT_COORDINATOR_NAME", {
    meaning: "name of the SpiderCoordinator to make; empty: none",
  }),
  coordinatorMode: text("SPIDERPOOL_INIT_DEFAULT_COORDINATOR_MODE", { meaning: "its mode" }),
  coordinatorPodCidrType: text("SPIDERPOOL_INIT_DEFAULT_COORDINATOR_POD_CIDR_TYPE", {
    meaning: "its podCIDRType",
  }),
  coordinatorTunePodRoutes: flag("SPIDERPOOL_INIT_DEFAULT_COORDINATOR_TUNE_POD_ROUTES", {
    meaning: "its tunePodRoutes",
    otherwise: true,
  }),
  coordinatorHijackCidr: list(
    "SPIDERPOOL_INIT_DEFAULT_COORDINATOR_HIJACK_CIDR",
    "its hijackCIDR",
  ),
  coordinatorVethLinkAddress: text("SPIDERPOOL_INIT_DEFAULT_COORDINATOR_VETH_LINK_ADDRESS", {
    meaning: "its vethLinkAddress",
  }),
  coordinatorVethMtu: count("SPIDERPOOL_INIT_DEFAULT_COORDINATOR_VETH_MTU", {
    meaning: "its vethMTU",
    otherwise: 1_500,
    min: 1,
  }),
  coordinatorDetectGateway: text("SPIDERPOOL_INIT_DEFAULT_COORDINATOR_DETECT_GATEWAY", {
    meaning: "of older releases; read and not used",
  }),
  coordinatorDetectIpConflict: text("SPIDERPOOL_INIT_DEFAULT_COORDINATOR_DETECT_IP_CONFLICT", {
    meaning: "of older releases; read and not used",
  }),
};

const IPV4 = {
  ipv4SubnetName: text("SPIDERPOOL_INIT_DEFAULT_IPV4_SUBNET_NAME", {
    meaning: "name of the IPv4 SpiderSubnet to make; empty: none",
  }),
  ipv4PoolName: text("SPIDERPOOL_INIT_DEFAULT_IPV4_IPPOOL_NAME", {
    meaning: "name of the IPv4 SpiderIPPool to make; empty: none",
  }),
  ipv4Subnet: text("SPIDERPOOL_INIT_DEFAULT_IPV4_IPPOOL_SUBNET", { meaning: "their CIDR" }),
  ipv4Ranges: list("SPIDERPOOL_INIT_DEFAULT_IPV4_IPPOOL_IPRANGES", "their ranges"),
  ipv4Gateway: text("SPIDERPOOL_INIT_DEFAULT_IPV4_IPPOOL_GATEWAY", { meaning: "their gateway" }),
};

const IPV6 = {
  ipv6SubnetName: text("SPIDERPOOL_INIT_DEFAULT_IPV6_SUBNET_NAME", {
    meaning: "name of the IPv6 SpiderSubnet to make; empty: none",
  }),
  ipv6PoolName: text("SPIDERPOOL_INIT_DEFAULT_IPV6_IPPOOL_NAME", {
    meaning: "name of the IPv6 SpiderIPPool to make; empty: none",
  }),
  ipv6Subnet: text("SPIDERPOOL_INIT_DEFAULT_IPV6_IPPOOL_SUBNET", { meaning: "their CIDR" }),
  ipv6Ranges: list("SPIDERPOOL_INIT_DEFAULT_IPV6_IPPOOL_IPRANGES", "their ranges"),
  ipv6Gateway: text("SPIDERPOOL_INIT_DEFAULT_IPV6_IPPOOL_GATEWAY", { meaning: "their gateway" }),
};

/** Variables of `spiderpool-init`, but for the policy routes. */
export const INIT_VARIABLES = {
  namespace: requiredText("SPIDERPOOL_NAMESPACE", { meaning: "namespace of the installation" }),
  controllerName: requiredText("SPIDERPOOL_CONTROLLER_NAME", {
    meaning: "name of the controller's Service",
  }),
  agentName: requiredText("SPIDERPOOL_AGENT_NAME", { meaning: "name of the agent's DaemonSet" }),
  ...COORDINATOR,
  ...IPV4,
  ...IPV6,
  multusConfigEnabled: flag("SPIDERPOOL_INIT_ENABLE_MULTUS_CONFIG", {
    meaning: "whether to make a SpiderMultusConfig for the cluster's own network",
    otherwise: false,
  }),
  cniFolder: text("SPIDERPOOL_INIT_DEFAULT_CNI_DIR", {
    meaning: "folder of CNI configurations that tells the cluster's own network",
  }),
  cniName: text("SPIDERPOOL_INIT_DEFAULT_CNI_NAME", {
    meaning: "name of that SpiderMultusConfig; empty: as the folder tells",
  }),
  cniNamespace: text("SPIDERPOOL_INIT_DEFAULT_CNI_NAMESPACE", { meaning: "its namespace" }),
  multusConfigMap: text("SPIDERPOOL_INIT_MULTUS_CONFIGMAP", {
    meaning: "of older releases; read and not used",
  }),
  installMultus: text("SPIDERPOOL_INIT_INSTALL_MULTUS", {
    meaning: "of older releases; read and not used",
  }),
  readinessFile: text("SPIDERPOOL_INIT_READINESS_FILE", {
    meaning: "of older releases; read and not used",
    otherwise: "/etc/spiderpool/ready",
  }),
  podName: text("SPIDERPOOL_POD_NAME", {
    meaning: "the Job's own pod, for Events; empty: there are none",
  }),
};

/** What the environment of `spiderpool-init` says. */
export type InitEnvironment = EnvironmentOf<typeof INIT_VARIABLES> & {
  readonly coordinatorPolicyRoutes: readonly InitRoute[];
};

/** Reads the environment of `spiderpool-init`. */
export function readInitEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Result<InitEnvironment, string> {
  const clean = (value: string): string => value.replaceAll('"', "");
  const read = readEnvironment(INIT_VARIABLES, environment, { clean });
  if (!read.ok) return read;
  const routes = readPolicyRoutes(environment[POLICY_ROUTES]);
  return routes.ok ? ok({ ...read.value, coordinatorPolicyRoutes: routes.value }) : routes;
}

const noRoutes: readonly InitRoute[] = [];
const routeList = listOf(members({ dst: jsonText, gw: jsonText }));

/** JSON that a chart may have quoted: `[{\\"dst\\":...}]`, `null`, or nothing. */
function readPolicyRoutes(value: string | undefined): Result<readonly InitRoute[], string> {
  const json = (value ?? "").replaceAll("\\", "").trim();
  if (json === "" || json === '""' || json === "null") return ok(noRoutes);
  return readJson(routeList, json, { root: POLICY_ROUTES });
}

/** Variables of `spiderpool-controller clean`. */
export const CLEAN_VARIABLES = {
  namespace: requiredText("SPIDERPOOL_POD_NAMESPACE", { meaning: "namespace of the installation" }),
  initJobName: text("SPIDERPOOL_INIT_NAME", {
    meaning: "name of the Job of spiderpool-init",
    otherwise: "spiderpool-init",
  }),
};

/** What the environment of `clean` says. */
export type CleanEnvironment = EnvironmentOf<typeof CLEAN_VARIABLES>;

/** Reads the environment of `spiderpool-controller clean`. */
export function readCleanEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Result<CleanEnvironment, string> {
  return readEnvironment(CLEAN_VARIABLES, environment);
}
