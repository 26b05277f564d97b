/** `manifests/overlays`: what each changes, and that our own webhooks take its networks. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import { CONFIG_MAP_FILE_KEY, readConfig } from "../../src/api/config_map.ts";
import { isRecord } from "../../src/api/decode.ts";
import { expectOk } from "../../src/base/result.ts";
import { readList } from "../../scripts/install_manifest.ts";
import { ADMISSION_SETTINGS, faultsFor } from "../support/admission_judge.ts";
import { objectsIn } from "../support/manifest_objects.ts";

const FOLDER = "manifests/overlays";

async function overlays(): Promise<readonly string[]> {
  const entries = await Array.fromAsync(Deno.readDir(FOLDER));
  return entries.filter(({ isDirectory }) => isDirectory).map(({ name }) => name).toSorted();
}

async function configOf(file: string): Promise<Readonly<Record<string, unknown>>> {
  const [object] = objectsIn(await Deno.readTextFile(file));
  const document: unknown = parse(object?.data?.[CONFIG_MAP_FILE_KEY] ?? "");
  assert.ok(isRecord(document));
  assert.deepEqual(expectOk(readConfig(document), file).unknown, []);
  return document;
}

Deno.test("each overlay is the base and something, and its README lists it", async () => {
  const readme = await Deno.readTextFile(`${FOLDER}/README.md`);
  const names = await overlays();
  assert.ok(names.length >= 8);
  for (const name of names) {
    const list: unknown = parse(await Deno.readTextFile(`${FOLDER}/${name}/kustomization.yaml`));
    assert.ok(isRecord(list));
    assert.deepEqual(list.resources, ["../../base"], name);
    assert.match(readme, new RegExp(`^\\| \`${name}\` `, "m"), `README.md lacks ${name}`);
  }
});

Deno.test("the webhooks refuse no object of an overlay's networks", async () => {
  for (const name of await overlays()) {
    const folder = `${FOLDER}/${name}/networks`;
    const place = `${name}/networks/kustomization.yaml`;
    const files = readList(await Deno.readTextFile(`${FOLDER}/${place}`), { place });
    const texts = await Promise.all(files.map((file) => Deno.readTextFile(`${folder}/${file}`)));
    const objects = texts.flatMap(objectsIn);
    const kinds = new Set(objects.map(({ kind }) => kind));
    assert.deepEqual(kinds.size, 3, `${name} has a coordinator, a network and pools`);
    for (const object of objects) {
      const raw = JSON.parse(JSON.stringify(object));
      const faults = faultsFor({ object: raw, settings: ADMISSION_SETTINGS });
      assert.deepEqual(faults, [], `${name}: ${object.metadata.name}`);
    }
    const networks = objects.filter(({ kind }) => kind === "SpiderMultusConfig")
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    for (const { spec } of objects) {
      for (const network of spec?.multusName ?? []) assert.ok(networks.includes(network), network);
    }
  }
});

Deno.test("in a public cloud no address leaves its node; all else is as in the base", async () => {
  const base = await configOf("manifests/deploy/config.yaml");
  const cloud = await configOf(`${FOLDER}/cloud/config.yaml`);
  assert.deepEqual(cloud, {
    ...base,
    enableStatefulSet: false,
    enableKubevirtStaticIP: false,
    enableAutoPoolForApplication: false,
  });
});
