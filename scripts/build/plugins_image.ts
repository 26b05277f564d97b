/**
 * The image of third parties' plugins: the agent's, whose program installs them, and they. A node
 * has the agent's layers already, so that only theirs is new.
 */
import * as path from "node:path";
import { VERSION } from "../../src/base/version.ts";
import type { TarEntry } from "../tar.ts";
import {
  type AgentImage,
  agentLayers,
  copiedEntry,
  createdAt,
  fileEntry,
  folderEntry,
  IMAGE_ENVIRONMENT,
  IMAGE_LABELS,
  IMAGE_USER,
  type ImageOptions,
  keptLayer,
  layerOf,
  namesIn,
} from "./agent_image.ts";
import { ociImage } from "./oci.ts";
import { billText } from "./sbom.ts";
import { buildThirdParty } from "./third_party.ts";

/** Name of the image unless a registry gives it another. */
export const PLUGINS_IMAGE = `spiderpool.local/spiderpool-plugins:${VERSION}`;
/** What the image says of itself. */
export const PLUGINS_LABELS: Readonly<Record<string, string>> = {
  ...IMAGE_LABELS,
  "org.opencontainers.image.title": "spiderpool-plugins",
  "org.opencontainers.image.description":
    "Multus and CNI plugins of other projects, and what puts them on a node",
};

/** Where the plugins are inside. */
export const PLUGINS_FOLDER = "usr/lib/spiderpool-plugins";
/** Where licences and the bill of materials are. */
const DOCUMENT_FOLDER = "usr/share/doc/spiderpool-plugins";

/** Builds the image of a folder of `deno task build`, and of the plugins' sources. */
export async function buildPluginsImage(
  folder: string,
  options: ImageOptions,
): Promise<AgentImage> {
  const { architecture, cache } = options;
  const agent = await agentLayers(folder, options);
  const { plugins, licences, parts } = await buildThirdParty(options);
  const bill = billText([...agent.parts, ...parts], {
    name: "spiderpool-plugins",
    architecture,
    created: createdAt(Deno.env.get("SOURCE_DATE_EPOCH")),
  });
  const entries = [
    ...await treeEntries(plugins, PLUGINS_FOLDER),
    folderEntry(DOCUMENT_FOLDER),
    ...await treeEntries(licences, `${DOCUMENT_FOLDER}/licences`),
  ];
  const said = [
    fileEntry(`${DOCUMENT_FOLDER}/sbom.spdx.json`, new TextEncoder().encode(bill)),
  ];
  const image = ociImage({
    architecture,
    // What changes with every version is last.
    layers: [
      agent.seldom,
      await keptLayer(entries, path.join(cache, "image-layers")),
      agent.often,
      await layerOf(said),
    ],
    command: ["spiderpool-agent"],
    environment: IMAGE_ENVIRONMENT,
    user: IMAGE_USER,
    labels: PLUGINS_LABELS,
  });
  return { image, bill };
}

/** A folder and all that is in it. */
async function treeEntries(folder: string, place: string): Promise<readonly TarEntry[]> {
  const entries: TarEntry[] = [folderEntry(place)];
  for (const name of await namesIn(folder)) {
    const [file, inside] = [path.join(folder, name), `${place}/${name}`];
    const { isDirectory } = await Deno.stat(file);
    if (isDirectory) entries.push(...await treeEntries(file, inside));
    else entries.push(await copiedEntry({ file, place: inside }));
  }
  return entries;
}
