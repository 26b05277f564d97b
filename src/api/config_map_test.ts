import assert from "node:assert/strict";
import { parse as parseYaml } from "yaml";
import { expectOk } from "../base/result.ts";
import { type Config, readConfig } from "./config_map.ts";
import { isRecord } from "./decode.ts";

function config(yaml: string): Config {
  return expectOk(readConfig(parseYaml(yaml)), "it is valid").config;
}

Deno.test("readConfig() of an empty file has every switch off", () => {
  for (const document of [null, undefined, {}]) {
    const read = expectOk(readConfig(document), "it is valid");
    assert.deepEqual(read, {
      unknown: [],
      config: {
        ipamUnixSocketPath: "/var/run/spidernet/spiderpool.sock",
        enableIPv4: false,
        enableIPv6: false,
        tuneSysctlConfig: false,
        enableStatefulSet: false,
        enableKubevirtStaticIP: false,
        enableSpiderSubnet: false,
        enableAutoPoolForApplication: false,
        enableCleanOutdatedEndpoint: false,
        enableIPConflictDetection: false,
        enableGatewayDetection: false,
        enableValidatingResourcesDeletedWebhook: false,
        podResourceInject: { enabled: false, namespacesExclude: [], namespacesInclude: [] },
        iaasNetworkProvider: { serverUrl: "", httpRequestTimeout: 50_000 },
        agent: {
          networkResourcePlugin: {
            enabled: false,
            kubeletRootDir: "/var/lib/kubelet",
            devicePluginAffinity: { nodeSelector: {} },
            resourceAdvertisement: { subENI: { rules: [] }, masterNIC: { rules: [] } },
          },
        },
        flexibleIpNumber: 1,
      },
    });
  }
});

Deno.test("readConfig() reads what the chart writes", () => {
  const read = expectOk(
    readConfig(parseYaml(`
ipamUnixSocketPath: /var/run/spidernet/other.sock
enableIPv4: true
enableIPv6: true
enableSpiderSubnet: true
clusterSubnetDefaultFlexibleIPNumber: 1
podResourceInject:
  enabled: true
  namespacesExclude: ["kube-system","spiderpool"]
  namespacesInclude: []
agent:
  networkResourcePlugin:
    enabled: true
    kubeletRootDir: "/data/kubelet"
    devicePluginAffinity:
      nodeSelector:
        matchLabels: { a: b }
    resourceAdvertisement:
      subENI:
        rules:
          - resourceName: example.com/sub
            defaultMaxCount: 4
            nodeSelector: {}
          - defaultMaxCount: 2
      masterNIC:
        rules:
          - defaultMaxCount: 0
            nodeSelector: { matchexpressions: [{ key: a, operator: Exists }] }
            includeInterfaces: ["eth*"]
            excludeInterfaces: []
iaasNetworkProvider:
  serverUrl: "https://provider.example.com:8443/base"
  httpRequestTimeout: "1m30s"
`)),
    "it is valid",
  );
  assert.deepEqual(read.unknown, []);
  const { agent, iaasNetworkProvider, podResourceInject, ...rest } = read.config;
  assert.equal(rest.flexibleIpNumber, 1);
  assert.equal(rest.enableIPv4 && rest.enableIPv6 && rest.enableSpiderSubnet, true);
  assert.equal(rest.ipamUnixSocketPath, "/var/run/spidernet/other.sock");
  assert.deepEqual(podResourceInject.namespacesExclude, ["kube-system", "spiderpool"]);
  assert.deepEqual(iaasNetworkProvider, {
    serverUrl: "https://provider.example.com:8443/base",
    httpRequestTimeout: 90_000,
  });
  assert.deepEqual(agent.networkResourcePlugin, {
    enabled: true,
    kubeletRootDir: "/data/kubelet",
    devicePluginAffinity: { nodeSelector: { matchLabels: { a: "b" } } },
    resourceAdvertisement: {
      subENI: {
        rules: [
          { resourceName: "example.com/sub", defaultMaxCount: 4, nodeSelector: {} },
          { resourceName: "spidernet.io/sub-eni", defaultMaxCount: 2, nodeSelector: {} },
        ],
      },
      masterNIC: {
        rules: [{
          defaultMaxCount: 10_000,
          nodeSelector: { matchExpressions: [{ key: "a", operator: "Exists" }] },
          includeInterfaces: ["eth*"],
          excludeInterfaces: [],
        }],
      },
    },
  });
});

