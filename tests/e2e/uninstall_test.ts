/**
 * Installed, used, and uninstalled as docs/install.md says, command by command, twice: what is left
 * is what was there. One family: nothing of it depends on which.
 */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { TOOLS_IMAGE } from "../../scripts/cluster/image.ts";
import { type Holder, runInside } from "../../scripts/cluster/namespaces.ts";
import { loadImage } from "../../scripts/cluster/node.ts";
import { waitFor } from "../../scripts/cluster/process.ts";
import { writePluginsImage } from "../../scripts/image.ts";
import { blocksBelow } from "../support/readme_commands.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import { FormerWriter } from "./former_writer.ts";
import {
  agentsAreReady,
  applyWebhooks,
  controllersAreReady,
  install,
  type Installation,
  LIMIT,
  LIMIT_MS,
} from "./ipam/installation.ts";
import { changed, holdBack, leaveMore, letGo, untilTold } from "./hindrances.ts";
import { joinNode, shutNode, taintsOf } from "./joining_node.ts";
import { assertEachCould } from "./rights.ts";

const NAMESPACE = ["-n", "spiderpool"];
const MULTUS = "manifests/multus/multus.yaml";
const INIT = "manifests/init/init.yaml";
/** A SpiderSubnet and a pool of it that the Job of the first objects makes. */
const FIRST_POOL = {
  SPIDERPOOL_INIT_DEFAULT_IPV4_SUBNET_NAME: "first",
  SPIDERPOOL_INIT_DEFAULT_IPV4_IPPOOL_NAME: "first-v4",
  SPIDERPOOL_INIT_DEFAULT_IPV4_IPPOOL_SUBNET: "10.9.0.0/16",
  SPIDERPOOL_INIT_DEFAULT_IPV4_IPPOOL_IPRANGES: '["10.9.1.10-10.9.1.20"]',
};
/** Where a node has its plugins. */
const PLUGINS = "/opt/cni/bin";
/** What nodes lack, and get of the image: Multus, what pods are connected with, and two more. */
const INSTALLED = ["macvlan", "multus", "ovs", "rdma"];
/** What somebody else has put there, who is no program. */
const THEIRS = "tuning";
/** The cluster's own network, by its file on every node. */
const OWN_NETWORK = "overlay";

/** The commands of a section of docs/install.md, block by block, as kubectl takes them. */
async function commandsOf(title: string): Promise<readonly (readonly (readonly string[])[])[]> {
  const blocks = blocksBelow(title, await Deno.readTextFile("docs/install.md"));
  assert.notEqual(blocks.length, 0, title);
  return blocks.map((commands) =>
    commands.map((command) => {
      const [first, ...args] = command.split(/\s+/);
      assert.equal(first, "kubectl", `${command} is a command of kubectl`);
      return args;
    })
  );
}

/** What there is of Spiderpool on a node. */
async function tracesOn(node: Holder): Promise<string> {
  return await runInside(node, {
    script: `cd ${PLUGINS}
      ls -A | grep -E 'spiderpool|^(coordinator|ifacer|vlan|${INSTALLED.join("|")})$' || true
      [ "$(cat ${THEIRS})" = theirs ] || echo "${THEIRS} is another"
      ls -A /etc/cni/net.d | grep -v '^10-overlay.conflist$' || true
      ls -A /var/run/spidernet 2>/dev/null || true
      ip rule show | grep 'proto 83' || true
      ip route show table all | grep 'proto 83' || true
      nft list tables 2>/dev/null | grep -i spider || true`,
  });
}

/** What there is of it in the API server. */
async function tracesIn({ kubectl }: Installation): Promise<string> {
  const kinds = [
    "customresourcedefinitions",
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "clusterroles",
    "clusterrolebindings",
    "flowschemas",
    "namespaces",
    "network-attachment-definitions.k8s.cni.cncf.io",
  ].join(",");
  const names = await kubectl.run("get", kinds, "-A", "-o", "name");
  return names.split("\n").filter((name) => name.includes("spider")).join("\n");
}

/** Takes the rig's Multus away, and the plugins that the image is to bring; the rest is theirs. */
async function bare(node: Holder): Promise<void> {
  await runInside(node, {
    script: `rm -rf /etc/cni/net.d/00-multus.conf /etc/cni/net.d/multus.d
      cd ${PLUGINS}
      rm -f ${INSTALLED.join(" ")}
      echo theirs >${THEIRS}`,
  });
}

