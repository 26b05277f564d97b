import assert from "node:assert/strict";
import { expectOk } from "../base/result.ts";
import type { Variables } from "./environment.ts";
import {
  AGENT_VARIABLES,
  readAgentEnvironment,
  readMultusEnvironment,
} from "./environment_agent.ts";
import { CONTROLLER_VARIABLES, readControllerEnvironment } from "./environment_controller.ts";
import {
  CLEAN_VARIABLES,
  INIT_VARIABLES,
  readCleanEnvironment,
  readInitEnvironment,
} from "./environment_init.ts";

const POD = { SPIDERPOOL_POD_NAMESPACE: "spiderpool", SPIDERPOOL_POD_NAME: "agent-x" };
const AGENT = { ...POD, SPIDERPOOL_NODE_NAME: "n1" };
const INIT = {
  SPIDERPOOL_NAMESPACE: "spiderpool",
  SPIDERPOOL_CONTROLLER_NAME: "spiderpool-controller",
  SPIDERPOOL_AGENT_NAME: "spiderpool-agent",
};

function namesOf(variables: Variables): readonly string[] {
  return Object.values(variables).flatMap(({ name, aliases }) => [name, ...aliases]);
}

Deno.test("the agent's defaults are the reference's, but pools have no cap", () => {
  assert.deepEqual(expectOk(readAgentEnvironment(AGENT), "it is complete"), {
    commitVersion: "",
    commitTime: "",
    version: "",
    logLevel: "info",
    metricsEnabled: false,
    debugMetricsEnabled: false,
    podNamespace: "spiderpool",
    podName: "agent-x",
    pyroscopeAddress: "",
    poolAddressesMax: undefined,
    rdmaMetricsEnabled: false,
    nodeName: "n1",
    healthPort: 5710,
    metricsPort: 5711,
    gopsPort: 5712,
    releaseConflicting: true,
    autoPoolWaitSeconds: 2,
    autoPoolWaitTries: 25,
    multusClusterNetwork: "",
  });
});

Deno.test("the controller's defaults are the reference's", () => {
  const { commitVersion: _1, commitTime: _2, version: _3, ...read } = expectOk(
    readControllerEnvironment(POD),
    "it is complete",
  );
  assert.deepEqual(read, {
    logLevel: "info",
    metricsEnabled: false,
    debugMetricsEnabled: false,
    podNamespace: "spiderpool",
    podName: "agent-x",
    pyroscopeAddress: "",
    poolAddressesMax: undefined,
    gcEnabled: true,
    gcTerminatingOnReadyNode: true,
    gcTerminatingOnNotReadyNode: true,
    gcRunningWithoutAddresses: false,
    gcWorkers: 3,
    gcQueueSize: 5_000,
    gcTracedPodsMax: 100_000,
    gcIntervalSeconds: 600,
    gcTraceSeconds: 5,
    gcSignalTimeoutSeconds: 3,
    gcSignalGapSeconds: 1,
    gcGraceSeconds: 0,
    gcTriesMax: 5,
    leaseSeconds: 15,
    leaseRenewDeadlineSeconds: 10,
    leaseRetrySeconds: 2,
    leaseRetryGapSeconds: 1,
    subnetResyncSeconds: 300,
    subnetWorkers: 5,
    subnetQueueMax: 10_000,
    applicationWorkers: 5,
    poolResyncSeconds: 300,
    poolWorkers: 3,
    poolQueueMax: 10_000,
    workTriesMax: 500,
    workRetrySeconds: 5,
    metricsRenewSeconds: 120,
    healthPort: 5720,
    metricsPort: 5721,
    webhookPort: 5722,
    gopsPort: 5724,
    coordinatorEnabled: false,
    coordinatorName: "default",
    coordinatorResyncSeconds: 60,
    cniConfigFolder: "/etc/cni/net.d",
    multusConfigEnabled: false,
    multusConfigResyncSeconds: 60,
    nodeGateEnabled: true,
    ciliumConfigMap: { namespace: "kube-system", name: "cilium-config" },
    deploymentName: "spiderpool-controller",
  });
});

