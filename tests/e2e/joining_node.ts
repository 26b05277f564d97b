/** A machine joins a cluster that runs: no pod is placed there before its networks are there. */
import assert from "node:assert/strict";
import { TOOLS_IMAGE } from "../../scripts/cluster/image.ts";
import type { Holder } from "../../scripts/cluster/namespaces.ts";
import { loadImage } from "../../scripts/cluster/node.ts";
import { waitFor } from "../../scripts/cluster/process.ts";
import { type Installation, LIMIT, LIMIT_MS } from "./ipam/installation.ts";

const TAINT = "ipam.spidernet.io/not-ready";
const POD = ["-n", "default", "pod/early"];
/** What the node waits for. */
const OURS = ["-n", "spiderpool", "-l", "app.kubernetes.io/name=spiderpool"];

interface PodState {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly status: {
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
      readonly lastTransitionTime: string;
    }[];
  };
}

interface Nic {
  readonly name: string;
  readonly interface: string;
  readonly ips?: readonly string[];
}

/** What a joining node is given. */
export interface JoinOptions {
  /** Makes it a node without Multus, as the others were. */
  readonly bare: (node: Holder) => Promise<void>;
  /** Archive of the image with Multus. */
  readonly pluginsImage: string;
}

/** Joins a node, and shows that a pod with an underlay NIC waits until it can have one there. */
export async function joinNode(
  site: Installation,
  { bare, pluginsImage }: JoinOptions,
): Promise<void> {
  const { kubectl } = site;
  const node = await site.join();
  const { hostname } = node;
  // Its kubelet is Ready, and nothing of ours can run yet: it has none of our images.
  assert.deepEqual((await taintsOf(site, hostname)).filter((one) => one.startsWith(TAINT)), [
    `${TAINT}:NoSchedule`,
  ]);
  await bare(node);
  await kubectl.apply(podFor(hostname));
  await waitFor(async () => {
    const said = conditionOf(await podOf(site, POD), "PodScheduled")?.message;
    // Newer schedulers do not name the taint.
    return said?.includes("untolerated taint") === true ? true : undefined;
  }, { what: "the scheduler to say what the pod waits for", timeoutMs: LIMIT_MS });

  for (const image of [site.agentImage, pluginsImage]) await loadImage(node, image);
  // Kubelets look for an image again after minutes.
  const here = ["--field-selector", `spec.nodeName=${hostname}`];
  await kubectl.run("delete", "pods", ...OURS, ...here);
  await kubectl.run("wait", ...POD, "--for=condition=Ready", `--timeout=${LIMIT}`);

  assert.deepEqual((await taintsOf(site, hostname)).filter((one) => one.startsWith(TAINT)), []);
  const early = await podOf(site, POD);
  assertNics(early);
  await assertOrder(site, { early, here });
  await waitFor(async () => {
    const told = await kubectl.run("get", "events.events.k8s.io", "-n", "default");
    return new RegExp(` Opened +node/${hostname} `, "i").test(told) ? true : undefined;
  }, { what: "an Event on the node", timeoutMs: LIMIT_MS });
  await kubectl.run("delete", ...POD, `--timeout=${LIMIT}`);
  await kubectl.run("wait", "node", hostname, "--for=condition=Ready", `--timeout=${LIMIT}`);
}

/** A pod that may run on one node alone, and is placed by the scheduler. */
function podFor(hostname: string): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: "default",
      name: "early",
      annotations: {
        "k8s.v1.cni.cncf.io/networks": "default/underlay",
        "ipam.spidernet.io/ippool": '{"ipv4": ["web-v4"]}',
      },
    },
    spec: {
      nodeSelector: { "kubernetes.io/hostname": hostname },
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "c", image: TOOLS_IMAGE, command: ["sleep", "infinity"] }],
    },
  };
}

/** Its NICs are those that it asked for, and not the default network alone. */
function assertNics(early: PodState): void {
  const text = early.metadata.annotations?.["k8s.v1.cni.cncf.io/network-status"] ?? "[]";
  const nics: readonly Nic[] = JSON.parse(text);
  assert.deepEqual(nics.map((nic) => [nic.interface, nic.name]), [
    ["eth0", "spiderpool/overlay"],
    ["net1", "default/underlay"],
  ]);
  assert.match(nics[1]?.ips?.join() ?? "", /^10\.6\.1\.\d+$/);
}

/** It was placed after agent and Multus were ready there. */
async function assertOrder(
  { kubectl }: Installation,
  { early, here }: { readonly early: PodState; readonly here: readonly string[] },
): Promise<void> {
  const text = await kubectl.run("get", "pods", ...OURS, ...here, "-o", "json");
  const items: readonly PodState[] = JSON.parse(text).items;
  const ready = items.map((item) => timeOf(item, "Ready"));
  assert.equal(ready.length, 2, "an agent and Multus");
  const placedMs = timeOf(early, "PodScheduled");
  for (const readyMs of ready) assert.ok(placedMs >= readyMs, "it was placed too early");
}

function timeOf(pod: PodState, type: string): number {
  const condition = conditionOf(pod, type);
  assert.equal(condition?.status, "True", type);
  return Date.parse(condition.lastTransitionTime);
}

function conditionOf({ status: { conditions = [] } }: PodState, type: string) {
  return conditions.find((condition) => condition.type === type);
}

async function podOf({ kubectl }: Installation, pod: readonly string[]): Promise<PodState> {
  return JSON.parse(await kubectl.run("get", ...pod, "-o", "json"));
}

/** Taints of a node, as kubectl writes them. */
export async function taintsOf(
  { kubectl }: Installation,
  node: string,
): Promise<readonly string[]> {
  const path = '{range .spec.taints[*]}{.key}:{.effect}{"\\n"}{end}';
  const text = await kubectl.run("get", "node", node, "-o", `jsonpath=${path}`);
  return text.split("\n").filter((line) => line !== "");
}

/** Shuts a node as if it had joined a moment ago. */
export async function shutNode({ kubectl }: Installation, node: string): Promise<void> {
  await kubectl.run("taint", "node", node, "--overwrite", `${TAINT}:NoSchedule`);
}
