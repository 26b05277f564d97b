/** What goes on while no webhook answers, and what waits. */
import assert from "node:assert/strict";
import {
  ask,
  type Corner,
  deployment,
  namespaceOf,
  pod,
  poolName,
  pools,
  type Scenario,
} from "../ipam/corner.ts";
import { controllersAreReady, type Installation, LIMIT } from "../ipam/installation.ts";
import { assertAddresses, eventually, podsOf, rolledOut } from "../ipam/observed.ts";
import { signalProgram } from "../ipam/storm.ts";

const NAMESPACE = ["-n", "spiderpool"] as const;
const CONTROLLERS = [...NAMESPACE, "deployment/spiderpool-controller"] as const;
/** What `docs/webhooks.md` says that kubectl prints. */
const NOBODY = /failed calling webhook "spiderippool\.spiderpool\.spidernet\.io": .*no endpoints/;

/** Names of the pools of each family. */
function named(corner: Corner, name: string): readonly string[] {
  return corner.site.versions.map((version) => poolName(corner, { name, version }));
}

async function signalAll(site: Installation, signal: "STOP" | "CONT"): Promise<void> {
  for (const node of site.nodes) {
    await signalProgram(site, { program: "spiderpool-controller", node, signal });
  }
}

/** Controllers that have connections and say nothing: deletions wait two seconds, and go on. */
async function whileStopped(corner: Corner): Promise<void> {
  const { kubectl } = corner.site;
  await signalAll(corner.site, "STOP");
  try {
    await kubectl.run("delete", "spiderippool", ...named(corner, "stopped"), "--wait=false");
    await kubectl.apply(pod(corner, "stopped", { ippool: ask(corner, "p") }));
    const ready = ["--for=condition=Ready", `--timeout=${LIMIT}`];
    await kubectl.run("wait", "-n", corner.name, "pod/stopped", ...ready);
  } finally {
    await signalAll(corner.site, "CONT");
  }
}

/** No controller at all. */
async function whileGone(corner: Corner): Promise<void> {
  const { site: { kubectl }, name: namespace } = corner;
  const refused = await kubectl.attempt(["apply"], pools(corner, "late", { from: 60, count: 2 }));
  assert.match(refused.stderr, NOBODY);
  const patch = (name: string, change: unknown) => {
    return ["patch", "spiderippool", name, "--type=merge", "-p", JSON.stringify(change)];
  };
  for (const name of named(corner, "p")) {
    const changed = await kubectl.attempt(patch(name, { spec: { disable: true } }));
    assert.match(changed.stderr, NOBODY);
    await kubectl.run(...patch(name, { metadata: { labels: { a: "b" } } }));
    const status = patch(name, { status: { allocatedIPCount: 3 } });
    await kubectl.run(...status, "--subresource=status");
  }
  await kubectl.run("delete", "spiderippool", ...named(corner, "gone"), "--wait=false");
  await kubectl.apply({
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderEndpoint",
    metadata: { name: "by-hand", namespace },
    status: {
      current: { uid: "u", node: "n", ips: [] },
      ownerControllerType: "Pod",
      ownerControllerName: "by-hand",
    },
  });
  await kubectl.run("delete", "spiderendpoint", "by-hand", "-n", namespace);
  await kubectl.run("scale", "-n", namespace, "deployment/web", "--replicas=2");
  await rolledOut(corner, "deployment/web");
  await assertAddresses(corner, await podsOf(corner, "web"), { nic: "net1", from: ["p"] });
}

/** Switches on that pools in use cannot be deleted; controllers read it when they start. */
async function refuseDeletions({ site: { kubectl } }: Corner): Promise<void> {
  const map = ["configmap", "spiderpool-conf", ...NAMESPACE];
  const { data } = JSON.parse(await kubectl.run("get", ...map, "-o", "json"));
  const text = `${data["conf.yml"]}enableValidatingResourcesDeletedWebhook: true\n`;
  const patch = JSON.stringify({ data: { "conf.yml": text } });
  await kubectl.run("patch", ...map, "--type=merge", "-p", patch);
}

/** Webhooks are there for people: nothing that runs waits for them. */
export const SILENCE: Scenario = {
  name: "silence",
  promise: "without a webhook pods start and objects go; only a changed spec waits",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: 4 }),
    ...pools(corner, "stopped", { from: 50, count: 1 }),
    ...pools(corner, "gone", { from: 51, count: 1 }),
    deployment(corner, "web", { replicas: 0, ippool: ask(corner, "p") }),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    await whileStopped(corner);
    await kubectl.run("scale", ...CONTROLLERS, "--replicas=0");
    try {
      const gone = ["-l", "app.kubernetes.io/component=spiderpool-controller", "--for=delete"];
      await kubectl.run("wait", ...NAMESPACE, "pod", ...gone, `--timeout=${LIMIT}`);
      await whileGone(corner);
      await refuseDeletions(corner);
    } finally {
      await kubectl.run("scale", ...CONTROLLERS, "--replicas=2");
    }
    await controllersAreReady(kubectl);
    // The API server hears of the controllers' addresses a moment later.
    await eventually("the pool that waited to be taken", async () => {
      const late = pools(corner, "late", { from: 60, count: 2 });
      return (await kubectl.attempt(["apply"], late)).code === 0;
    });
    const [name = ""] = named(corner, "p");
    const { code, stderr } = await kubectl.attempt(["delete", "spiderippool", name]);
    assert.notEqual(code, 0, "a pool in use stays");
    assert.match(
      stderr,
      new RegExp(
        `denied the request: Cannot delete SpiderIPPool "${name}": in use are "[^"]+" of pod ` +
          `"silence/[^"]+" \\(NIC "net1"\\), .*; delete these first, or write ` +
          `"enableValidatingResourcesDeletedWebhook: false" into the ConfigMap ` +
          `"spiderpool-conf" and restart the controller`,
      ),
    );
    const ended = named(corner, "stopped").concat(named(corner, "gone"));
    const wait = ["--for=delete", `--timeout=${LIMIT}`];
    await kubectl.run("wait", "spiderippool", ...ended, ...wait);
  },
};