Deno.test("readConfig() takes the flexible number under both of its names", () => {
  const code = "clusterSubnetAutoPoolDefaultRedundantIPNumber";
  const chart = "clusterSubnetDefaultFlexibleIPNumber";
  assert.equal(config(`${chart}: 3`).flexibleIpNumber, 3);
  assert.equal(config(`${code}: 2`).flexibleIpNumber, 2);
  assert.equal(config(`{ ${chart}: 3, ${code}: 0 }`).flexibleIpNumber, 0);
});

Deno.test("readConfig() takes a key without a value as absent", () => {
  const read = config("enableIPv4:\niaasNetworkProvider:\nagent:\n  networkResourcePlugin:\n");
  assert.equal(read.enableIPv4, false);
  assert.equal(read.iaasNetworkProvider.serverUrl, "");
});

Deno.test("readConfig() reports keys that nobody reads, and reads the rest", () => {
  const read = expectOk(
    readConfig(parseYaml(`
enableIPV4: true
agent: { networkResourcePlugin: { enable: true } }
podResourceInject: { enabled: true, later: 1 }
`)),
    "unknown keys are no error",
  );
  assert.deepEqual(read.unknown, [
    "enableIPV4",
    "agent.networkResourcePlugin.enable",
    "podResourceInject.later",
  ]);
  assert.equal(read.config.enableIPv4, false);
});

Deno.test("readConfig() refuses in one sentence", () => {
  const cases: readonly [string, string][] = [
    ["[]", "Cannot use the value []: write an object"],
    ['enableIPv4: "true"', 'Cannot use enableIPv4 "true": write true or false'],
    [
      "iaasNetworkProvider: { serverUrl: provider }",
      'Cannot use iaasNetworkProvider.serverUrl "provider": write a URL such as ' +
      '"https://provider.example.com:8443"',
    ],
    [
      "iaasNetworkProvider: { httpRequestTimeout: 100s }",
      'Cannot use iaasNetworkProvider.httpRequestTimeout "100s": write a duration above 0 and ' +
      'below 100 seconds, such as "50s"',
    ],
    [
      "agent: { networkResourcePlugin: { kubeletRootDir: var } }",
      'Cannot use agent.networkResourcePlugin.kubeletRootDir "var": write an absolute path',
    ],
    [
      "agent: { networkResourcePlugin: { resourceAdvertisement: { subENI: { rules: " +
      "[{ resourceName: a b }] } } } }",
      "Cannot use agent.networkResourcePlugin.resourceAdvertisement.subENI.rules[0].resourceName " +
      '"a b": write a resource name such as "spidernet.io/sub-eni"',
    ],
    [
      "clusterSubnetDefaultFlexibleIPNumber: -1",
      "Cannot use clusterSubnetDefaultFlexibleIPNumber -1: write a whole number of at least 0",
    ],
  ];
  for (const [yaml, error] of cases) {
    assert.deepEqual(readConfig(parseYaml(yaml)), { ok: false, error });
  }
});

/** Paths of all that a configuration says, by where it has no more members. */
function leavesOf(value: unknown, path: readonly string[] = []): readonly (readonly string[])[] {
  if (!isRecord(value) || Object.keys(value).length === 0) return [path];
  return Object.entries(value).flatMap(([name, member]) => leavesOf(member, [...path, name]));
}

Deno.test("readConfig() names every key, its value and what it takes", () => {
  const { flexibleIpNumber: _, ...named } = config("{}");
  const flexible: readonly (readonly string[])[] = ["AutoPoolDefaultRedundant", "DefaultFlexible"]
    .map((word) => {
      return [`clusterSubnet${word}IPNumber`];
    });
  const paths = [...leavesOf(named), ...flexible];
  assert.ok(paths.length > 20, `${paths.length} keys`);
  for (const path of paths) {
    const wrong = flexible.includes(path) ? "x" : 5;
    const document = path.reduceRight((value: unknown, name) => ({ [name]: value }), wrong);
    const read = readConfig(document);
    const sentence = read.ok ? "it was taken" : read.error;
    const beginning = `Cannot use ${path.join(".")} ${JSON.stringify(wrong)}: write `;
    assert.ok(sentence.startsWith(beginning), `${path.join(".")}: ${sentence}`);
  }
});
