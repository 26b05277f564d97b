/** What `manifests/install.yaml` promises whoever applies it. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { parse } from "yaml";
import { AGENT_IMAGE } from "../../scripts/build/agent_image.ts";
import { INSTALL_FILE, LISTS, MANIFESTS } from "../../scripts/install_manifest.ts";
import { isRecord } from "../../src/api/decode.ts";
import {
  identityOf,
  type InstalledObject,
  type ManifestContainer,
  type ManifestPod,
  objectsIn,
} from "../support/manifest_objects.ts";

/** `kubectl apply` keeps what it applied in an annotation; those of an object have this room. */
const ANNOTATIONS_BYTES_MAX = 262_144;

const OBJECTS = objectsIn(await Deno.readTextFile(INSTALL_FILE));

/** Pods of the installation, by the object that makes them. */
const PODS = OBJECTS.flatMap((object): readonly (readonly [InstalledObject, ManifestPod])[] => {
  const pod = object.spec?.template?.spec;
  return pod === undefined ? [] : [[object, pod]];
});

function containersOf(pod: ManifestPod): readonly ManifestContainer[] {
  return [...pod.initContainers ?? [], ...pod.containers];
}

Deno.test("install.yaml has each object once, the namespace before what is in it", () => {
  const names = OBJECTS.map(identityOf);
  assert.deepEqual(names, [...new Set(names)]);
  assert.equal(OBJECTS[0]?.kind, "Namespace");
  const home = OBJECTS[0]?.metadata.name;
  for (const { metadata: { name, namespace = home } } of OBJECTS) {
    assert.ok(namespace === home || namespace === "kube-system", `${name} is in ${namespace}`);
  }
});

Deno.test("install.yaml has no object of a kind that it defines: kubectl would not know it", () => {
  const defined = new Set(OBJECTS.flatMap(({ kind, spec }) => {
    return kind === "CustomResourceDefinition" ? [`${spec?.group}/${spec?.names?.kind}`] : [];
  }));
  assert.ok(defined.size >= 7);
  for (const { apiVersion, kind } of OBJECTS) {
    assert.ok(!defined.has(`${apiVersion.split("/")[0]}/${kind}`), `${kind} must come later`);
  }
});

Deno.test("install.yaml needs no --server-side: each object fits an annotation", () => {
  for (const object of OBJECTS) {
    const { length } = new TextEncoder().encode(JSON.stringify(object));
    assert.ok(length < ANNOTATIONS_BYTES_MAX, `${identityOf(object)} has ${length} bytes`);
  }
});

Deno.test("install.yaml leaves alone the rules that the server gathers for a role", () => {
  const gathering = OBJECTS.filter(({ aggregationRule }) => aggregationRule !== undefined);
  assert.ok(gathering.length > 0);
  for (const object of gathering) assert.ok(!("rules" in object), identityOf(object));
});

Deno.test("install.yaml runs images of a version, our own of this one", () => {
  assert.ok(PODS.length >= 2);
  for (const { name, image } of PODS.flatMap(([, pod]) => containersOf(pod))) {
    assert.match(image, /(?::v?\d[^:]*|@sha256:[0-9a-f]{64})$/, `${name} runs ${image}`);
    if (image.startsWith("spiderpool.local/")) assert.equal(image, AGENT_IMAGE, name);
  }
});

Deno.test("install.yaml gives no container more than it is known to need", () => {
  for (const [{ metadata }, pod] of PODS) {
    for (const { name, securityContext = {}, resources = {} } of containersOf(pod)) {
      const where = `${metadata.name}/${name}`;
      assert.notEqual(securityContext.privileged, true, where);
      assert.equal(securityContext.allowPrivilegeEscalation, false, where);
      assert.equal(securityContext.readOnlyRootFilesystem, true, where);
      assert.deepEqual(securityContext.capabilities?.drop, ["ALL"], where);
      assert.deepEqual(Object.keys(resources.requests ?? {}).sort(), ["cpu", "memory"], where);
      assert.ok(resources.limits?.memory !== undefined, `${where} may take all memory`);
    }
  }
});