Deno.test("values are trimmed and read as Go reads them; empty is mostly the default", () => {
  const read = expectOk(
    readAgentEnvironment({
      ...AGENT,
      SPIDERPOOL_LOG_LEVEL: " WARN ",
      SPIDERPOOL_ENABLED_METRIC: "T",
      SPIDERPOOL_ENABLED_RELEASE_CONFLICT_IPS: "0",
      SPIDERPOOL_HEALTH_PORT: "+80",
      SPIDERPOOL_METRIC_HTTP_PORT: " ",
      SPIDERPOOL_GOPS_LISTEN_PORT: "",
      SPIDERPOOL_IPPOOL_MAX_ALLOCATED_IPS: "5000",
      MULTUS_CLUSTER_NETWORK: "kube-system/macvlan",
    }),
    "it is valid",
  );
  assert.equal(read.logLevel, "warn");
  assert.equal(read.metricsEnabled, true);
  assert.equal(read.releaseConflicting, false);
  assert.equal(read.healthPort, 80);
  assert.equal(read.metricsPort, 5711);
  assert.equal(read.gopsPort, undefined);
  assert.equal(read.poolAddressesMax, 5_000);
  assert.equal(read.multusClusterNetwork, "kube-system/macvlan");
});

Deno.test("the misspelt name of the coordinator's variable wins over the right one", () => {
  const right = { ...POD, SPIDERPOOL_COORDINATOR_DEFAULT_NAME: "right" };
  const both = { ...right, SPIDERPOOL_COORDINATOR_DEAFULT_NAME: "wire" };
  assert.equal(expectOk(readControllerEnvironment(right), "ok").coordinatorName, "right");
  assert.equal(expectOk(readControllerEnvironment(both), "ok").coordinatorName, "wire");
});

Deno.test("a bad variable is one sentence with its name, value and remedy", () => {
  const agent = readAgentEnvironment;
  const controller = readControllerEnvironment;
  const cases: readonly [{ readonly ok: boolean }, string][] = [
    [agent(POD), "Cannot use SPIDERPOOL_NODE_NAME: it is missing; write a value that is not empty"],
    [
      agent({ ...AGENT, SPIDERPOOL_POD_NAME: " " }),
      'Cannot use SPIDERPOOL_POD_NAME "": write a value that is not empty',
    ],
    [
      agent({}),
      "Cannot use SPIDERPOOL_POD_NAMESPACE: it is missing; write a value that is not empty " +
      "(and 2 more problems)",
    ],
    [
      agent({ ...AGENT, SPIDERPOOL_HEALTH_PORT: "70000" }),
      'Cannot use SPIDERPOOL_HEALTH_PORT "70000": write a whole number from 1 to 65535',
    ],
    [
      agent({ ...AGENT, SPIDERPOOL_ENABLED_METRIC: "yes" }),
      'Cannot use SPIDERPOOL_ENABLED_METRIC "yes": write true or false',
    ],
    [
      agent({ ...AGENT, SPIDERPOOL_LOG_LEVEL: "loud" }),
      'Cannot use SPIDERPOOL_LOG_LEVEL "loud": write "debug", "info", "warn", "error", "fatal" ' +
      'or "panic"',
    ],
    [
      controller({ ...POD, SPIDERPOOL_GC_IP_WORKER_NUM: "0" }),
      'Cannot use SPIDERPOOL_GC_IP_WORKER_NUM "0": write a whole number of at least 1',
    ],
    [
      controller({ ...POD, SPIDERPOOL_CILIUM_CONFIGMAP_NAMESPACE_NAME: "cilium-config" }),
      'Cannot use SPIDERPOOL_CILIUM_CONFIGMAP_NAMESPACE_NAME "cilium-config": write namespace/name',
    ],
    [
      controller({ ...POD, SPIDERPOOL_COORDINATOR_ENABLED: "on" }),
      'Cannot use SPIDERPOOL_COORDINATOR_ENABLED "on": write true or false',
    ],
  ];
  for (const [result, error] of cases) assert.deepEqual(result, { ok: false, error });
  const never = controller({ ...POD, SPIDERPOOL_WORKQUEUE_RETRY_DELAY_DURATION: "-1" });
  assert.equal(never.ok && never.value.workRetrySeconds, -1);
});

