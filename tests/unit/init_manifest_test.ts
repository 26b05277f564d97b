/** What is applied beside `manifests/install.yaml`; and what the Job of manifests/init says. */
import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { AGENT_IMAGE } from "../../scripts/build/agent_image.ts";
import { PLUGINS_FOLDER, PLUGINS_IMAGE } from "../../scripts/build/plugins_image.ts";
import { GO_SOURCES } from "../../scripts/build/third_party.ts";
import { wantedPlugins } from "../../src/agent/third_party/switches.ts";
import { isRecord } from "../../src/api/decode.ts";
import { PLUGIN_VARIABLES, readPluginEnvironment } from "../../src/api/environment_agent.ts";
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
        const own = image.includes("/spiderpool-plugins:") ? PLUGINS_IMAGE : AGENT_IMAGE;
        assert.equal(image, own, `${name} of ${file}`);
        assert.notEqual(securityContext.privileged, true, name);
        assert.equal(securityContext.readOnlyRootFilesystem, true, name);
        assert.deepEqual(securityContext.capabilities?.drop, ["ALL"], name);
      }
    }
  }
});

/** The container of manifests/multus that installs plugins. */
async function pluginsContainer(): Promise<unknown> {
  const documents = parseAllDocuments(await Deno.readTextFile("manifests/multus/multus.yaml"));
  const daemon: unknown = documents.map((document) => document.toJS())
    .find(({ kind }) => kind === "DaemonSet");
  return at(daemon, ["spec", "template", "spec", "initContainers", 0]);
}

Deno.test("install-plugins of Multus has every switch, and its image what they ask", async () => {
  const container = await pluginsContainer();
  const variables = at(container, ["env"]);
  assert.ok(Array.isArray(variables));
  const switches = variables.filter(({ value }) => value !== undefined);
  const all = Object.values(PLUGIN_VARIABLES).map(({ name }) => name);
  assert.deepEqual(switches.map(({ name }) => name), all);
  const written = Object.fromEntries(switches.map(({ name, value }) => [name, value]));
  const environment = expectOk(readPluginEnvironment(written), "it is read");
  const byDefault = expectOk(readPluginEnvironment({}), "it may be left out");
  assert.deepEqual(environment, byDefault, "what is written is what is meant without");
  const built = GO_SOURCES.flatMap(({ packages }) => Object.keys(packages));
  const wanted = wantedPlugins({ ...environment, standard: true }).map(({ name }) => name);
  assert.deepEqual(wanted.toSorted(), built.toSorted());
  const args = at(container, ["args"]);
  assert.deepEqual(args, ["--from", `/${PLUGINS_FOLDER}`, "--to", "/host/opt/cni/bin"]);
});

Deno.test("plugins are built in the versions that their go.mod pins", async () => {
  for (const { folder, module, version, packages } of GO_SOURCES) {
    const text = await Deno.readTextFile(`scripts/${folder}/go.mod`);
    assert.ok(text.includes(`\t${module} ${version} `), `${module} of ${folder} is ${version}`);
    for (const name of Object.values(packages)) {
      assert.ok(text.split(/\s/).includes(`${module}/${name}`), `${name} of ${folder} is a tool`);
    }
  }
});
