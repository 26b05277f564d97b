/** DELs that no agent heard: what their pods had is free again soon. */
import assert from "node:assert/strict";
import { ask, namespaceOf, pod, pools, type Scenario } from "../ipam/corner.ts";
import { type Installation, LIMIT, onNode } from "../ipam/installation.ts";
import { addressesInUse, eventually, podsOf } from "../ipam/observed.ts";
import { signalProgram } from "../ipam/storm.ts";
import { say, since } from "./said.ts";

const PODS = Array.from({ length: 10 }, (_, index) => `lost-${index}`);

/** Whether no plugin of a node is at a DEL. */
async function isWithoutDels(site: Installation, node: string): Promise<boolean> {
  const script = "grep -lz '^CNI_COMMAND=DEL' /proc/[0-9]*/environ 2>/dev/null || true";
  return (await onNode(site, node, { script })).trim() === "";
}

/** A runtime takes a DEL that nobody answered for done: a pod must be able to go. */
export const LOST_DELS: Scenario = {
  name: "lost-dels",
  promise: "addresses whose DEL no agent heard are kept until it says so, and then are free",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: PODS.length }),
    ...PODS.map((name) =>
      pod(corner, name, { ippool: ask(corner, "p"), node: corner.site.nodes[1] })
    ),
  ],
  check: async (corner) => {
    const { site, name: namespace } = corner;
    const { kubectl, nodes: [, node], versions } = site;
    const all = PODS.map((name) => `pod/${name}`);
    const ready = ["--for=condition=Ready", `--timeout=${LIMIT}`];
    await kubectl.run("wait", "-n", namespace, ...all, ...ready);
    const uids = new Set((await podsOf(corner)).map(({ uid }) => uid));
    const held = async (): Promise<readonly string[]> => {
      const inUse = [...(await addressesInUse(site)).values()];
      return inUse.filter(({ podUID }) => uids.has(podUID)).map(({ ip }) => ip);
    };

    const agent = { program: "spiderpool-agent", node };
    await signalProgram(site, { ...agent, signal: "STOP" });
    try {
      await kubectl.run("delete", "-n", namespace, ...all, `--timeout=${LIMIT}`);
      // One that still waits for an answer would be heard after all.
      await eventually("every DEL to have given up", () => isWithoutDels(site, node));
      const count = (await held()).length;
      assert.equal(count, PODS.length * versions.length, "nobody says that no sandbox is left");
    } finally {
      await signalProgram(site, { ...agent, signal: "CONT" });
    }
    const fromMs = performance.now();
    const freed: string[] = [];
    await eventually("the addresses of lost DELs to be free", async () => {
      const goneCount = PODS.length * versions.length - (await held()).length;
      while (freed.length < goneCount) freed.push(since(fromMs));
      return goneCount === PODS.length * versions.length;
    });
    const at = (share: number): string => freed[Math.ceil(share * freed.length) - 1] ?? "";
    await say(
      `addresses of ${freed.length} lost DELs were free after ${at(0.1)} (10 %), ` +
        `${at(0.5)} (half), ${at(0.9)} (90 %), ${at(1)} (all)`,
    );
    await eventually("an Event that says why", async () => {
      const events = await kubectl.run("get", "events.events.k8s.io", "-n", "default");
      return /AddressFreed.*lost-dels\/lost-0.*has no sandbox of it/.test(events);
    });
  },
};