Deno.test("readInitEnvironment() takes what charts make of lists and quotes", () => {
  const read = expectOk(
    readInitEnvironment({
      ...INIT,
      SPIDERPOOL_INIT_DEFAULT_COORDINATOR_NAME: '"default"',
      SPIDERPOOL_INIT_DEFAULT_COORDINATOR_TUNE_POD_ROUTES: '"false"',
      SPIDERPOOL_INIT_DEFAULT_COORDINATOR_HIJACK_CIDR: '["169.254.0.0/16","10.1.1.1"]',
      SPIDERPOOL_INIT_DEFAULT_COORDINATOR_POLICY_ROUTES: '[{\\"dst\\":\\"a\\",\\"gw\\":\\"b\\"}]',
      SPIDERPOOL_INIT_DEFAULT_IPV4_IPPOOL_IPRANGES: "10.6.0.1-10.6.0.9 10.6.0.11",
      SPIDERPOOL_INIT_DEFAULT_IPV6_IPPOOL_IPRANGES: "[]",
      SPIDERPOOL_INIT_DEFAULT_COORDINATOR_VETH_MTU: "1400",
    }),
    "it is valid",
  );
  assert.equal(read.coordinatorName, "default");
  assert.equal(read.coordinatorTunePodRoutes, false);
  assert.deepEqual(read.coordinatorHijackCidr, ["169.254.0.0/16", "10.1.1.1"]);
  assert.deepEqual(read.coordinatorPolicyRoutes, [{ dst: "a", gw: "b" }]);
  assert.deepEqual(read.ipv4Ranges, ["10.6.0.1-10.6.0.9", "10.6.0.11"]);
  assert.deepEqual(read.ipv6Ranges, []);
  assert.equal(read.coordinatorVethMtu, 1400);

  for (const none of [undefined, "", '""', "null", "[]"]) {
    const name = "SPIDERPOOL_INIT_DEFAULT_COORDINATOR_POLICY_ROUTES";
    const environment = none === undefined ? INIT : { ...INIT, [name]: none };
    assert.deepEqual(expectOk(readInitEnvironment(environment), "ok").coordinatorPolicyRoutes, []);
  }
  assert.deepEqual(
    readInitEnvironment({
      ...INIT,
      SPIDERPOOL_INIT_DEFAULT_COORDINATOR_POLICY_ROUTES: '[{"dst":"a"}]',
    }),
    {
      ok: false,
      error: "Cannot use [0].gw of SPIDERPOOL_INIT_DEFAULT_COORDINATOR_POLICY_ROUTES: " +
        "it is missing; write a string",
    },
  );
  assert.deepEqual(
    readInitEnvironment({ ...INIT, SPIDERPOOL_INIT_DEFAULT_COORDINATOR_VETH_MTU: "0" }),
    {
      ok: false,
      error: 'Cannot use SPIDERPOOL_INIT_DEFAULT_COORDINATOR_VETH_MTU "0": ' +
        "write a whole number of at least 1",
    },
  );
});

Deno.test("readCleanEnvironment() needs the namespace only", () => {
  assert.deepEqual(readCleanEnvironment({ SPIDERPOOL_POD_NAMESPACE: "s" }), {
    ok: true,
    value: { namespace: "s", initJobName: "spiderpool-init" },
  });
});

Deno.test("readMultusEnvironment() leaves an empty cluster network to the node", () => {
  assert.deepEqual(readMultusEnvironment({ MULTUS_NAMESPACE: "s", MULTUS_CLUSTER_NETWORK: "" }), {
    ok: true,
    value: { clusterNetwork: "", namespace: "s" },
  });
});

Deno.test("a cluster network is a name, with its namespace or without", () => {
  const read = (value: string) => {
    return readMultusEnvironment({ MULTUS_NAMESPACE: "s", MULTUS_CLUSTER_NETWORK: value });
  };
  for (const value of ["default", "kube-system/macvlan", "My_Net"]) {
    assert.deepEqual(read(value), { ok: true, value: { clusterNetwork: value, namespace: "s" } });
  }
  for (const value of ["a/b/c", "/macvlan", "kube-system/", "a b", "a,b c"]) {
    assert.deepEqual(read(value), {
      ok: false,
      error: `Cannot use MULTUS_CLUSTER_NETWORK "${value}": write NAME or NAMESPACE/NAME into ` +
        "key clusterNetwork of the ConfigMap",
    });
  }
});

Deno.test("no two variables of a program have the same name", () => {
  for (const table of [AGENT_VARIABLES, CONTROLLER_VARIABLES, INIT_VARIABLES, CLEAN_VARIABLES]) {
    const names = namesOf(table);
    assert.equal(new Set(names).size, names.length);
    for (const name of names) assert.match(name, /^[A-Z][A-Z0-9_]+$/);
  }
  assert.equal(namesOf(AGENT_VARIABLES).length, 19);
  assert.equal(namesOf(CONTROLLER_VARIABLES).length, 51);
  assert.equal(namesOf(INIT_VARIABLES).length, 30);
});
