/**
 * Builds the programs and an image that `manifests` runs, without Docker:
 *
 *   image.ts [--plugins] [--arch amd64|arm64|all] [--out FILE.tar]
 *
 * With `--plugins` it is the image of Multus and third parties' plugins, which takes Go.
 * The archive is an OCI image layout. `ctr images import`, `kind load image-archive`, `skopeo copy
 * oci-archive:FILE.tar`, `deno task cluster load` take it, and with one architecture `docker load`.
 * Without `--out` it is `dist/spiderpool-agent-<arch>.tar`, or `spiderpool-plugins-<arch>.tar`,
 * with a bill of materials for each architecture and checksums beside it.
 *
 * Exits with 2 for a bad argument.
 */
import * as path from "node:path";
import { errorText } from "../src/base/log.ts";
import {
  AGENT_IMAGE,
  type AgentImage,
  buildAgentImage,
  IMAGE_LABELS,
  type ImageOptions,
} from "./build/agent_image.ts";
import type { Architecture } from "./build/arguments.ts";
import { ownArchitecture } from "./build/deno_binary.ts";
import { readImageArguments } from "./build/image_arguments.ts";
import { buildArchitecture } from "./build/layout.ts";
import { digestOf, imageArchive, type OciImage } from "./build/oci.ts";
import { buildPluginsImage, PLUGINS_IMAGE, PLUGINS_LABELS } from "./build/plugins_image.ts";
import { cacheFolder } from "./cluster/components.ts";

const ROOT = path.resolve(import.meta.dirname ?? ".", "..");

/** An image that can be made. */
interface ImageKind {
  /** Begins the names of its files. */
  readonly name: string;
  readonly reference: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the two, which may be in one folder. */
  readonly sumsFile: string;
  /** @param folder Of the programs, built. */
  readonly build: (folder: string, options: ImageOptions) => Promise<AgentImage>;
}

const KINDS: Readonly<Record<"agent" | "plugins", ImageKind>> = {
  agent: {
    name: "spiderpool-agent",
    reference: AGENT_IMAGE,
    labels: IMAGE_LABELS,
    sumsFile: "SHA256SUMS",
    build: buildAgentImage,
  },
  plugins: {
    name: "spiderpool-plugins",
    reference: PLUGINS_IMAGE,
    labels: PLUGINS_LABELS,
    sumsFile: "SHA256SUMS-plugins",
    build: buildPluginsImage,
  },
};

/** What was written. */
export interface WrittenImage {
  /** Digest by which a registry knows the image. */
  readonly digest: string;
  readonly bytes: number;
  /** Bills of materials, by architecture. */
  readonly bills: ReadonlyMap<Architecture, string>;
}

/** What is told to who makes an image. */
export interface ImageWish {
  readonly say: (text: string) => void;
  /** Absent: this machine's. */
  readonly architectures?: readonly Architecture[];
}

/**
 * Builds the programs and of them the image into a file, which appears whole. Those of `dist` are
 * left alone: who builds beside us may be reading or replacing them.
 */
export function writeAgentImage(file: string, wish: ImageWish): Promise<WrittenImage> {
  return writeImage(file, { ...wish, kind: KINDS.agent });
}

/** The same for the image of third parties' plugins, for which Go is needed. */
export function writePluginsImage(file: string, wish: ImageWish): Promise<WrittenImage> {
  return writeImage(file, { ...wish, kind: KINDS.plugins });
}

async function writeImage(
  file: string,
  { say, architectures = [ownArchitecture()], kind }: ImageWish & { readonly kind: ImageKind },
): Promise<WrittenImage> {
  const cache = cacheFolder(Deno.env);
  const images: OciImage[] = [];
  const bills = new Map<Architecture, string>();
  await using undo = new AsyncDisposableStack();
  const work = await Deno.makeTempDir({ prefix: "image-" });
  undo.defer(() => Deno.remove(work, { recursive: true }));
  for (const architecture of architectures) {
    const folder = path.join(work, architecture);
    await buildArchitecture(folder, {
      architecture,
      ports: { cache, fetch, readEnvironment: (name) => Deno.env.get(name), say },
    });
    const { image, bill } = await kind.build(folder, { architecture, cache, say });
    images.push(image);
    bills.set(architecture, bill);
  }
  const { bytes, digest } = imageArchive(images, kind);
  const part = `${file}.part-${Deno.pid}`;
  await Deno.mkdir(path.dirname(path.resolve(file)), { recursive: true });
  await Deno.writeFile(part, bytes);
  await Deno.rename(part, file);
  return { digest, bytes: bytes.length, bills };
}

/** Writes the archive, its bills of materials and the checksums of all these into a folder. */
async function writeRelease(
  folder: string,
  { architectures, say, kind }: Required<ImageWish> & { readonly kind: ImageKind },
): Promise<WrittenImage & { readonly file: string }> {
  const suffix = architectures.length === 1 ? architectures[0] : "all";
  const name = `${kind.name}-${suffix}.tar`;
  const file = path.join(folder, name);
  const written = await writeImage(file, { say, architectures, kind });
  const names = [name];
  for (const [architecture, bill] of written.bills) {
    const billName = `${kind.name}-${architecture}.spdx.json`;
    await Deno.writeTextFile(path.join(folder, billName), bill);
    names.push(billName);
  }
  const sums = await Promise.all(
    names.toSorted().map(async (name) => {
      const digest = digestOf(await Deno.readFile(path.join(folder, name)));
      return `${digest.slice("sha256:".length)}  ${name}\n`;
    }),
  );
  await Deno.writeTextFile(path.join(folder, kind.sumsFile), sums.join(""));
  return { ...written, file };
}

async function main(args: readonly string[]): Promise<number> {
  const request = readImageArguments(args, { own: ownArchitecture() });
  if (!request.ok) {
    print(Deno.stderr, request.error);
    return 2;
  }
  const { architectures, out, image } = request.value;
  const kind = KINDS[image];
  const options = { kind, architectures, say: (text: string): void => print(Deno.stderr, text) };
  const { file, digest, bytes } = out === undefined
    ? await writeRelease(path.join(ROOT, "dist"), options)
    : { file: out, ...await writeImage(out, options) };
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  print(Deno.stdout, `${file}: image ${kind.reference}, ${digest}, ${size}`);
  return 0;
}

function print(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  to.writeSync(new TextEncoder().encode(`${text}\n`));
}

if (import.meta.main) {
  try {
    Deno.exitCode = await main(Deno.args);
  } catch (error) {
    print(Deno.stderr, errorText(error));
    Deno.exitCode = 1;
  }
}