/** Multus and the standard plugins as `manifests/multus` has them, with its image. */
async function applyMultus({ kubectl, state }: Installation): Promise<void> {
  await kubectl.apply(...await changed(MULTUS, { INSTALL_CNI_PLUGINS: "true" }));
  const daemon = ["daemonset/spiderpool-multus", `--timeout=${LIMIT}`];
  await kubectl.run("rollout", "status", ...NAMESPACE, ...daemon);
  for (const node of state.nodes) {
    await waitFor(
      async () => {
        const script = "cat /etc/cni/net.d/00-multus.conf && " +
          "stat -c %a /etc/cni/net.d/multus.d/multus.kubeconfig";
        const text = await runInside(node, { script });
        assert.match(text, new RegExp(`"clusterNetwork": "${OWN_NETWORK}"[^]*\\n600\\n?$`));
        return true;
      },
      { what: `Multus on ${node.hostname}`, timeoutMs: LIMIT_MS },
    );
    const script = `cd ${PLUGINS}; ls ${INSTALLED.join(" ")}; cat ${THEIRS}`;
    assert.deepEqual((await runInside(node, { script })).trim().split("\n"), [
      ...INSTALLED,
      "theirs",
    ]);
  }
  const pods = ["-l", "app.kubernetes.io/component=spiderpool-multus", "-c", "install-plugins"];
  const said = await kubectl.run("logs", ...NAMESPACE, ...pods);
  // Not the plugins of the cluster's own network either.
  assert.match(said, /Left alone in .*"bridge".*"host-local".*"tuning"/);
}

/** The first objects are made by their Job, of every kind that it makes. */
async function applyInit({ kubectl }: Installation): Promise<void> {
  await kubectl.apply(...await changed(INIT, FIRST_POOL));
  const isDone = ["--for=condition=Complete", "job/spiderpool-init", `--timeout=${LIMIT}`];
  await kubectl.run("wait", ...NAMESPACE, ...isDone);
  const kinds = "spidercoordinators,spidersubnets,spiderippools,spidermultusconfigs";
  const made = await kubectl.run("get", kinds, "-A", "-o", "name");
  assert.match(made, /\/default\n.*\/first\n.*\/first-v4\n[^]*\/overlay$/m);
}

/** Two pods with a NIC and an address of the pool, which a coordinator connects. */
async function use(site: Installation): Promise<void> {
  const { kubectl } = site;
  await kubectl.run("apply", "-f", "manifests/examples/pool.yaml");
  const metadata = { namespace: "default", name: "underlay" };
  const spec = { cniType: "macvlan", macvlan: { master: ["eth1"] } };
  const apiVersion = "spiderpool.spidernet.io/v2beta1";
  await kubectl.apply({ apiVersion, kind: "SpiderMultusConfig", metadata, spec });
  const deployment = await Deno.readTextFile("manifests/examples/deployment.yaml");
  // An image that is on the cluster, from the start: no pod is replaced, and none ends.
  await kubectl.apply(parse(deployment.replace(/image: .*/, `image: ${TOOLS_IMAGE}`)));
  await kubectl.run("rollout", "status", "deployment/web", `--timeout=${LIMIT}`);
  assert.equal((await addressesOf(site)).length, 2, "both pods have an address");
}

/** Pods that run: which they are, whether they were started again, and their addresses. */
async function stateOfPods({ kubectl }: Installation): Promise<string> {
  const columns = "UID:.metadata.uid,STARTED:.status.containerStatuses[0].restartCount," +
    "NETWORKS:.metadata.annotations.k8s\\.v1\\.cni\\.cncf\\.io/network-status";
  return await kubectl.run("get", "pods", "-l", "app=web", "-o", `custom-columns=${columns}`);
}

async function addressesOf({ kubectl }: Installation): Promise<readonly string[]> {
  const names = await kubectl.run("get", "spiderips", "-o", "name");
  return names.trim().split("\n").toSorted();
}

