/** Agents that die between the two writes of an ADD, in a pool that has no address to spare. */
import assert from "node:assert/strict";
import { ask, type Corner, deployment, namespaceOf, pools, type Scenario } from "../ipam/corner.ts";
import {
  addressesInUse,
  assertAddresses,
  eventually,
  type ObservedAddress,
  podsOf,
  rolledOut,
} from "../ipam/observed.ts";
import { killProgram } from "../ipam/storm.ts";
import { say, since } from "./said.ts";

const PODS = 4;
const WEBHOOK = "validatingwebhookconfiguration/between";

/** What an agent took and did not write down belongs to the pod's next ADD, or to nobody. */
export const BETWEEN: Scenario = {
  name: "between",
  promise: "agents that die between their two writes strand no address of a pool just large enough",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: PODS }),
    deployment(corner, "web", { replicas: 0, ippool: ask(corner, "p") }),
  ],
  check: async (corner) => {
    const { site, name: namespace } = corner;
    const { kubectl, versions } = site;
    const all = PODS * versions.length;
    let killedMs = 0;
    {
      await using _hold = await holdEndpoints(corner);
      await kubectl.run("scale", "-n", namespace, "deployment/web", `--replicas=${PODS}`);
      await eventually("every address of the pool to be taken", async () => {
        return (await takenOf(corner)).length === all;
      });
      for (const node of site.nodes) await killProgram(site, { program: "spiderpool-agent", node });
      killedMs = performance.now();
      // One of them never comes back for what was taken for it.
      const [gone] = await podsOf(corner, "web");
      const force = ["--force", "--grace-period=0"];
      await kubectl.run("delete", "-n", namespace, `pod/${gone?.name}`, ...force);
      assert.equal((await takenOf(corner)).length, all, "nobody gave an address back");
      const endpoints = await kubectl.run("get", "spiderendpoints", "-n", namespace, "-o", "name");
      assert.equal(endpoints, "", "no second write was carried out");
    }
    await rolledOut(corner, "deployment/web");
    await say(`pods of agents that died between their writes ran within ${since(killedMs)}`);
    const pods = await podsOf(corner, "web");
    assert.equal(pods.length, PODS);
    await assertAddresses(corner, pods, { nic: "net1", from: ["p"] });
    const uids = pods.flatMap(({ uid }) => versions.map(() => uid)).toSorted();
    const holders = (await takenOf(corner)).map(({ podUID }) => podUID).toSorted();
    assert.deepEqual(holders, uids, "nothing else is taken");
  },
};

/** Addresses of the corner's pools that somebody has. */
async function takenOf({ site, name }: Corner): Promise<readonly ObservedAddress[]> {
  const inUse = [...(await addressesInUse(site)).values()];
  return inUse.filter(({ pool }) => pool.startsWith(`${name}-p-`));
}

/**
 * Has the API server hold the creation of every SpiderEndpoint of the corner, by a webhook that
 * takes the connection and never says a word. Disposing it lets them through again.
 */
async function holdEndpoints({ site: { kubectl }, name }: Corner): Promise<AsyncDisposable> {
  await using undo = new AsyncDisposableStack();
  const silent = undo.use(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  await kubectl.apply({
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "between" },
    webhooks: [{
      name: "between.example.com",
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      failurePolicy: "Fail",
      timeoutSeconds: 30,
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } },
      clientConfig: { url: `https://127.0.0.1:${silent.addr.port}/` },
      rules: [{
        apiGroups: ["spiderpool.spidernet.io"],
        apiVersions: ["v2beta1"],
        operations: ["CREATE"],
        resources: ["spiderendpoints"],
      }],
    }],
  });
  undo.defer(() => kubectl.run("delete", WEBHOOK).then(() => {}));
  const file = await Deno.makeTempFile({ suffix: ".json" });
  undo.defer(() => Deno.remove(file));
  const endpoint = {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderEndpoint",
    metadata: { name: "never", namespace: name },
  };
  await Deno.writeTextFile(file, JSON.stringify(endpoint));
  const dryRun = ["create", "-f", file, "--dry-run=server", "--request-timeout=1s"];
  await eventually("the webhook to be asked", async () => {
    // The server knows of a webhook a moment after it is stored.
    return await kubectl.run(...dryRun).then(() => false, (error) => /[Tt]imeout/.test(`${error}`));
  });
  const made = undo.move();
  return { [Symbol.asyncDispose]: () => made.disposeAsync() };
}
