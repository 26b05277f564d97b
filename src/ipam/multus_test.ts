import assert from "node:assert/strict";
import { podOf } from "../../tests/support/decision_objects.ts";
import {
  furtherNetworks,
  isFirstNic,
  networkOf,
  type NicPlace,
  qualifiedNetwork,
} from "./multus.ts";

const DEFAULT = "v1.multus-cni.io/default-network";
const NETWORKS = "k8s.v1.cni.cncf.io/networks";

function network(
  place: NicPlace,
  annotations: Record<string, string>,
  clusterNetwork = "",
): string {
  const settings = { agentNamespace: "spiderpool", clusterNetwork };
  const found = networkOf(place, { pod: podOf({ metadata: { annotations } }), settings });
  return found.kind === "known" ? found.network : `? ${found.reason}`;
}

Deno.test("networkOf() reads the first NIC's network from annotation, else settings", () => {
  const eth0 = { nic: "eth0" };
  assert.equal(network(eth0, { [DEFAULT]: "kube-system/a" }, "x/y"), "kube-system/a");
  assert.equal(network(eth0, { [DEFAULT]: "a" }), "spiderpool/a");
  assert.equal(network(eth0, { [DEFAULT]: '[{"name":"a","namespace":"n"}]' }), "n/a");
  assert.equal(network(eth0, {}, "x/y"), "x/y");
  assert.equal(network(eth0, { [DEFAULT]: " " }, "y"), "spiderpool/y");
  assert.equal(network({ nic: "eth0", position: 0 }, { [NETWORKS]: "b" }, "x/y"), "x/y");
  assert.equal(
    network(eth0, {}),
    `? the pod has no annotation "${DEFAULT}" and the agent no MULTUS_CLUSTER_NETWORK`,
  );
  assert.match(network(eth0, { [DEFAULT]: "a/b/c" }, "x/y"), /^\? Cannot use .*default-network/);
});

Deno.test("networkOf() finds further NICs by name and by position", () => {
  const annotations = { [NETWORKS]: "a, other/b@eth1" };
  assert.equal(network({ nic: "net1" }, annotations), "default/a");
  assert.equal(network({ nic: "eth1" }, annotations), "other/b");
  assert.match(network({ nic: "net2" }, annotations), /^\? annotation .*networks" has no network/);
  assert.equal(network({ nic: "eth1", position: 2 }, annotations), "other/b");
  assert.match(network({ nic: "#3", position: 3 }, annotations), /has no network for it$/);
  assert.match(network({ nic: "net1" }, {}), /has no network for it$/);
  assert.match(network({ nic: "net1" }, { [NETWORKS]: "[" }), /^\? Cannot use annotation/);
});

Deno.test("furtherNetworks() takes an empty annotation for none", () => {
  const pod = podOf({ metadata: { annotations: { [NETWORKS]: "" } } });
  assert.deepEqual(furtherNetworks(pod), { ok: true, value: [] });
});

Deno.test("isFirstNic() goes by position where there is one", () => {
  assert.deepEqual(
    [{ nic: "eth0" }, { nic: "eth0", position: 1 }, { nic: "net1" }, { nic: "x", position: 0 }]
      .map(isFirstNic),
    [true, false, false, true],
  );
});

Deno.test("qualifiedNetwork() puts bare names into Spiderpool's namespace", () => {
  assert.equal(qualifiedNetwork("a", { agentNamespace: "s" }), "s/a");
  assert.equal(qualifiedNetwork("n/a", { agentNamespace: "s" }), "n/a");
});
