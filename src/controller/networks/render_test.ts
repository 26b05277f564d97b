import assert from "node:assert/strict";
import { ADMISSION_SETTINGS as settings } from "../../../tests/support/admission_judge.ts";
import { RENDERED_CASES } from "../../../tests/support/rendered_networks.ts";
import { objectOf, WRONG_OBJECTS } from "../../../tests/support/wrong_objects.ts";
import {
  readCoordinatorPluginConfig,
  readIfacerConfig,
  readIpamConfig,
  readVlanConfig,
} from "../../api/cni_config.ts";
import { isRecord } from "../../api/decode.ts";
import { SPIDER_MULTUS_CONFIGS, type SpiderMultusConfig } from "../../api/multus_config.ts";
import { expectOk, type Result } from "../../base/result.ts";
import { readNetwork } from "../../cni/network.ts";
import { type RenderedNetwork, renderNetwork } from "./render.ts";

const RESOURCE = "k8s.v1.cni.cncf.io/resourceName";

function network(
  spec: unknown,
  annotations: Readonly<Record<string, string>> = {},
): SpiderMultusConfig {
  const metadata = { namespace: "default", name: "net", uid: "u1", annotations };
  return expectOk(SPIDER_MULTUS_CONFIGS.parse({ metadata, spec }), "it can be read");
}

function rendered(
  spec: unknown,
  annotations: Readonly<Record<string, string>> = {},
): RenderedNetwork {
  return expectOk(renderNetwork(network(spec, annotations), { settings }), "it is rendered");
}

function configOf({ config = "" }: RenderedNetwork): Readonly<Record<string, unknown>> {
  const parsed: unknown = JSON.parse(config);
  assert.ok(isRecord(parsed));
  return parsed;
}

function pluginsOf(made: RenderedNetwork): readonly Readonly<Record<string, unknown>>[] {
  const { plugins } = configOf(made);
  assert.ok(Array.isArray(plugins) && plugins.every(isRecord));
  return plugins;
}

/** What a plugin of ours makes of its part; the plugins of others are not asked. */
function read(plugin: Readonly<Record<string, unknown>>): Result<unknown, string> | undefined {
  switch (plugin.type) {
    case "ifacer":
      return readIfacerConfig(plugin);
    case "vlan":
      return readVlanConfig(plugin);
    case "coordinator":
      return readCoordinatorPluginConfig(plugin);
    default:
      return undefined;
  }
}

for (const { what, spec, plugins, resource } of RENDERED_CASES) {
  Deno.test(`renderNetwork(): ${what}`, () => {
    const made = rendered(spec);
    assert.deepEqual(configOf(made), { cniVersion: "0.3.1", name: "net", plugins });
    assert.deepEqual(made.annotations, resource === undefined ? {} : { [RESOURCE]: resource });
  });

  Deno.test(`our plugins read what renderNetwork() makes of it: ${what}`, () => {
    const { plugins: made, ...list } = configOf(rendered(spec));
    assert.ok(Array.isArray(made));
    for (const plugin of made.filter(isRecord)) {
      const input = JSON.stringify({ ...list, ...plugin });
      assert.equal(readNetwork("ADD", input).ok, true, input);
      assert.equal(read(plugin)?.ok ?? true, true, `${input}: ${JSON.stringify(read(plugin))}`);
      if (isRecord(plugin.ipam)) assert.equal(readIpamConfig(plugin).ok, true, input);
    }
  });
}

Deno.test("ifacer, vlan and the IPAM plugin understand what the network says", () => {
  const bond = { name: "bond7", mode: 4, options: "miimon=100" };
  const master = { master: ["ens1", "ens2"], bond, vlanID: 77 };
  const [ifacer, macvlan] = pluginsOf(rendered({
    cniType: "macvlan",
    macvlan: { ...master, ippools: { ipv4: ["a"], ipv6: ["b"] } },
  }));
  const interfaces = ["ens1", "ens2"];
  assert.deepEqual(readIfacerConfig(ifacer), { ok: true, value: { interfaces, vlanId: 77, bond } });
  const pools = expectOk(readIpamConfig(macvlan), "the plugin reads it");
  assert.deepEqual([pools.defaultIpv4Pools, pools.defaultIpv6Pools], [["a"], ["b"]]);
  const [, tagged] = pluginsOf(rendered({ cniType: "vlan", vlan: master }));
  const manual = { master: "bond7", mtu: 0, ipam: "spiderpool", mode: "manual", vlanId: 77 };
  assert.deepEqual(readVlanConfig(tagged), { ok: true, value: manual });
  const [auto] = pluginsOf(rendered({
    cniType: "vlan",
    vlan: { master: ["ens1"], vlanMode: "auto" },
  }));
  assert.equal(expectOk(readVlanConfig(auto), "the plugin reads it").mode, "auto");
  const [sriov] = pluginsOf(rendered({
    cniType: "sriov",
    sriov: { resourceName: "example.com/vf", ippools: { matchMasterSubnet: true } },
  }));
  assert.equal(expectOk(readIpamConfig(sriov), "the plugin reads it").matchMasterSubnet, true);
});

