import assert from "node:assert/strict";
import { CONFIG_FILE_BYTES_MAX } from "../base/limits.ts";
import { type AgentSettings, readSettings } from "./config.ts";

const PATH = "/etc/spiderpool/conf.yml";
const ENVIRONMENT = {
  SPIDERPOOL_POD_NAMESPACE: "spiderpool",
  SPIDERPOOL_POD_NAME: "spiderpool-agent-x",
  SPIDERPOOL_NODE_NAME: "n1",
};

async function readAll(
  text: string,
  environment: Readonly<Record<string, string>> = ENVIRONMENT,
): Promise<AgentSettings | string> {
  const settings = await readSettings(PATH, {
    readEnvironment: (name) => environment[name],
    readText: (path) => {
      assert.equal(path, PATH);
      return Promise.resolve(text);
    },
  });
  return settings.ok ? settings.value : settings.error;
}

async function settingsOf(
  text: string,
  environment?: Readonly<Record<string, string>>,
): Promise<AgentSettings> {
  const settings = await readAll(text, environment);
  assert.ok(typeof settings !== "string", String(settings));
  return settings;
}

Deno.test("readSettings() fills in what is not set", async () => {
  assert.deepEqual(await settingsOf("enableIPv4: true\n"), {
    socketPath: "/var/run/spidernet/spiderpool.sock",
    healthPort: 5710,
    logLevel: "info",
    nodeName: "n1",
    podName: "spiderpool-agent-x",
    tunesSysctls: false,
    kubeletRootDir: "/var/lib/kubelet",
    ipam: {
      ipv4: true,
      ipv6: false,
      statefulSet: false,
      kubevirt: false,
      spiderSubnet: false,
      autoPool: false,
      agentNamespace: "spiderpool",
      clusterNetwork: "",
      conflictDetection: false,
      gatewayDetection: false,
      releaseConflicting: true,
      poolAddressesMax: undefined,
      autoPoolWaitMs: 50_000,
    },
    unused: [],
  });
});

Deno.test("readSettings() knows a network provider where its URL is set", async () => {
  const url = "https://vlans.example:8443";
  const text = (more: string) =>
    `enableIPv4: true\niaasNetworkProvider: { serverUrl: "${url}"${more} }`;
  const { provider } = await settingsOf(text(""));
  assert.deepEqual(provider, { serverUrl: url, timeoutMs: 50_000 });
  const slow = await settingsOf(text(", httpRequestTimeout: 90s"));
  assert.equal(slow.provider?.timeoutMs, 90_000);
});

Deno.test("readSettings() takes file and environment", async () => {
  const settings = await settingsOf(
    `
ipamUnixSocketPath: /run/x.sock
enableIPv6: true
tuneSysctlConfig: true
enableStatefulSet: true
enableKubevirtStaticIP: true
enableSpiderSubnet: true
enableAutoPoolForApplication: true
enableIPConflictDetection: true
enableGatewayDetection: true
agent:
  networkResourcePlugin:
    kubeletRootDir: /srv/kubelet
enableIpV4: true
`,
    {
      ...ENVIRONMENT,
      SPIDERPOOL_HEALTH_PORT: "1",
      SPIDERPOOL_LOG_LEVEL: "DEBUG",
      SPIDERPOOL_ENABLED_RELEASE_CONFLICT_IPS: "false",
      SPIDERPOOL_IPPOOL_MAX_ALLOCATED_IPS: "7",
      SPIDERPOOL_WAIT_SUBNET_POOL_MAX_RETRIES: "7",
      SPIDERPOOL_WAIT_SUBNET_POOL_TIME_IN_SECOND: "3",
      SPIDERPOOL_ENABLED_METRIC: "true",
      SPIDERPOOL_ENABLED_RDMA_METRIC: "true",
      MULTUS_CLUSTER_NETWORK: "kube-system/macvlan",
    },
  );
  assert.deepEqual(settings, {
    socketPath: "/run/x.sock",
    healthPort: 1,
    logLevel: "debug",
    nodeName: "n1",
    podName: "spiderpool-agent-x",
    tunesSysctls: true,
    kubeletRootDir: "/srv/kubelet",
    ipam: {
      ipv4: false,
      ipv6: true,
      statefulSet: true,
      kubevirt: true,
      spiderSubnet: true,
      autoPool: true,
      agentNamespace: "spiderpool",
      clusterNetwork: "kube-system/macvlan",
      conflictDetection: true,
      gatewayDetection: true,
      releaseConflicting: false,
      poolAddressesMax: 7,
      autoPoolWaitMs: 21_000,
    },
    metrics: { port: 5711, keepsDebug: false },
    unused: [
      `enableIpV4 of "${PATH}": nobody reads it; correct its name, or take it out`,
      "SPIDERPOOL_ENABLED_RDMA_METRIC: there are no such metrics",
    ],
  });
});

