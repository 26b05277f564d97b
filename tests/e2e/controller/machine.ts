/** KubeVirt's machines, played by objects of its kinds and pods that belong to them. */
import assert from "node:assert/strict";
import { ask, type Corner, namespaceOf, pod, pools, type Scenario } from "../ipam/corner.ts";
import { agentsAreReady, type Installation, LIMIT } from "../ipam/installation.ts";
import { addressesInUse, assertAddresses, eventually, podsOf } from "../ipam/observed.ts";
import { serveKind } from "./kinds.ts";

const GROUP = "kubevirt.io";
const API = { group: GROUP, version: "v1", isNamespaced: true };
const NAME = "machine";

/** Starts a pod of the machine and waits for it; the answer is its addresses. */
async function launch(
  corner: Corner,
  name: string,
  { owner, annotations = {} }: {
    readonly owner: unknown;
    readonly annotations?: Readonly<Record<string, string>>;
  },
): Promise<readonly string[]> {
  const { kubectl } = corner.site;
  const made = pod(corner, name, { ippool: ask(corner, "p"), annotations }) as {
    readonly metadata: Readonly<Record<string, unknown>>;
  };
  await kubectl.apply({ ...made, metadata: { ...made.metadata, ownerReferences: [owner] } });
  const ready = ["--for=condition=Ready", `pod/${name}`, `--timeout=${LIMIT}`];
  await kubectl.run("wait", "-n", corner.name, ...ready);
  return await assertAddresses(corner, await podsOf(corner, name), { nic: "net1", from: ["p"] });
}

/** Makes the machine and what runs it. @returns The owner that its pods name. */
async function makeMachine({ site: { kubectl }, name: namespace }: Corner): Promise<unknown> {
  const apiVersion = `${GROUP}/v1`;
  const metadata = { name: NAME, namespace };
  await kubectl.apply({ apiVersion, kind: "VirtualMachine", metadata });
  const kind = "VirtualMachineInstance";
  await kubectl.apply({ apiVersion, kind, metadata, status: { phase: "Running" } });
  const path = ["get", "virtualmachineinstance", "-n", namespace, NAME];
  const uid = await kubectl.run(...path, "-o", "jsonpath={.metadata.uid}");
  return { apiVersion, kind, name: NAME, uid, controller: true };
}

/** The machine's addresses are its own, not its pods'. */
export const MACHINE: Scenario = {
  name: "machine",
  promise: "a virtual machine keeps its addresses while its pods come and go, and no longer",
  objects: (corner) => [namespaceOf(corner), ...pools(corner, "p", { count: 5 })],
  check: async (corner) => {
    const { site, name: namespace } = corner;
    const { kubectl } = site;
    await using _machines = await serveKind(kubectl, { ...API, kind: "VirtualMachine" });
    await using _instances = await serveKind(kubectl, { ...API, kind: "VirtualMachineInstance" });
    const owner = await makeMachine(corner);
    const addresses = await launch(corner, "launcher-a", { owner });

    await kubectl.run("delete", "pod", "-n", namespace, "launcher-a", `--timeout=${LIMIT}`);
    await eventually("a controller to ask whether the machine wants them", async () => {
      const asked = (await site.requests()).filter(({ user, verb, resource }) =>
        user.endsWith(":spiderpool-controller") && verb === "get" && resource === "virtualmachines"
      );
      return asked.length > 0;
    });
    const kept = await addressesInUse(site);
    assert.ok(addresses.every((address) => kept.has(address)), "the machine keeps them");
    assert.deepEqual(await launch(corner, "launcher-b", { owner }), addresses);

    await endMachine(corner, addresses);
  },
};

/** Deletes the machine and its pods, and waits until its addresses are free. */
async function endMachine(
  { site, name: namespace }: Corner,
  addresses: readonly string[],
): Promise<void> {
  const both = [`virtualmachine/${NAME}`, `virtualmachineinstance/${NAME}`];
  await site.kubectl.run("delete", "-n", namespace, ...both, `--timeout=${LIMIT}`);
  await site.kubectl.run("delete", "pod", "-n", namespace, "--all");
  await eventually("its addresses to be free", async () => {
    const inUse = await addressesInUse(site);
    return addresses.every((address) => !inUse.has(address));
  });
}

/** Has addresses probed on the wire before a pod uses them, or not; agents are told. */
async function setProbing({ kubectl }: Installation, isOn: boolean): Promise<void> {
  const namespace = ["-n", "spiderpool"];
  const map = ["configmap", "spiderpool-conf", ...namespace];
  const { data } = JSON.parse(await kubectl.run("get", ...map, "-o", "json"));
  const text: string = data["conf.yml"];
  const setting = "enableIPConflictDetection";
  const changed = text.replace(`${setting}: ${!isOn}`, `${setting}: ${isOn}`);
  assert.notEqual(changed, text, "the shipped configuration has it");
  const patch = JSON.stringify({ data: { "conf.yml": changed } });
  await kubectl.run("patch", ...map, "--type=merge", "-p", patch);
  await kubectl.run("rollout", "restart", ...namespace, "daemonset/spiderpool-agent");
  await agentsAreReady(kubectl);
}

/** Two pods of one machine have its addresses while it moves from one to the other. */
export const MOVE: Scenario = {
  name: "move",
  promise: "a machine that moves has its addresses at once where it goes, although all are probed",
  objects: (corner) => [namespaceOf(corner), ...pools(corner, "p", { count: 5 })],
  check: async (corner) => {
    const { site, name: namespace } = corner;
    const { kubectl } = site;
    await using _machines = await serveKind(kubectl, { ...API, kind: "VirtualMachine" });
    await using _instances = await serveKind(kubectl, { ...API, kind: "VirtualMachineInstance" });
    const kind = "VirtualMachineInstanceMigration";
    await using _moves = await serveKind(kubectl, { ...API, kind });
    await setProbing(site, true);
    try {
      const owner = await makeMachine(corner);
      const addresses = await launch(corner, "launcher-a", { owner });
      const metadata = { name: "move", namespace };
      await kubectl.apply({ apiVersion: `${GROUP}/v1`, kind, metadata });
      const annotations = { "kubevirt.io/migrationJobName": "move" };
      assert.deepEqual(await launch(corner, "launcher-b", { owner, annotations }), addresses);
      await endMachine(corner, addresses);
    } finally {
      await setProbing(site, false);
    }
  },
};
