/** What is applied beside `manifests/install.yaml`; and what the Job of manifests/init says. */
import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { AGENT_IMAGE } from "../../scripts/build/agent_image.ts";
import { isRecord } from "../../src/api/decode.ts";
import { INIT_VARIABLES, POLICY_ROUTES } from "../../src/api/environment_init.ts";
import { expectOk } from "../../src/base/result.ts";
import { readWish } from "../../src/init/wish.ts";
import {
  type ManifestContainer,
  type ManifestPod,
  objectsIn,
} from "../support/manifest_objects.ts";

const BESIDE = [
  "manifests/init/init.yaml",
  "manifests/multus/multus.yaml",
  "manifests/uninstall/cluster.yaml",
  "manifests/uninstall/nodes.yaml",
  "manifests/give_back/give_back.yaml",
];

function containersOf(pod: ManifestPod): readonly ManifestContainer[] {
  return [...pod.initContainers ?? [], ...pod.containers];
}

function at(value: unknown, path: readonly (string | number)[]): unknown {
  return path.reduce((inner: unknown, key) => {
    if (Array.isArray(inner)) return inner[Number(key)];
    return isRecord(inner) ? inner[key] : undefined;
  }, value);
}

const DOCUMENTS = parseAllDocuments(await Deno.readTextFile("manifests/init/init.yaml"));
const JOB: unknown = DOCUMENTS.map((document) => document.toJS()).find(({ kind }) =>
  kind === "Job"
);
const CONTAINER = at(JOB, ["spec", "template", "spec", "containers", 0]);

Deno.test("the Job asks for a coordinator and a network, and every variable is read", async () => {
  const known = new Set([POLICY_ROUTES, ...Object.values(INIT_VARIABLES).map(({ name }) => name)]);
  const environment: Record<string, string> = {};
  const variables = at(CONTAINER, ["env"]);
  assert.ok(Array.isArray(variables));
  for (const { name, value = "of the pod" } of variables) {
    assert.ok(known.has(name), `${name} is read by nobody`);
    environment[name] = value;
  }
  const files = { listFiles: () => Promise.resolve([]), readText: () => Promise.resolve("") };
  const { objects, controllerName } = expectOk(
    await readWish(environment, { files }),
    "it is read",
  );
  assert.deepEqual(objects.map(({ resource, key }) => [resource.kind, key.name]), [
    ["SpiderCoordinator", "default"],
    ["SpiderMultusConfig", "default"],
  ]);
  const webhooks = await Deno.readTextFile("manifests/webhooks/webhooks.yaml");
  assert.match(webhooks, new RegExp(`kind: Service\\nmetadata:\\n  name: ${controllerName}\\n`));
});

Deno.test("what is applied beside install.yaml runs its image, with few rights", async () => {
  for (const file of BESIDE) {
    const objects = objectsIn(await Deno.readTextFile(file));
    const pods = objects.flatMap(({ spec }) => spec?.template?.spec ?? []);
    for (const pod of pods) {
      for (const { name, image, securityContext = {} } of containersOf(pod)) {
        if (image.startsWith("spiderpool.local/")) assert.equal(image, AGENT_IMAGE, name);
        assert.match(image, /:v?\d[^:]*$/, `${name} of ${file} runs ${image}`);
        assert.notEqual(securityContext.privileged, true, name);
        assert.equal(securityContext.readOnlyRootFilesystem, true, name);
        assert.deepEqual(securityContext.capabilities?.drop, ["ALL"], name);
      }
    }
  }
});
