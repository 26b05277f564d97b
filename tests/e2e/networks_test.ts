/** Networks of pods that nobody wrote a CNI configuration for, in every family. */
import assert from "node:assert/strict";
import type { ClusterFamily } from "../../scripts/cluster/plan.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { COORDINATOR, tellNetworks } from "./coordinator/networks.ts";
import { type Corner, deployment, namespaceOf, pod, pools, type Scenario } from "./ipam/corner.ts";
import { controllersAreReady, install, type Installation, LIMIT } from "./ipam/installation.ts";
import {
  assertAddresses,
  assertReachable,
  eventually,
  type ObservedPod,
  podsOf,
  rolledOut,
  shell,
} from "./ipam/observed.ts";
import { applyAll, nothingLeaks, objectsOf, play, type Scene } from "./ipam/play.ts";
import { nothingWasForbidden } from "./ipam/storm.ts";
import { CLUSTER_NETWORK, KINDS } from "./networks/cluster_network.ts";
import { ALL_FORMS } from "./networks/forms.ts";
import { LOST } from "./networks/lost.ts";
import { type Annotations, macvlan, network } from "./networks/short.ts";

const FAMILIES: readonly ClusterFamily[] = ["ipv4", "ipv6", "dual"];
const wanted = (Deno.env.get("E2E_FAMILIES") ?? FAMILIES.join(",")).split(",");
const ATTACHMENTS = "network-attachment-definitions.k8s.cni.cncf.io";
/** Of pods that start after their network was changed. */
const MTU = 1_400;
const WEBHOOKS = "manifests/webhooks/webhooks.yaml";

/** A definition as it is stored; `undefined` if there is none. */
async function attachmentOf(
  { site, name: namespace }: Corner,
  name: string,
): Promise<{ readonly metadata: { readonly uid: string }; readonly spec: unknown } | undefined> {
  const args = ["-n", namespace, name, "--ignore-not-found", "-o", "json"];
  const text = await site.kubectl.run("get", ATTACHMENTS, ...args);
  return text === "" ? undefined : JSON.parse(text);
}

/** Changes the configuration of a definition, as a person does. */
async function edit({ site, name: namespace }: Corner, name: string): Promise<void> {
  const patch = JSON.stringify({ spec: { config: '{"cniVersion":"1.0.0","type":"none"}' } });
  await site.kubectl.run("patch", ATTACHMENTS, "-n", namespace, name, "--type=merge", "-p", patch);
}

async function assertUnderlay(corner: Corner, app: string): Promise<readonly ObservedPod[]> {
  await rolledOut(corner, `deployment/${app}`);
  const pods = await podsOf(corner, app);
  const addresses = await assertAddresses(corner, pods, { nic: "net1", from: [app] });
  await assertReachable(corner, pods, addresses);
  return pods;
}

const KEPT: Scenario = {
  name: "kept",
  promise: "macvlan pods need one short object, and its definition is put right at once",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "office", { count: 4 }),
    macvlan(corner, "office"),
    deployment(corner, "office", { replicas: 2, networks: [`${corner.name}/office`] }),
  ],
  check: async (corner) => {
    await assertUnderlay(corner, "office");
    const before = await attachmentOf(corner, "office");
    assert.ok(before !== undefined);
    await edit(corner, "office");
    await eventually("the edited definition to be as it was", async () => {
      const { spec } = await attachmentOf(corner, "office") ?? {};
      return JSON.stringify(spec) === JSON.stringify(before.spec);
    });
    await corner.site.kubectl.run("delete", ATTACHMENTS, "-n", corner.name, "office");
    await eventually("the deleted definition to be there again", async () => {
      const { metadata } = await attachmentOf(corner, "office") ?? {};
      return metadata !== undefined && metadata.uid !== before.metadata.uid;
    });
    assert.deepEqual((await attachmentOf(corner, "office"))?.spec, before.spec);
    const mtu = JSON.stringify({ spec: { macvlan: { mtu: MTU } } });
    const patch = ["patch", "spidermultusconfig", "-n", corner.name, "office", "--type=merge"];
    await corner.site.kubectl.run(...patch, "-p", mtu);
    await eventually("the definition to follow its network", async () => {
      const { spec } = await attachmentOf(corner, "office") ?? {};
      return JSON.stringify(spec ?? "").includes(`\\"mtu\\":${MTU}`);
    });
    const scale = ["-n", corner.name, "deployment/office", "--replicas=3"];
    await corner.site.kubectl.run("scale", ...scale);
    const pods = await assertUnderlay(corner, "office");
    const mtus = await Promise.all(pods.map(async ({ name }) => {
      return (await shell(corner, { name, line: "cat /sys/class/net/net1/mtu" })).stdout.trim();
    }));
    assert.deepEqual(mtus.toSorted(), [String(MTU), "1500", "1500"], "who runs keeps its NIC");
    // No webhook is asked yet, which would refuse it.
    const renamed = ["-n", corner.name, "office", "multus.spidernet.io/cr-name=branch"];
    await corner.site.kubectl.run("annotate", "spidermultusconfig", ...renamed);
    await eventually("the definition to have another name, and only that", async () => {
      if (await attachmentOf(corner, "office") !== undefined) return false;
      return await attachmentOf(corner, "branch") !== undefined;
    });
  },
};

