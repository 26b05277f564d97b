/** SpiderEndpoints that are lost, held, or left over. */
import assert from "node:assert/strict";
import {
  ask,
  type Corner,
  namespaceOf,
  pools,
  type Scenario,
  statefulSet,
} from "../ipam/corner.ts";
import { eventually, podsOf, rolledOut } from "../ipam/observed.ts";

/** What is looked at. */
interface ObservedEndpoint {
  readonly metadata: { readonly finalizers?: readonly string[] };
  readonly status: { readonly current: { readonly uid: string; readonly ips: readonly unknown[] } };
}

/** An endpoint, or `undefined` if there is none. */
async function endpointOf(corner: Corner, name: string): Promise<ObservedEndpoint | undefined> {
  const { kubectl } = corner.site;
  const asked = ["get", "spiderendpoint", "-n", corner.name, name, "--ignore-not-found"];
  const text = await kubectl.run(...asked, "-o", "json");
  return text.trim() === "" ? undefined : JSON.parse(text);
}

/** The endpoint of a StatefulSet that is gone; a leader looks for such when it begins. */
function leftOver({ name: namespace }: Corner): unknown {
  return {
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderEndpoint",
    metadata: { name: "old-0", namespace },
    status: {
      ownerControllerType: "StatefulSet",
      ownerControllerName: "old",
      current: { uid: "x", node: "x", ips: [] },
    },
  };
}

/** An endpoint is made of SpiderIPs, and can be made again. */
export const ENDPOINTS: Scenario = {
  name: "endpoints",
  promise: "endpoints of kept addresses come back, lose old finalizers, and go with their keeper",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "p", { count: 2 }),
    statefulSet(corner, "db", { replicas: 1, ippool: ask(corner, "p") }),
    leftOver(corner),
  ],
  check: async (corner) => {
    const { site: { kubectl }, name: namespace } = corner;
    await rolledOut(corner, "statefulset/db");
    const [pod] = await podsOf(corner, "db");
    const first = await endpointOf(corner, "db-0");
    assert.ok(first !== undefined, "the pod has its endpoint");
    const endpoint = ["-n", namespace, "spiderendpoint", "db-0"];

    const held = JSON.stringify({ metadata: { finalizers: ["spiderpool.spidernet.io"] } });
    await kubectl.run("patch", ...endpoint, "--type=merge", "-p", held);
    await eventually("the finalizer to go", async () => {
      return (await endpointOf(corner, "db-0"))?.metadata.finalizers === undefined;
    });

    await kubectl.run("delete", ...endpoint);
    await eventually("the endpoint to be there again", async () => {
      return await endpointOf(corner, "db-0") !== undefined;
    });
    const again = await endpointOf(corner, "db-0");
    assert.deepEqual(again?.status.current, first.status.current);

    await eventually("what an older StatefulSet left to go", async () => {
      return await endpointOf(corner, "old-0") === undefined;
    });
    await eventually("Events of both", async () => {
      const events = await kubectl.run("get", "events", "-n", namespace);
      return events.includes("EndpointRestored") && events.includes("EndpointRemoved");
    });
    assert.deepEqual(await podsOf(corner, "db"), [pod], "the pod noticed nothing");
  },
};
