/**
 * Installed, used, and uninstalled as docs/install.md says, command by command, twice: what is left
 * is what was there. One family: nothing of it depends on which.
 */
import assert from "node:assert/strict";
import { parse, parseAllDocuments } from "yaml";
import { TOOLS_IMAGE } from "../../scripts/cluster/image.ts";
import { type Holder, runInside } from "../../scripts/cluster/namespaces.ts";
import { loadImage } from "../../scripts/cluster/node.ts";
import { waitFor } from "../../scripts/cluster/process.ts";
import { writePluginsImage } from "../../scripts/image.ts";
import { linkKind, program, root, testWith } from "../support/require.ts";
import {
  agentsAreReady,
  applyWebhooks,
  controllersAreReady,
  install,
  type Installation,
  LIMIT,
  LIMIT_MS,
} from "./ipam/installation.ts";

const NAMESPACE = ["-n", "spiderpool"];
const MULTUS = "manifests/multus/multus.yaml";
/** Where a node has its plugins. */
const PLUGINS = "/opt/cni/bin";
/** What nodes lack, and get of the image: Multus, what pods are connected with, and two more. */
const INSTALLED = ["macvlan", "multus", "ovs", "rdma"];
/** What somebody else has put there, who is no program. */
const THEIRS = "tuning";
/** The cluster's own network, by its file on every node. */
const OWN_NETWORK = "overlay";

/** The commands of a section of docs/install.md, block by block. */
async function commandsOf(title: string): Promise<readonly (readonly (readonly string[])[])[]> {
  const text = await Deno.readTextFile("docs/install.md");
  const [, section = ""] = text.split(`## ${title}\n`);
  const [own = ""] = section.split("\n## ");
  const blocks = [...own.matchAll(/```sh\n([^]*?)```/g)].map(([, block = ""]) => block);
  assert.notEqual(blocks.length, 0, title);
  return blocks.map((block) => {
    const lines = block.split("\n").map((line) => line.trim()).filter((line) => line !== "");
    return lines.map((line) => {
      const [first, ...args] = line.split(/\s+/);
      assert.equal(first, "kubectl", `${line} is a command of kubectl`);
      return args;
    });
  });
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
async function bare({ state }: Installation): Promise<void> {
  for (const node of state.nodes) {
    await runInside(node, {
      script: `rm -rf /etc/cni/net.d/00-multus.conf /etc/cni/net.d/multus.d
        cd ${PLUGINS}
        rm -f ${INSTALLED.join(" ")}
        echo theirs >${THEIRS}`,
    });
  }
}

/** Multus and the standard plugins as `manifests/multus` has them, with its image. */
async function applyMultus({ kubectl, state }: Installation): Promise<void> {
  const text = await Deno.readTextFile(MULTUS);
  const off = /(name: INSTALL_CNI_PLUGINS\n +value: )"false"/;
  assert.match(text, off);
  const documents = parseAllDocuments(text.replace(off, '$1"true"'));
  await kubectl.apply(...documents.map((document) => document.toJS()));
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

/** The first objects are made by their Job. */
async function applyInit({ kubectl }: Installation): Promise<void> {
  await kubectl.run("apply", "-f", "manifests/init");
  const isDone = ["--for=condition=Complete", "job/spiderpool-init", `--timeout=${LIMIT}`];
  await kubectl.run("wait", ...NAMESPACE, ...isDone);
  const made = await kubectl.run(
    "get",
    "spidercoordinators,spidermultusconfigs",
    "-A",
    "-o",
    "name",
  );
  assert.match(made, /\/default\n[^]*\/overlay$/m);
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

/** The definition of pools as the reference has it, as far as the fence is about it. */
async function installFormerDefinition({ kubectl }: Installation): Promise<void> {
  const schema = "/spec/versions/0/schema/openAPIV3Schema";
  const patch = ["x-kubernetes-validations", "properties/status/properties/truth"].map((path) => {
    return { op: "remove", path: `${schema}/${path}` };
  });
  const definition = ["crd", "spiderippools.spiderpool.spidernet.io", "--type=json"];
  await kubectl.run("patch", ...definition, "-p", JSON.stringify(patch));
  const count = ["--type=merge", "-p", '{"status":{"totalIPCount":90}}'];
  const write = ["patch", "spiderippool", "web-v4", "--subresource=status", ...count];
  await waitFor(
    async () => {
      await kubectl.run(...write);
      const status = await kubectl.run("get", "spiderippool", "web-v4", "-o", "jsonpath={.status}");
      return status.includes("truth") ? undefined : true;
    },
    { what: "a status that the reference wrote", timeoutMs: LIMIT_MS },
  );
}

/**
 * Records go back into the pools, where the reference finds them, and are taken over again; pods
 * run and keep their addresses meanwhile.
 */
async function goBackAndReturn(site: Installation): Promise<void> {
  const { kubectl } = site;
  const [pods, addresses] = [await stateOfPods(site), await addressesOf(site)];
  const blocks = await commandsOf("Coming from the reference, and going back");
  for (const command of blocks.slice(0, -1).flat()) await kubectl.run(...command);
  const path = ["-o", "jsonpath={.status.allocatedIPs}"];
  const records = JSON.parse(await kubectl.run("get", "spiderippool", "web-v4", ...path));
  assert.deepEqual(Object.keys(records).map((ip) => nameOf(ip)).toSorted(), addresses);
  await installFormerDefinition(site);
  for (const command of blocks.slice(-1).flat()) await kubectl.run(...command);
  await installAgain(site);
  const isTaken = ["--for=jsonpath={.status.truth}=SpiderIP", `--timeout=${LIMIT}`];
  await kubectl.run("wait", "spiderippool", "web-v4", ...isTaken);
  assert.deepEqual(await addressesOf(site), addresses);
  assert.equal(await stateOfPods(site), pods);
}

function nameOf(ip: string): string {
  return `spiderip.spiderpool.spidernet.io/${ip}`;
}

async function installAgain({ kubectl }: Installation): Promise<void> {
  await kubectl.run("apply", "-f", "manifests/install.yaml");
  await agentsAreReady(kubectl);
  await controllersAreReady(kubectl);
}

async function uninstall(site: Installation): Promise<void> {
  const { kubectl, state } = site;
  await kubectl.run("delete", "deployment", "web", "--cascade=foreground", `--timeout=${LIMIT}`);
  const blocks = await commandsOf("Uninstalling");
  for (const command of blocks.flat()) await kubectl.run(...command);
  assert.equal(await tracesIn(site), "");
  for (const node of state.nodes) assert.equal(await tracesOn(node), "", node.hostname);
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
    await bare(site);
    await applyWebhooks(site.kubectl);
    const steps: readonly (readonly [what: string, step: (site: Installation) => unknown])[] = [
      ["the first objects are made", applyInit],
      ["Multus is configured", applyMultus],
      ["pods get addresses", use],
      ["nothing is left", uninstall],
    ];
    const first = [...steps.slice(0, -1), [
      "records go back, and are taken over again",
      goBackAndReturn,
    ], ...steps.slice(-1)] as const;
    const again = [["it is installed by one command", installAgain], ...steps] as const;
    for (const [round, list] of [["the first time", first], ["once more", again]] as const) {
      for (const [what, step] of list) {
        const isDone = await test.step(`${what}, ${round}`, async () => void await step(site));
        if (!isDone) return; // The rest would fail for that reason.
      }
    }
  },
});