const THEIRS: Scenario = {
  name: "theirs",
  promise: "a definition that a person wrote stays as it is, and an Event says so",
  objects: (corner) => [
    namespaceOf(corner),
    {
      apiVersion: "k8s.cni.cncf.io/v1",
      kind: "NetworkAttachmentDefinition",
      metadata: { name: "office", namespace: corner.name },
      spec: { config: '{"cniVersion":"1.0.0","name":"mine","type":"bridge"}' },
    },
    macvlan(corner, "office"),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    const told = ["-n", corner.name, "--field-selector=reason=NameTaken", "-o", "name"];
    await eventually("an Event on the SpiderMultusConfig", async () => {
      return await kubectl.run("get", "events", ...told) !== "";
    });
    assert.match(JSON.stringify((await attachmentOf(corner, "office"))?.spec), /bridge/);
    await kubectl.run("delete", ATTACHMENTS, "-n", corner.name, "office");
    await eventually("the definition of the SpiderMultusConfig", async () => {
      const { spec } = await attachmentOf(corner, "office") ?? {};
      return JSON.stringify(spec ?? "").includes("macvlan");
    });
  },
};

const DELETED: Scenario = {
  name: "deleted",
  promise: "a network goes with its definition; its pods keep their NICs, later ones wait for it",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "office", { count: 3 }),
    macvlan(corner, "office"),
    deployment(corner, "office", { replicas: 2, networks: [`${corner.name}/office`] }),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    const pods = await assertUnderlay(corner, "office");
    await kubectl.run("delete", "spidermultusconfig", "-n", corner.name, "office");
    await eventually("the definition to be gone", async () => {
      return await attachmentOf(corner, "office") === undefined;
    });
    await assertReachable(corner, pods, pods.flatMap(({ nics }) => nics.get("net1") ?? []));
    await kubectl.apply(pod(corner, "late", { networks: [`${corner.name}/office`] }));
    const [first] = pods;
    await kubectl.run("delete", "pod", "-n", corner.name, first?.name ?? "", "--wait=true");
    await kubectl.apply(macvlan(corner, "office"));
    const ready = ["--for=condition=Ready", `--timeout=${LIMIT}`];
    await kubectl.run("wait", "-n", corner.name, "pod/late", ...ready);
    await rolledOut(corner, "deployment/office");
  },
};

const WELL = { master: ["eth1"] };

/** What people get wrong, and what they are told. */
const WRONG: readonly (readonly [spec: Readonly<Record<string, unknown>>, says: RegExp])[] = [
  [
    { cniType: "macvlan", macvlan: { master: ["eth1"], bond: { name: "bond0", mode: 1 } } },
    /spec\.macvlan\.bond: .*a bond is made of several interfaces, .*; write another/,
  ],
  [
    { cniType: "macvlan", macvlan: { master: ["an interface"] } },
    /spec\.macvlan\.master\[0\].* "an interface": the kernel takes no such name; write/,
  ],
  [
    { cniType: "ovs", ovs: { bridge: "br1", trunk: [{ minID: 20, maxID: 10 }] } },
    /spec\.ovs\.trunk\[0\]\.maxID.* 10: minID is 20; write at least that/,
  ],
  [
    { cniType: "sriov", sriov: { resourceName: "a.b/c", minTxRateMbps: 9, maxTxRateMbps: 1 } },
    /spec\.sriov\.minTxRateMbps.* 9: maxTxRateMbps is 1; write at most that/,
  ],
  [
    { cniType: "macvlan", macvlan: WELL, chainCNIJsonData: ["{"] },
    /spec\.chainCNIJsonData\[0\].* "\{": it is not JSON; write the configuration/,
  ],
];

/** What the server says to an object; nothing is stored. */
async function said({ kubectl }: Installation, file: string): Promise<string> {
  const applied = kubectl.run("create", "--dry-run=server", "-f", file);
  return await applied.catch(String);
}

async function assertRefused(corner: Corner): Promise<void> {
  await corner.site.kubectl.run("apply", "-f", WEBHOOKS);
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    for (const [spec, says] of WRONG) {
      await Deno.writeTextFile(file, JSON.stringify(network(corner, "wrong", spec)));
      // The API server knows its webhooks, and their authority, a moment after they are stored.
      await eventually(String(says), async () => says.test(await said(corner.site, file)));
    }
  } finally {
    await Deno.remove(file);
  }
  const { kubectl } = corner.site;
  await kubectl.apply(network(corner, "named", { cniType: "macvlan", macvlan: WELL }));
  const named = ["spidermultusconfig", "-n", corner.name, "named"];
  await assert.rejects(
    kubectl.run("annotate", ...named, "multus.spidernet.io/cr-name=other"),
    /the NetworkAttachmentDefinition keeps its name, pods refer to it; remove it, or create/,
  );
  await kubectl.run("delete", ...named);
}

