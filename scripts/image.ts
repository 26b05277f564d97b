/**
 * Builds the programs and the image that `manifests` runs, without Docker:
 *
 *   image.ts [--arch amd64|arm64|all] [--out FILE.tar]
 *
 * The archive is an OCI image layout. `ctr images import`, `kind load image-archive`, `skopeo copy
 * oci-archive:FILE.tar`, `deno task cluster load` take it, and with one architecture `docker load`.
 * Without `--out` it is `dist/spiderpool-agent-<arch>.tar`, with a bill of materials for each
 * architecture and `SHA256SUMS` beside it. Exits with 2 for a bad argument.
 */
import * as path from "node:path";
import { errorText } from "../src/base/log.ts";
import { AGENT_IMAGE, buildAgentImage, IMAGE_LABELS } from "./build/agent_image.ts";
import type { Architecture } from "./build/arguments.ts";
import { ownArchitecture } from "./build/deno_binary.ts";
import { readImageArguments } from "./build/image_arguments.ts";
import { buildArchitecture } from "./build/layout.ts";
import { digestOf, imageArchive, type OciImage } from "./build/oci.ts";
import { cacheFolder } from "./cluster/components.ts";

const ROOT = path.resolve(import.meta.dirname ?? ".", "..");
const SUMS_FILE = "SHA256SUMS";

/** What was written. */
export interface WrittenImage {
  /** Digest by which a registry knows the image. */
  readonly digest: string;
  readonly bytes: number;
  /** Bills of materials, by architecture. */
  readonly bills: ReadonlyMap<Architecture, string>;
}

/**
 * Builds the programs and of them the image into a file, which appears whole. Those of `dist` are
 * left alone: who builds beside us may be reading or replacing them.
 *
 * @param options.architectures Absent: this machine's.
 */
export async function writeAgentImage(
  file: string,
  { say, architectures = [ownArchitecture()] }: {
    readonly say: (text: string) => void;
    readonly architectures?: readonly Architecture[];
  },
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
    const { image, bill } = await buildAgentImage(folder, { architecture, cache, say });
    images.push(image);
    bills.set(architecture, bill);
  }
  const { bytes, digest } = imageArchive(images, { reference: AGENT_IMAGE, labels: IMAGE_LABELS });
  const part = `${file}.part-${Deno.pid}`;
  await Deno.mkdir(path.dirname(path.resolve(file)), { recursive: true });
  await Deno.writeFile(part, bytes);
  await Deno.rename(part, file);
  return { digest, bytes: bytes.length, bills };
}

/** Writes the archive, its bills of materials and the checksums of all these into a folder. */
async function writeRelease(
  folder: string,
  { architectures, say }: {
    readonly architectures: readonly Architecture[];
    readonly say: (text: string) => void;
  },
): Promise<WrittenImage & { readonly file: string }> {
  const suffix = architectures.length === 1 ? architectures[0] : "all";
  const name = `spiderpool-agent-${suffix}.tar`;
  const file = path.join(folder, name);
  const written = await writeAgentImage(file, { say, architectures });
  const names = [name];
  for (const [architecture, bill] of written.bills) {
    const billName = `spiderpool-agent-${architecture}.spdx.json`;
    await Deno.writeTextFile(path.join(folder, billName), bill);
    names.push(billName);
  }
  const sums = await Promise.all(
    names.toSorted().map(async (name) => {
      const digest = digestOf(await Deno.readFile(path.join(folder, name)));
      return `${digest.slice("sha256:".length)}  ${name}\n`;
    }),
  );
  await Deno.writeTextFile(path.join(folder, SUMS_FILE), sums.join(""));
  return { ...written, file };
}

async function main(args: readonly string[]): Promise<number> {
  const request = readImageArguments(args, { own: ownArchitecture() });
  if (!request.ok) {
    print(Deno.stderr, request.error);
    return 2;
  }
  const { architectures, out } = request.value;
  const options = { architectures, say: (text: string): void => print(Deno.stderr, text) };
  const { file, digest, bytes } = out === undefined
    ? await writeRelease(path.join(ROOT, "dist"), options)
    : { file: out, ...await writeAgentImage(out, options) };
  const size = `${(bytes / 1e6).toFixed(1)} MB`;
  print(Deno.stdout, `${file}: image ${AGENT_IMAGE}, ${digest}, ${size}`);
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
