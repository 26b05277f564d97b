/** The image of the agent and the controller: every program, and the little of Linux they need. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { gzip } from "node:zlib";
import { promisify } from "node:util";
import { VERSION } from "../../src/base/version.ts";
import { type TarEntry, writeTar } from "../tar.ts";
import { fetchDeno } from "../vm/deno_binary.ts";
import type { Architecture } from "./arguments.ts";
import { RUNTIME_FOLDER } from "./launcher.ts";
import { digestOf, type Layer, type OciImage, ociImage } from "./oci.ts";
import { billText, npmParts, type Part } from "./sbom.ts";
import { systemFiles } from "./system_files.ts";

/** Name of the image unless a registry gives it another. */
export const AGENT_IMAGE = `spiderpool.local/spiderpool-agent:${VERSION}`;
/** What the image says of itself. */
export const IMAGE_LABELS: Readonly<Record<string, string>> = {
  "org.opencontainers.image.title": "spiderpool-agent",
  "org.opencontainers.image.description":
    "Agent, controller and CNI plugins of Spiderpool on Deno: underlay addresses for pods",
  "org.opencontainers.image.version": VERSION,
  "org.opencontainers.image.licenses": "Apache-2.0",
};
/**
 * Who runs in it unless the pod says otherwise: nobody in particular. The agent's pod says root,
 * for it writes plugins, sysctls and a socket that belong to the node's root.
 */
export const IMAGE_USER = "65532:65532";

/** Where the programs are inside. */
const PROGRAM_FOLDER = "usr/lib/spiderpool";
/** Where licences and the bill of materials are. */
const DOCUMENT_FOLDER = "usr/share/doc/spiderpool";
const ROOT = path.resolve(import.meta.dirname ?? ".", "../..");

/** Where a program looks for others. */
export const IMAGE_ENVIRONMENT: readonly string[] = [
  `PATH=/${PROGRAM_FOLDER}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`,
];

/** What an image is built with. */
export interface ImageOptions {
  readonly architecture: Architecture;
  /** Folder for downloads, and for layers that took seconds to compress. */
  readonly cache: string;
  readonly say: (text: string) => void;
}

/** The layers that every image of ours has. */
export interface AgentLayers {
  /** Runtime, shell and libraries: a node with an older version has it already. */
  readonly seldom: Layer;
  /** Programs. */
  readonly often: Layer;
  readonly parts: readonly Part[];
  readonly bill: string;
}

/** An image and what is in it. */
export interface AgentImage {
  readonly image: OciImage;
  /** Its bill of materials, SPDX as JSON; the image holds it too. */
  readonly bill: string;
}

/** Builds the image of a folder of `deno task build`. */
export async function buildAgentImage(
  folder: string,
  options: ImageOptions,
): Promise<AgentImage> {
  const { seldom, often, bill } = await agentLayers(folder, options);
  const image = ociImage({
    architecture: options.architecture,
    layers: [seldom, often],
    command: ["spiderpool-agent"],
    environment: IMAGE_ENVIRONMENT,
    user: IMAGE_USER,
    labels: IMAGE_LABELS,
  });
  return { image, bill };
}

/**
 * Builds the layers of a folder of `deno task build`. Launchers are shell scripts, so there is a
 * shell. What seldom changes is a layer of its own.
 *
 * @param folder `dist/<architecture>`, in either layout.
 */
export async function agentLayers(folder: string, options: ImageOptions): Promise<AgentLayers> {
  const { architecture, cache } = options;
  const deno = path.join(folder, RUNTIME_FOLDER, "deno");
  const program = existsSync(deno) ? deno : path.join(folder, "spiderpool-agent");
  const system = await systemFiles([program], options);
  const runtime = await denoPart(options);
  const parts = [runtime, ...system.parts, ...await npmParts(ROOT)];
  const bill = billText(parts, {
    name: "spiderpool-agent",
    architecture,
    created: createdAt(Deno.env.get("SOURCE_DATE_EPOCH")),
  });
  const { seldom, often } = await programEntries(folder);
  const folders = ["usr/lib", PROGRAM_FOLDER, "usr/share", "usr/share/doc", DOCUMENT_FOLDER];
  const base: readonly TarEntry[] = [
    ...system.entries,
    // Tries the plugins on the node before it installs them.
    { kind: "symlink", path: "bin/chroot", target: "busybox" },
    ...folders.map(folderEntry),
    ...seldom,
  ];
  const own = [
    ...often,
    fileEntry(`${DOCUMENT_FOLDER}/copyright`, await Deno.readFile(path.join(ROOT, "LICENSE"))),
    fileEntry(`${DOCUMENT_FOLDER}/sbom.spdx.json`, new TextEncoder().encode(bill)),
  ];
  const kept = await keptLayer(base, path.join(cache, "image-layers"));
  return { seldom: kept, often: await layerOf(own), parts, bill };
}