const INJECT = "cni.spidernet.io/network-resource-inject";
const CONTROLLERS = ["-n", "spiderpool", "deployment/spiderpool-controller"];

/** A pod that names no network. */
function plainPod(corner: Corner, name: string, annotations: Annotations = {}): unknown {
  return pod(corner, name, { networks: [], annotations });
}

const ASKED: Scenario = {
  name: "asked",
  promise: "a pod that asks for a group gets its networks, and one that does not asks nobody",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "one", { count: 2 }),
    ...pools(corner, "two", { count: 2, subnet: 7 }),
    macvlan(corner, "one", { [INJECT]: "both" }),
    macvlan(corner, "two", { [INJECT]: "both", "multus.spidernet.io/cr-name": "second" }),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    const namespaced = ["-n", corner.name];
    await kubectl.apply(plainPod(corner, "asks", { [INJECT]: "both" }));
    await kubectl.run("annotate", "namespace", corner.name, `${INJECT}=both`);
    const label = ["-o", `jsonpath={.metadata.labels.${INJECT.replaceAll(".", "\\.")}}`];
    assert.equal(await kubectl.run("get", "namespace", corner.name, ...label), "both");
    await kubectl.apply(plainPod(corner, "silent"), plainPod(corner, "none", { [INJECT]: "" }));
    const ready = ["--for=condition=Ready", `--timeout=${LIMIT}`];
    await kubectl.run("wait", ...namespaced, "pod/asks", "pod/silent", "pod/none", ...ready);
    const [asks, none, silent] = await podsOf(corner);
    assert.deepEqual([...none?.nics.keys() ?? []], ["eth0"]);
    const given = [asks, silent].filter((one) => one !== undefined);
    assert.equal(given.length, 2);
    await assertAddresses(corner, given, { nic: "net1", from: ["one"] });
    await assertAddresses(corner, given, { nic: "net2", from: ["two"] });
    const wrong = kubectl.apply(plainPod(corner, "wrong", { [INJECT]: "another" }));
    await assert.rejects(wrong, /"another": no SpiderMultusConfig has this annotation with this/);
    await kubectl.run("scale", ...CONTROLLERS, "--replicas=0");
    const own = ["-l", "app.kubernetes.io/component=spiderpool-controller"];
    await kubectl.run("wait", "-n", "spiderpool", "pod", ...own, "--for=delete", "--timeout=60s");
    const late = kubectl.apply(plainPod(corner, "late", { [INJECT]: "both" }));
    await assert.rejects(late, /failed calling webhook "pods\.spiderpool\.spidernet\.io"/);
    await kubectl.apply(plainPod({ ...corner, name: "default" }, "unasked"));
    await kubectl.run("delete", "pod", "unasked", "--wait=false");
    await kubectl.run("scale", ...CONTROLLERS, "--replicas=2");
    await controllersAreReady(kubectl);
  },
};

for (const family of FAMILIES.filter((name) => wanted.includes(name))) {
  testWith({
    name: `networks: one short object is a network of pods (${family})`,
    needs: [root, ...["containerd", "curl", "nft"].map(program), linkKind("macvlan")],
    async fn(test) {
      await using site = await install(family, { name: "networks" });
      await applyAll(site, [COORDINATOR]);
      await tellNetworks(site);
      const [asked, ours, kinds, ...early] = [
        ...[ASKED, CLUSTER_NETWORK, KINDS],
        ...[ALL_FORMS, KEPT, DELETED, THEIRS, LOST],
      ].map((scenario, position): Scene => ({
        scenario,
        corner: { site, name: scenario.name, block: 10 + position },
      }));
      assert.ok(asked && ours && kinds);
      await applyAll(site, [...early, asked].flatMap(objectsOf));
      const step = async (scene: Scene): Promise<void> => {
        const { promise, name } = scene.scenario;
        await test.step(`${promise} (${name})`, () => play(scene));
      };
      for (const scene of early) await step(scene);
      await test.step("a wrong network is refused, and so is another name", async () => {
        await assertRefused({ site, name: "default", block: 20 });
      });
      await step(asked);
      // These change what a node is, the last of them for good.
      for (const scene of [ours, kinds]) {
        await applyAll(site, objectsOf(scene));
        await step(scene);
      }
      const scenes = [...early, asked, ours, kinds];
      await test.step("nothing is left when every pod is gone", async () => {
        await nothingLeaks(scenes);
      });
      await test.step("agents and controllers have the rights that they need", async () => {
        await nothingWasForbidden(site);
      });
    },
  });
}
