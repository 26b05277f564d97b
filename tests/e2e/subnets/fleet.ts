/** Applications of a kind that nobody here knows: a small controller of this test's own. */
import assert from "node:assert/strict";
import { type Corner, namespaceOf, pod, type Scenario } from "../ipam/corner.ts";
import { LIMIT } from "../ipam/installation.ts";
import { eventually, podsOf } from "../ipam/observed.ts";
import { assertLent, lent, poolsFor, untilSize } from "./ground.ts";

const GROUP = "example.com";
const API_VERSION = `${GROUP}/v1`;

/** A kind whose objects say how many pods they want, also by `scale`. */
const DEFINITION = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `fleets.${GROUP}` },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: { kind: "Fleet", plural: "fleets", singular: "fleet" },
    versions: [{
      name: "v1",
      served: true,
      storage: true,
      schema: {
        openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
      subresources: {
        status: {},
        scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" },
      },
    }],
  },
};

/** What `manifests/rbac/README.md` asks of whoever brings a kind. */
const ROLE = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: {
    name: "spiderpool-controller-fleets",
    labels: { "spiderpool.spidernet.io/aggregate-to-applications": "true" },
  },
  rules: [{ apiGroups: [GROUP], resources: ["fleets", "fleets/scale"], verbs: ["get"] }],
};

/** Does once what the Fleet's controller does: makes the pods that are missing, deletes others. */
async function reconcile(corner: Corner, name: string): Promise<void> {
  const { site: { kubectl }, name: namespace } = corner;
  const fleet: {
    readonly metadata: { readonly uid: string };
    readonly spec: { readonly replicas: number; readonly number?: string };
  } = JSON.parse(await kubectl.run("get", "fleet", name, "-n", namespace, "-o", "json"));
  const { replicas, number } = fleet.spec;
  const wanted = Array.from({ length: replicas }, (_, at) => `${name}-${at}`);
  const there = (await podsOf(corner, name)).map((one) => one.name);
  const owner = { apiVersion: API_VERSION, kind: "Fleet", name, uid: fleet.metadata.uid };
  const missing = wanted.filter((one) => !there.includes(one)).map((one) => {
    const wish = number === undefined ? {} : { number };
    const made = pod(corner, one, lent(corner, wish)) as {
      readonly metadata: Readonly<Record<string, unknown>>;
    };
    const ownerReferences = [{ ...owner, controller: true }];
    return { ...made, metadata: { ...made.metadata, labels: { app: name }, ownerReferences } };
  });
  if (missing.length > 0) await kubectl.apply(...missing);
  const over = there.filter((one) => !wanted.includes(one));
  if (over.length > 0) await kubectl.run("delete", "pods", "-n", namespace, ...over);
  const ready = ["--for=condition=Ready", `--timeout=${LIMIT}`];
  await kubectl.run("wait", "pods", "-n", namespace, ...ready, ...wanted);
}

function fleet(corner: Corner, name: string, spec: object): unknown {
  return {
    apiVersion: API_VERSION,
    kind: "Fleet",
    metadata: { name, namespace: corner.name },
    spec,
  };
}

/** Pods of a third party's controller. */
export const FLEET: Scenario = {
  name: "fleet",
  promise: "applications of a kind of their own have pools too, counted by their scale",
  objects: (corner) => [namespaceOf(corner)],
  check: async (corner) => {
    const { kubectl } = corner.site;
    await kubectl.apply(DEFINITION, ROLE);
    const established = ["--for=condition=Established", `--timeout=${LIMIT}`];
    await kubectl.run("wait", `crd/fleets.${GROUP}`, ...established);
    await kubectl.apply(
      fleet(corner, "fixed", { replicas: 2, number: "3" }),
      fleet(corner, "counted", { replicas: 2, number: "+1" }),
    );
    await Promise.all(["fixed", "counted"].map((name) => reconcile(corner, name)));
    for (const application of ["fixed", "counted"]) {
      await assertLent(corner, await podsOf(corner, application), { application });
      await untilSize(corner, application, 3);
    }
    await kubectl.run("scale", "-n", corner.name, "fleet/counted", "--replicas=4");
    await reconcile(corner, "counted");
    const pods = await podsOf(corner, "counted");
    assert.equal(pods.length, 4);
    await assertLent(corner, pods, { application: "counted" });
    await kubectl.run("delete", "-n", corner.name, "fleet", "--all", `--timeout=${LIMIT}`);
    await kubectl.run("delete", "pods", "-n", corner.name, "--all", `--timeout=${LIMIT}`);
    await eventually("the pools of both to be gone", async () => {
      const left = await Promise.all(["fixed", "counted"].map((one) => poolsFor(corner, one)));
      return left.flat().length === 0;
    });
  },
};