/** The definitions as the reference has them, as far as the fence is about them. */
async function installFormerDefinitions({ kubectl }: Installation): Promise<void> {
  const status = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
  const patch = JSON.stringify([{ op: "remove", path: `${status}/truth` }]);
  for (const plural of ["spiderippools", "spiderendpoints"]) {
    const definition = ["crd", `${plural}.spiderpool.spidernet.io`];
    const rules = ["-o", "jsonpath={.spec.versions[0].schema.openAPIV3Schema}"];
    assert.doesNotMatch(await kubectl.run("get", ...definition, ...rules), /oldSelf\.status/);
    await kubectl.run("patch", ...definition, "--type=json", "-p", patch);
  }
}

/**
 * Records go back into the pools, where the reference finds them, and are taken over again although
 * it has written none of them; pods run and keep their addresses meanwhile.
 */
async function goBackAndReturn(site: Installation): Promise<void> {
  const { kubectl } = site;
  const [pods, addresses] = [await stateOfPods(site), await addressesOf(site)];
  const blocks = await commandsOf("Coming from the reference, and going back");
  for (const command of blocks.slice(0, -1).flat()) await kubectl.run(...command);
  const path = ["-o", "jsonpath={.status.allocatedIPs}"];
  const records = JSON.parse(await kubectl.run("get", "spiderippool", "web-v4", ...path));
  assert.deepEqual(Object.keys(records).map((ip) => nameOf(ip)).toSorted(), addresses);
  const truth = ["-o", "jsonpath={.status.truth}"];
  assert.equal(await kubectl.run("get", "spiderippool", "web-v4", ...truth), "");
  await installFormerDefinitions(site);
  for (const command of blocks.slice(-1).flat()) await kubectl.run(...command);
  const writer = await writeAsFormer(site, () => installAgain(site));
  const isTaken = ["--for=jsonpath={.status.truth}=SpiderIP", `--timeout=${LIMIT}`];
  await kubectl.run("wait", "spiderippool", "web-v4", ...isTaken);
  const taken = new Set(await addressesOf(site));
  for (const ip of writer.recorded) assert.ok(taken.delete(nameOf(ip)), `${ip} is its pod's`);
  assert.deepEqual([...taken], addresses);
  assert.equal(await stateOfPods(site), pods);
}

/** Has somebody write in the reference's form while something is done, until he is kept out. */
async function writeAsFormer(
  { kubectl }: Installation,
  work: () => Promise<void>,
): Promise<FormerWriter> {
  const path = ["-o", "jsonpath={.items[0].metadata.name} {.items[0].metadata.uid}"];
  const [name = "", uid = ""] = (await kubectl.run("get", "pods", "-l", "app=web", ...path))
    .split(" ");
  const pod = { namespace: "default", name, uid };
  const writer = new FormerWriter(kubectl, { pool: "web-v4", pod });
  const ips = Array.from(
    { length: 500 },
    (_, index) => `10.6.${200 + (index >> 7)}.${index & 127}`,
  );
  const stop = new AbortController();
  const writing = writer.run(ips, { signal: stop.signal });
  const isWriting = () => Promise.resolve(writer.recorded.length > 0 ? true : undefined);
  await waitFor(isWriting, { what: "a record that the reference wrote", timeoutMs: LIMIT_MS });
  await work();
  const isOut = () =>
    Promise.resolve(writer.fenced.pool && writer.fenced.endpoint ? true : undefined);
  await waitFor(isOut, { what: "a writer that is kept out", timeoutMs: LIMIT_MS });
  stop.abort();
  await writing;
  return writer;
}

function nameOf(ip: string): string {
  return `spiderip.spiderpool.spidernet.io/${ip}`;
}

async function installAgain({ kubectl }: Installation): Promise<void> {
  await kubectl.run("apply", "-f", "manifests/install.yaml");
  await agentsAreReady(kubectl);
  await controllersAreReady(kubectl);
}

