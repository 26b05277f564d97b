/** An image as it lies on disk: blobs by their digests, and the tree that its layers make. */
import assert from "node:assert/strict";
import type { Architecture } from "../../scripts/build/arguments.ts";
import { type Descriptor, digestOf } from "../../scripts/build/oci.ts";
import { type CommandOutput, run, runOrThrow } from "../../scripts/cluster/process.ts";

/** `e_machine` of ELF. */
const MACHINES = { amd64: 62, arm64: 183 } as const;

/** What an image says of itself. */
export interface ImageManifest {
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** An unpacked archive. */
export class Layout {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async read<T>(place: string): Promise<T> {
    return JSON.parse(await Deno.readTextFile(`${this.#folder}/${place}`));
  }

  placeOf({ digest }: Descriptor): string {
    return `${this.#folder}/blobs/${digest.replace(":", "/")}`;
  }

  /** Reads a blob, whose bytes must be what its descriptor says. */
  async blob(descriptor: Descriptor): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await Deno.readFile(this.placeOf(descriptor));
    assert.equal(digestOf(bytes), descriptor.digest);
    assert.equal(bytes.length, descriptor.size);
    return bytes;
  }

  async json<T>(descriptor: Descriptor): Promise<T> {
    return JSON.parse(new TextDecoder().decode(await this.blob(descriptor)));
  }
}

/** Unpacks an archive into a folder that is not there yet, and finds what it names. */
export async function unpackImage(
  archive: string,
  folder: string,
): Promise<{ readonly layout: Layout; readonly named: Descriptor }> {
  await Deno.mkdir(folder);
  await runOrThrow(["tar", "-xf", archive, "-C", folder]);
  const layout = new Layout(folder);
  const { manifests: [named] } = await layout.read<{ manifests: Descriptor[] }>("index.json");
  assert.ok(named !== undefined, `${archive} names an image`);
  return { layout, named };
}

/** Fails unless a program of a tree is one for an architecture. */
export async function assertIsFor(architecture: Architecture, program: string): Promise<void> {
  using file = await Deno.open(program);
  const head = new Uint8Array(20);
  await file.read(head);
  assert.equal(head[18], MACHINES[architecture], `${program} for ${architecture}`);
}

/** Where images have our programs. */
export const PROGRAMS_FOLDER = "/usr/lib/spiderpool";

/** Starts a program in a tree of files as a container would: nothing of the machine is there. */
export function startIn(
  { tree, user, environment = {} }: {
    readonly tree: string;
    /** `UID:GID`. */
    readonly user: string;
    readonly environment?: Readonly<Record<string, string>>;
  },
  command: readonly string[],
): Promise<CommandOutput> {
  const contain = ["unshare", "--mount", "--pid", "--fork", `--root=${tree}`, "--mount-proc"];
  const [uid, gid] = user.split(":");
  const become = [`--setuid=${uid}`, `--setgid=${gid}`];
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return run([
    "env",
    ...["-i", `PATH=${PROGRAMS_FOLDER}:/bin`, ...variables],
    ...[...contain, ...become, "--", ...command],
  ]);
}