Deno.test("readSettings() refuses each bad setting in one sentence", async () => {
  const { SPIDERPOOL_NODE_NAME: _name, ...nameless } = ENVIRONMENT;
  const on = "enableIPv4: true\n";
  const cases: readonly [string, Readonly<Record<string, string>>, RegExp][] = [
    ["", ENVIRONMENT, /^Cannot use enableIPv4 false with enableIPv6 false: .* at least one: it is/],
    ["a: [", ENVIRONMENT, /^Cannot use the configuration file ".*": it is no YAML: .+/],
    ["- a", ENVIRONMENT, /^Cannot use .+: write .*: it is in "\/etc\/spiderpool\/conf.yml"$/],
    ["enableIPv4: yes please", ENVIRONMENT, /^Cannot use enableIPv4 "yes please": write true or /],
    [
      `${on}ipamUnixSocketPath: run/x.sock`,
      ENVIRONMENT,
      /^Cannot use ipamUnixSocketPath "run\/x.sock": write an absolute path of a file: it is in/,
    ],
    [`${on}ipamUnixSocketPath: /run/`, ENVIRONMENT, /^Cannot use ipamUnixSocketPath "\/run\/"/],
    [
      `${on}ipamUnixSocketPath: /${"x".repeat(103)}`,
      ENVIRONMENT,
      /^Cannot use ipamUnixSocketPath "\/x+…: .* write at most 103 bytes: it is in/,
    ],
    [
      `${on}agent: {networkResourcePlugin: {kubeletRootDir: kubelet}}`,
      ENVIRONMENT,
      /^Cannot use agent.networkResourcePlugin.kubeletRootDir "kubelet": write an absolute path/,
    ],
    [
      on,
      nameless,
      /^Cannot use SPIDERPOOL_NODE_NAME: it is missing; write a value that is not empty$/,
    ],
    [
      on,
      { ...ENVIRONMENT, SPIDERPOOL_HEALTH_PORT: "70000" },
      /^Cannot use SPIDERPOOL_HEALTH_PORT "70000": write a whole number from 1 to 65535/,
    ],
    [
      on,
      { ...ENVIRONMENT, SPIDERPOOL_LOG_LEVEL: "loud" },
      /^Cannot use SPIDERPOOL_LOG_LEVEL "loud": write "debug", "info"/,
    ],
    [
      on,
      { ...ENVIRONMENT, MULTUS_CLUSTER_NETWORK: "a/b/c" },
      /^Cannot use MULTUS_CLUSTER_NETWORK "a\/b\/c": write NAME or NAMESPACE\/NAME into key /,
    ],
    [
      `#${"x".repeat(CONFIG_FILE_BYTES_MAX)}`,
      ENVIRONMENT,
      /^Cannot use the configuration file ".*": it has 1048577 characters/,
    ],
  ];
  for (const [text, environment, sentence] of cases) {
    const refusal = await readAll(text, environment);
    assert.ok(typeof refusal === "string", "it is refused");
    assert.match(refusal, sentence);
    assert.equal(refusal.includes("\n"), false);
  }
});

Deno.test("readSettings() says which file it cannot read", async () => {
  const settings = await readSettings(PATH, {
    readEnvironment: (name) => Object.entries(ENVIRONMENT).find(([key]) => key === name)?.[1],
    readText: () => Promise.reject(new Error("No such file or directory (os error 2)")),
  });
  assert.deepEqual(settings, {
    ok: false,
    error: `Cannot read the configuration file "${PATH}": No such file or directory (os error 2)`,
  });
});