Deno.test("the coordinator understands every field, and is told of none that is absent", () => {
  const macvlan = { master: ["ens1"] };
  const said = {
    ...{ mode: "overlay", tunePodRoutes: false, podMACPrefix: "0a:1b", vethMTU: 1450 },
    ...{ hostRuleTable: 600, podRPFilter: -1, txQueueLen: 9, vethLinkAddress: "169.254.20.1" },
    hijackCIDR: ["10.9.0.0/16"],
    policyRoutes: [{ dst: "10.8.0.0/16", gw: "10.9.0.1" }],
  };
  const read = (coordinator: unknown): unknown => {
    const plugins = pluginsOf(rendered({ cniType: "macvlan", macvlan, coordinator }));
    return expectOk(readCoordinatorPluginConfig(plugins.at(-1)), "the plugin reads it");
  };
  const bare = expectOk(readCoordinatorPluginConfig({}), "the plugin reads nothing");
  assert.deepEqual(read({ ...said, podDefaultRouteNIC: "net1" }), {
    ...{ ...bare, ...said, podDefaultRouteNic: "net1" },
  });
  assert.deepEqual(read(undefined), bare);
  assert.deepEqual(read({}), bare);
});

Deno.test("renderNetwork() takes names, version and annotations from annotations", () => {
  const annotations = {
    "multus.spidernet.io/cr-name": "other",
    "multus.spidernet.io/cni-version": "1.0.0",
    "cni.spidernet.io/cniconfig-name": "chainer",
    "kubectl.kubernetes.io/last-applied-configuration": "{}",
    "team": "storage",
  };
  const made = rendered({ cniType: "macvlan", macvlan: { master: ["ens1"] } }, annotations);
  const { cniVersion, name } = configOf(made);
  assert.deepEqual([made.name, cniVersion, name], ["other", "1.0.0", "chainer"]);
  const { "kubectl.kubernetes.io/last-applied-configuration": _applied, ...copied } = annotations;
  assert.deepEqual(made.annotations, copied);
  const { "cni.spidernet.io/cniconfig-name": _name, ...unnamed } = annotations;
  const { name: own } = configOf(
    rendered({ cniType: "macvlan", macvlan: { master: ["ens1"] } }, unnamed),
  );
  assert.equal(own, "other");
});

Deno.test("renderNetwork() leaves a custom configuration as it is written", () => {
  const customCNI = '{ "type": "bridge",\n"name": "b" }';
  const chainCNIJsonData = ['{"type":"tuning"}'];
  const made = rendered({ customCNI, chainCNIJsonData, coordinator: {}, enableCoordinator: true });
  assert.deepEqual(made, { name: "net", annotations: {}, config: customCNI });
  assert.deepEqual(rendered({}), { name: "net", annotations: {} });
  assert.deepEqual(rendered({ customCNI: "" }), { name: "net", annotations: {} });
});

Deno.test("renderNetwork() refuses what admission refuses, with the same sentences", () => {
  const wrong = WRONG_OBJECTS.filter(({ kind, stored }) => {
    return kind === "SpiderMultusConfig" && stored === undefined;
  });
  let refused = 0;
  for (const one of wrong) {
    const parsed = SPIDER_MULTUS_CONFIGS.parse(objectOf(one, { name: "net", body: one.body }));
    if (!parsed.ok) continue; // The schema's own sentence comes first.
    refused++;
    assert.deepEqual(renderNetwork(parsed.value, { settings }), {
      ok: false,
      error: one.says.join(". "),
    }, one.what);
  }
  assert.ok(refused > 10, `${refused} networks`);
});
