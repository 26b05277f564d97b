/** Pods and ClusterIPs: requests go by the node, and so do the replies. */
import assert from "node:assert/strict";
import { testWith } from "../support/require.ts";
import { Fixture, type Pod } from "./coordinator/fixture.ts";
import { NEEDS as needs } from "./coordinator/needs.ts";
import { assertCarrier, connect, ping } from "./coordinator/packets.ts";
import { CLUSTER_IP, serve } from "./coordinator/service.ts";

const VERSIONS = [4, 6] as const;

/** A pod of the overlay network alone, which nobody coordinates. */
async function overlayPod(fixture: Fixture, last: number): Promise<Pod> {
  const pod = await fixture.pod();
  await fixture.addOverlayNic(pod, { last });
  return pod;
}

function addressOf({ nics }: Pod, nic: string, version: 4 | 6): string {
  const address = nics.get(nic)?.find((one) => one.includes(":") === (version === 6));
  assert(address !== undefined);
  return address.replace(/\/.*/, "");
}

testWith({
  name: "coordinator: an underlay pod reaches a ClusterIP whose backend is an overlay pod",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const backend = await overlayPod(fixture, 9);
    const pod = await fixture.podWith({ eth0: { last: 5 }, net1: { last: 6, metric: 2_001 } });
    await fixture.addAll(pod);
    for (const version of VERSIONS) {
      const address = CLUSTER_IP[version];
      const to = backend.namespace;
      for (const isMasqueraded of [false, true]) {
        await serve(fixture.node, {
          ...{ version, backend: addressOf(backend, "eth0", version), isMasqueraded },
        });
        await assertCarrier(pod.namespace, "veth0", async () => {
          const { client } = await connect({ from: pod.namespace, address, to });
          if (!isMasqueraded) assert.equal(client, addressOf(pod, "eth0", version));
        });
      }
      // A program that speaks from the second NIC's address reaches it as well.
      await assertCarrier(
        pod.namespace,
        "veth0",
        () => ping(pod.namespace, address, { from: addressOf(pod, "net1", version) }),
      );
    }
  },
});

testWith({
  name: "coordinator: an underlay pod reaches a ClusterIP whose backend is another underlay pod",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const backend = await fixture.podWith({ eth0: { last: 7 } });
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    await fixture.add(backend, "eth0");
    await fixture.add(pod, "eth0");
    for (const version of VERSIONS) {
      await serve(fixture.node, { version, backend: addressOf(backend, "eth0", version) });
      const [address, to] = [CLUSTER_IP[version], backend.namespace];
      // Both are in one network: the backend has a shorter way back, and must not take it.
      await assertCarrier(pod.namespace, "veth0", () =>
        assertCarrier(to, "veth0", async () => {
          const { client } = await connect({ from: pod.namespace, address, to });
          assert.equal(client, addressOf(pod, "eth0", version));
        }));
    }
  },
});

testWith({
  name: "coordinator: an underlay pod reaches a ClusterIP whose backend it is itself",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const pod = await fixture.podWith({ eth0: { last: 5 } });
    await fixture.add(pod, "eth0");
    for (const version of VERSIONS) {
      const backend = addressOf(pod, "eth0", version);
      await serve(fixture.node, { version, backend, isMasqueraded: true });
      const { namespace: from } = pod;
      await assertCarrier(from, "veth0", async () => {
        await connect({ from, address: CLUSTER_IP[version], to: from });
      });
    }
  },
});

testWith({
  name: "coordinator: overlay pods and the node reach a ClusterIP whose backend is an underlay pod",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const client = await overlayPod(fixture, 9);
    const backend = await fixture.podWith({ eth0: { last: 5 }, net1: { last: 6, metric: 2_001 } });
    await fixture.addAll(backend);
    for (const version of VERSIONS) {
      for (const nic of ["eth0", "net1"]) {
        await serve(fixture.node, { version, backend: addressOf(backend, nic, version) });
        const [address, to] = [CLUSTER_IP[version], backend.namespace];
        await assertCarrier(to, "veth0", async () => {
          const seen = await connect({ from: client.namespace, address, to });
          assert.equal(seen.client, addressOf(client, "eth0", version));
        });
        await assertCarrier(to, "veth0", async () => {
          await connect({ from: fixture.node, address, to });
        });
      }
    }
  },
});

testWith({
  name: "coordinator: a pod with an overlay NIC and two underlay NICs reaches ClusterIPs",
  needs,
  async fn() {
    await using fixture = await Fixture.open();
    const backend = await overlayPod(fixture, 9);
    const pod = await overlayPod(fixture, 5);
    for (const [index, nic] of ["net1", "net2"].entries()) {
      await fixture.addNic(pod, nic, { last: 6 + index, metric: 2_000 + index });
      await fixture.add(pod, nic);
    }
    for (const version of VERSIONS) {
      await serve(fixture.node, { version, backend: addressOf(backend, "eth0", version) });
      const [from, address] = [pod.namespace, CLUSTER_IP[version]];
      await assertCarrier(from, "eth0", async () => {
        const { client } = await connect({ from, address, to: backend.namespace });
        assert.equal(client, addressOf(pod, "eth0", version));
      });
      for (const nic of ["net1", "net2"]) {
        await assertCarrier(
          from,
          "eth0",
          () => ping(from, address, { from: addressOf(pod, nic, version) }),
        );
        // And the reverse: such a NIC is the backend.
        await serve(fixture.node, { version, backend: addressOf(pod, nic, version) });
        await assertCarrier(from, "eth0", async () => {
          await connect({ from: backend.namespace, address, to: from });
        });
        await serve(fixture.node, { version, backend: addressOf(backend, "eth0", version) });
      }
    }
  },
});