/** A first object and a plugin that cannot be had, told on the pods that were to bring them. */
async function beHindered(site: Installation): Promise<void> {
  const { kubectl } = site;
  const subnet = "SPIDERPOOL_INIT_DEFAULT_IPV4_IPPOOL_SUBNET";
  await kubectl.apply(...await changed(INIT, { ...FIRST_POOL, [subnet]: "10.9.0.0/40" }));
  await kubectl.apply(...await changed(MULTUS, { INSTALL_SRIOV_PLUGIN: "true" }));
  await untilTold(site, {
    reason: "FirstObjectsNotMade",
    says: /SPIDERPOOL_INIT_DEFAULT_IPV4_IPPOOL_SUBNET "10\.9\.0\.0\/40"/,
  });
  await untilTold(site, { reason: "PluginsNotInstalled", says: /INSTALL_SRIOV_PLUGIN/ });
  await kubectl.run("delete", ...NAMESPACE, "job/spiderpool-init", "--cascade=foreground");
}

/** Uninstalls where the reference and others have left something. */
async function uninstallWithOthers(site: Installation): Promise<void> {
  await leaveMore(site);
  await uninstall(site, { hold: holdBack, release: letGo });
}

function nothing(): Promise<void> {
  return Promise.resolve();
}

/**
 * Uninstalls, and looks for what is left.
 *
 * @param meanwhile.hold Called when agents and controllers have ended.
 * @param meanwhile.release Called while everything is taken away.
 */
async function uninstall(
  site: Installation,
  { hold = nothing, release = nothing }: {
    readonly hold?: (site: Installation) => Promise<void>;
    readonly release?: (site: Installation) => Promise<void>;
  } = {},
): Promise<void> {
  const { kubectl, state } = site;
  await kubectl.run("delete", "deployment", "web", "--cascade=foreground", `--timeout=${LIMIT}`);
  const [stop = [], take = [], ...rest] = await commandsOf("Uninstalling");
  for (const command of stop) await kubectl.run(...command);
  // The controllers are gone: nobody opens the node but who uninstalls.
  await shutNode(site, site.nodes[0]);
  await hold(site);
  const taking = async (): Promise<void> => {
    for (const command of take) await kubectl.run(...command);
  };
  await Promise.all([taking(), release(site)]);
  for (const command of rest.flat()) await kubectl.run(...command);
  assert.equal(await tracesIn(site), "");
  for (const node of state.nodes) {
    assert.equal(await tracesOn(node), "", node.hostname);
    assert.deepEqual(await taintsOf(site, node.hostname), []);
  }
}

/** What installs and uninstalls; agents and controllers lose their rights here on purpose. */
async function eachCould({ requests }: Installation): Promise<void> {
  const names = ["init", "multus", "give-back", "uninstall"];
  assertEachCould(await requests(), names.map((name) => `spiderpool-${name}`));
}

testWith({
  name: "what is installed, used and uninstalled leaves nothing, and can be installed again",
  needs: [root, linkKind("veth"), linkKind("macvlan"), program("ip")],
  async fn(test) {
    await using undo = new AsyncDisposableStack();
    const folder = await Deno.makeTempDir({ prefix: "plugins-" });
    undo.defer(() => Deno.remove(folder, { recursive: true }));
    const image = `${folder}/plugins.tar`;
    const [site] = await Promise.all([
      install("ipv4", { name: "uninstall" }).then((made) => undo.use(made)),
      writePluginsImage(image, { say: () => {} }),
    ]);
    await Promise.all(site.state.nodes.map((node) => loadImage(node, image)));
    await Promise.all(site.state.nodes.map(bare));
    await applyWebhooks(site.kubectl);
    const steps: readonly (readonly [what: string, step: (site: Installation) => unknown])[] = [
      ["the first objects are made", applyInit],
      ["Multus is configured", applyMultus],
      ["pods get addresses", use],
    ];
    const first = [
      ["what is in the way is told", beHindered],
      ...steps,
      ["a node joins", (site: Installation) => joinNode(site, { bare, pluginsImage: image })],
      ["records go back, and are taken over again", goBackAndReturn],
      ["nothing is left, also of what others left", uninstallWithOthers],
    ] as const;
    const again = [
      ["it is installed by one command", installAgain],
      ...steps,
      ["nothing is left", (site: Installation) => uninstall(site)],
      ["every program has the rights that it needs", eachCould],
    ] as const;
    for (const [round, list] of [["the first time", first], ["once more", again]] as const) {
      for (const [what, step] of list) {
        const isDone = await test.step(`${what}, ${round}`, async () => void await step(site));
        if (!isDone) return; // The rest would fail for that reason.
      }
    }
  },
});
