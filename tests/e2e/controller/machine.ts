/** KubeVirt's machines, played by objects of its kinds and pods that belong to them. */
import assert from "node:assert/strict";
import { ask, type Corner, namespaceOf, pod, pools, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { addressesInUse, assertAddresses, eventually, podsOf } from "../ipam/observed.ts";
import { serveKind } from "./kinds.ts";

const GROUP = "kubevirt.io";
const API = { group: GROUP, version: "v1", isNamespaced: true };
const NAME = "machine";

/** Starts a pod of the machine and waits for it; the answer is its addresses. */
async function launch(corner: Corner, name: string, owner: unknown): Promise<readonly string[]> {
  const { kubectl } = corner.site;
  const made = pod(corner, name, { ippool: ask(corner, "p") }) as {
    readonly metadata: Readonly<Record<string, unknown>>;
  };
  await kubectl.apply({ ...made, metadata: { ...made.metadata, ownerReferences: [owner] } });
  const ready = ["--for=condition=Ready", `pod/${name}`, `--timeout=${LIMIT}`];
  await kubectl.run("wait", "-n", corner.name, ...ready);
  return await assertAddresses(corner, await podsOf(corner), { nic: "net1", from: ["p"] });
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
    const addresses = await launch(corner, "launcher-a", owner);

    await kubectl.run("delete", "pod", "-n", namespace, "launcher-a", `--timeout=${LIMIT}`);
    await eventually("a controller to ask whether the machine wants them", async () => {
      const asked = (await site.requests()).filter(({ user, verb, resource }) =>
        user.endsWith(":spiderpool-controller") && verb === "get" && resource === "virtualmachines"
      );
      return asked.length > 0;
    });
    const kept = await addressesInUse(site);
    assert.ok(addresses.every((address) => kept.has(address)), "the machine keeps them");
    assert.deepEqual(await launch(corner, "launcher-b", owner), addresses);

    const both = [`virtualmachine/${NAME}`, `virtualmachineinstance/${NAME}`];
    await kubectl.run("delete", "-n", namespace, ...both, `--timeout=${LIMIT}`);
    await kubectl.run("delete", "pod", "-n", namespace, "launcher-b", "--ignore-not-found");
    await eventually("its addresses to be free", async () => {
      const inUse = await addressesInUse(site);
      return addresses.every((address) => !inUse.has(address));
    });
  },
};