/** Folders whose pods are somebody else's, or are in `install.yaml` changed. */
const NOT_OURS = /^(?:examples|overlays|monitoring)\//;

/** Pods of all that can be applied, by the file and the name. */
async function everyPod(): Promise<ReadonlyMap<string, ManifestPod>> {
  const pods = new Map<string, ManifestPod>();
  for await (const folder of Deno.readDir(MANIFESTS)) {
    if (!folder.isDirectory || NOT_OURS.test(`${folder.name}/`)) continue;
    for await (const { name } of Deno.readDir(`${MANIFESTS}/${folder.name}`)) {
      if (!name.endsWith(".yaml")) continue;
      const text = await Deno.readTextFile(`${MANIFESTS}/${folder.name}/${name}`);
      for (const { metadata, spec } of objectsIn(text)) {
        const pod = spec?.template?.spec;
        if (pod !== undefined) pods.set(`${folder.name}/${name}: ${metadata.name}`, pod);
      }
    }
  }
  return pods;
}

Deno.test("every list of kustomize names folders, and files of its own folder alone", async () => {
  let lists = 0;
  for await (const file of listsBelow(MANIFESTS)) {
    const folder = path.dirname(file);
    const list: unknown = parse(await Deno.readTextFile(file));
    assert.ok(isRecord(list) && Array.isArray(list.resources), file);
    for (const resource of list.resources.map(String)) {
      const { isDirectory } = await Deno.stat(path.join(folder, resource));
      const isOwn = !resource.startsWith("..");
      assert.ok(isDirectory || isOwn, `kubectl refuses ${resource} of ${file}: name its folder`);
    }
    lists++;
  }
  assert.ok(lists > 20);
});

/** What `kubectl apply -k` reads, of each folder that has it. */
async function* listsBelow(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const place = path.join(folder, name);
    if (isDirectory) yield* listsBelow(place);
    else if (LISTS.some((list) => list === name)) yield place;
  }
}

Deno.test("every pod of manifests says whether it is root: our image is not", async () => {
  const pods = await everyPod();
  assert.ok(pods.size >= 2);
  for (const [where, { securityContext, ...pod }] of pods) {
    for (const { name, ...container } of containersOf(pod)) {
      const { runAsUser, runAsNonRoot } = { ...securityContext, ...container.securityContext };
      const isSaid = runAsUser === 0 ? runAsNonRoot !== true : runAsNonRoot === true;
      assert.ok(isSaid, `${where}, ${name}: write runAsUser: 0, or runAsNonRoot: true and a user`);
    }
  }
});

Deno.test("install.yaml keeps its daemons: priority, tolerations, probes, a budget", () => {
  const daemons = PODS.filter(([{ kind }]) => kind === "DaemonSet" || kind === "Deployment");
  for (const [{ metadata }, pod] of daemons) {
    assert.equal(pod.priorityClassName, "system-node-critical", metadata.name);
    assert.deepEqual(pod.tolerations, [{ operator: "Exists" }], metadata.name);
    assert.equal(pod.serviceAccountName, metadata.name);
    const main = pod.containers.find(({ name }) => name === metadata.name);
    for (const probe of ["startupProbe", "readinessProbe", "livenessProbe"] as const) {
      assert.ok(main?.[probe] !== undefined, `${metadata.name} has no ${probe}`);
    }
  }
  for (const [{ kind, spec, metadata }] of daemons) {
    if (kind !== "Deployment") continue;
    assert.ok((spec?.replicas ?? 1) > 1, `${metadata.name} is alone`);
    const budget = OBJECTS.find((object) => object.kind === "PodDisruptionBudget");
    assert.equal(budget?.metadata.name, metadata.name);
  }
});
