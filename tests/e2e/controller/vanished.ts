/** SpiderIPs that people delete. */
import assert from "node:assert/strict";
import { ask, deployment, namespaceOf, pools, type Scenario } from "../ipam/corner.ts";
import { addressesInUse, eventually, podsOf, rolledOut } from "../ipam/observed.ts";

const POLICY = "manifests/rbac/spider_ip_deletion.yaml";

/** Nobody frees an address under a pod by mistake. */
export const VANISHED: Scenario = {
  name: "vanished",
  promise: "a SpiderIP of a living pod cannot be deleted, and comes back where it could be",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: 3 }),
    deployment(corner, "web", { replicas: 1, ippool: ask(corner, "p") }),
  ],
  check: async (corner) => {
    const { kubectl } = corner.site;
    await rolledOut(corner, "deployment/web");
    const [pod] = await podsOf(corner, "web");
    const addresses = pod?.nics.get("net1") ?? [];
    const all = JSON.parse(await kubectl.run("get", "spiderips", "-o", "json")).items as {
      readonly metadata: { readonly name: string };
      readonly spec: { readonly ip: string };
    }[];
    const names = all.filter(({ spec }) => addresses.includes(spec.ip)).map(({ metadata }) =>
      metadata.name
    );
    assert.equal(names.length, corner.site.versions.length);
    const refused = kubectl.run("delete", "spiderip", ...names);
    await assert.rejects(refused, /a pod may be using .*force-release=true/s);

    await kubectl.run("delete", "-f", POLICY);
    await eventually("the SpiderIPs to be deleted", async () => {
      // The server forgets a policy a moment after it is gone.
      return await kubectl.run("delete", "spiderip", ...names).then(() => true, () => false);
    });
    await kubectl.run("apply", "-f", POLICY);
    await eventually("the SpiderIPs to be there again", async () => {
      const inUse = await addressesInUse(corner.site);
      return addresses.every((address) => inUse.get(address)?.podUID === pod?.uid);
    });
    const events = await kubectl.run("get", "events", "-n", corner.name);
    assert.match(events, /AddressRestored/);
    assert.deepEqual((await podsOf(corner, "web"))[0], pod, "the pod noticed nothing");
  },
};