/** Seconds since 1970 as SPDX writes a time; without any, the same for every build. */
export function createdAt(seconds: string | undefined): string {
  const time = Number(seconds ?? "0");
  return new Date(time * 1_000).toISOString().replace(/\.\d+Z$/, "Z");
}

async function denoPart({ architecture, cache, say }: ImageOptions): Promise<Part> {
  const { version } = await fetchDeno(path.join(cache, "deno", architecture), {
    architecture,
    say,
  });
  return { name: "deno", version, url: `pkg:github/denoland/deno@v${version}`, licence: "MIT" };
}

/** All files of the build, by how often they change; names of one file stay names of one file. */
async function programEntries(
  folder: string,
): Promise<{ readonly seldom: readonly TarEntry[]; readonly often: readonly TarEntry[] }> {
  const seldom: TarEntry[] = [];
  const often: TarEntry[] = [];
  const placeOf = new Map<string, string>();
  for (const name of await namesIn(folder)) {
    const file = path.join(folder, name);
    const facts = await Deno.stat(file);
    const place = `${PROGRAM_FOLDER}/${name}`;
    const target = placeOf.get(`${facts.dev}:${facts.ino}`);
    if (facts.isDirectory) {
      seldom.push(folderEntry(place));
      for (const inner of await namesIn(file)) {
        const entry = await copiedEntry({
          file: path.join(file, inner),
          place: `${place}/${inner}`,
        });
        (inner === "deno" ? seldom : often).push(entry);
      }
    } else if (target === undefined) {
      placeOf.set(`${facts.dev}:${facts.ino}`, place);
      often.push(await copiedEntry({ file, place }));
    } else often.push({ kind: "hardlink", path: place, target });
  }
  return { seldom, often };
}

/** A file with the permissions that everybody may have, whatever those of the builder are. */
export async function copiedEntry(
  { file, place }: { readonly file: string; readonly place: string },
): Promise<TarEntry> {
  const { mode } = await Deno.stat(file);
  const isProgram = ((mode ?? 0) & 0o100) !== 0;
  return { ...fileEntry(place, await Deno.readFile(file)), mode: isProgram ? 0o755 : 0o644 };
}

/** A file that everybody reads. */
export function fileEntry(place: string, bytes: Uint8Array): TarEntry & { readonly kind: "file" } {
  return { kind: "file", path: place, mode: 0o644, bytes };
}

/** A folder that everybody reads. */
export function folderEntry(place: string): TarEntry {
  return { kind: "folder", path: `${place}/`, mode: 0o755 };
}

/** Names in a folder, in an order that is always the same. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).toSorted();
}

/** A layer of files. */
export async function layerOf(entries: readonly TarEntry[]): Promise<Layer> {
  const tar = writeTar(entries);
  return { compressed: await compressed(tar), diffId: digestOf(tar) };
}

/** A layer whose compressed bytes are kept in a folder: those of the runtime take ten seconds. */
export async function keptLayer(entries: readonly TarEntry[], folder: string): Promise<Layer> {
  const tar = writeTar(entries);
  const diffId = digestOf(tar);
  const file = path.join(folder, `${diffId.slice("sha256:".length)}.tar.gz`);
  const known = await Deno.readFile(file).catch(() => undefined);
  if (known !== undefined) return { compressed: known, diffId };
  const bytes = await compressed(tar);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(`${file}.part-${Deno.pid}`, bytes);
  await Deno.rename(`${file}.part-${Deno.pid}`, file);
  return { compressed: bytes, diffId };
}

/** gzip without a time or a name in its head. */
async function compressed(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await promisify(gzip)(bytes));
}
