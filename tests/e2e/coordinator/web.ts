/** Pods that serve their own name, services in front of them, and questions to both. */
import assert from "node:assert/strict";
import { runInside } from "../../../scripts/cluster/namespaces.ts";
import type { Corner } from "../ipam/corner.ts";
import { type Installation, nodeNamed } from "../ipam/installation.ts";
import { eventually, type ObservedPod, shell } from "../ipam/observed.ts";

/** A container that answers HTTP with the name of its pod, and whose log has each question. */
export const WEB = {
  command: [
    "sh",
    "-c",
    "mkdir /tmp/www; hostname >/tmp/www/index.html; exec httpd -f -vv -p 80 -h /tmp/www",
  ],
} as const;

/** Times that a service is asked: it has several pods behind it. */
const ASKED = 6;

/** A service in front of the pods of an app, in each family of the cluster. */
export function service({ name: namespace }: Corner, app: string): unknown {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: app, namespace },
    spec: { selector: { app }, ports: [{ port: 80 }], ipFamilyPolicy: "PreferDualStack" },
  };
}

/** The addresses of a service. */
export async function clusterIps(
  { site }: Corner,
  { name, namespace }: { readonly name: string; readonly namespace: string },
): Promise<readonly string[]> {
  const text = await site.kubectl.run("get", "service", "-n", namespace, name, "-o", "json");
  return JSON.parse(text).spec.clusterIPs;
}

/** A shell line that prints what an address answers; nothing, if it does not. */
function question(address: string): string {
  const host = address.includes(":") ? `[${address}]` : address;
  return `timeout 5 wget -qO- http://${host}/ || echo "no answer of ${address}"`;
}

/** What is asked, and whose answer it must be. */
interface Asking {
  readonly addresses: readonly string[];
  readonly app: string;
  readonly times?: number;
}

/**
 * Fails unless every pod gets an answer of every address, each time, from one of `app`'s pods.
 *
 * Until that was so once, it is waited for: a pod of both families is Ready before the kernel has
 * found out that nobody else has its IPv6 address, and kube-proxy learns of it later still.
 */
export async function assertServed(
  corner: Corner,
  pods: readonly ObservedPod[],
  { times = ASKED, ...asking }: Asking,
): Promise<void> {
  assert.ok(
    pods.length > 0 && asking.addresses.length > 0,
    "there is somebody to ask, and something",
  );
  await eventually(`${asking.app} to be served`, async () => {
    return (await othersThan(corner, pods, { ...asking, times: 1 })).length === 0;
  });
  assert.deepEqual(await othersThan(corner, pods, { ...asking, times }), []);
}

/** Answers that pods got from others than `app`'s pods, or from nobody. */
async function othersThan(
  corner: Corner,
  pods: readonly ObservedPod[],
  { addresses, app, times }: Required<Asking>,
): Promise<readonly string[]> {
  const line = addresses.flatMap((address) => Array(times).fill(question(address))).join("; ");
  const found = await Promise.all(pods.map(async ({ name }) => {
    const { stdout, stderr } = await shell(corner, { name, line });
    const answers = stdout.trim().split("\n");
    const others = answers.filter((answer) => !answer.startsWith(`${app}-`));
    if (others.length === 0 && answers.length === addresses.length * times) return [];
    return [`${name} asks ${app}: ${stdout}${stderr}`];
  }));
  return found.flat();
}

/** Fails unless every pod gets an answer of `kubernetes.default`: the API server is no pod. */
export async function assertApiServed(
  corner: Corner,
  pods: readonly ObservedPod[],
): Promise<void> {
  const addresses = await clusterIps(corner, { name: "kubernetes", namespace: "default" });
  const line = addresses.map((address) => {
    const host = address.includes(":") ? `[${address}]` : address;
    return `timeout 5 wget -qO- --no-check-certificate https://${host}/healthz`;
  }).join("; ");
  await Promise.all(pods.map(async ({ name }) => {
    const { stdout, stderr } = await shell(corner, { name, line });
    assert.equal(stdout, "ok".repeat(addresses.length), `${name} asks for health: ${stderr}`);
  }));
}

/** Fails unless a pod answers at each address when its own node asks, as kubelets do. */
export async function assertNodeReaches(
  site: Installation,
  pod: ObservedPod,
  addresses: readonly string[],
): Promise<void> {
  await assertReaches(nodeNamed(site, pod.node), pod, addresses);
}

/** Fails unless a pod answers at each address when the router of the underlay asks. */
export async function assertRouterReaches(
  { state }: Installation,
  pod: ObservedPod,
  addresses: readonly string[],
): Promise<void> {
  assert.ok(state.fabric !== undefined, "the switch runs");
  await assertReaches(state.fabric, pod, addresses);
}

async function assertReaches(
  from: NonNullable<Installation["state"]["fabric"]>,
  pod: ObservedPod,
  addresses: readonly string[],
): Promise<void> {
  for (const address of addresses) {
    const answer = await runInside(from, {
      script: `curl --silent --show-error --max-time 10 --retry 3 --noproxy '*' "$1" 2>&1 || true`,
      args: [`http://${address.includes(":") ? `[${address}]` : address}/`],
    });
    assert.equal(answer.trim(), pod.name, `${from.hostname} asks ${address} of ${pod.name}`);
  }
}
