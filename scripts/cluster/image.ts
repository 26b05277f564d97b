/** Images without Docker: a docker-archive that `ctr images import` and kind both take. */
import { createHash } from "node:crypto";
import * as path from "node:path";
import { type TarEntry, writeTar } from "../tar.ts";
import { hasProgram, run, runOrThrow } from "./process.ts";

/** What an image holds and runs. */
export interface ImageWish {
  /** With tag, for example `rig.local/tools:1`. */
  readonly reference: string;
  readonly entries: readonly TarEntry[];
  readonly command: readonly string[];
  /** Folder that is searched for programs before the usual ones. */
  readonly programs?: string;
}

/** Image whose one process waits; containerd's sandbox. */
export const PAUSE_IMAGE = "rig.local/pause:1";
/** Busybox with glibc, so that its name look-ups work; runs `sleep` for ever, ends at once. */
export const TOOLS_IMAGE = "rig.local/tools:1";

/** What `manifests/examples` name, for a cluster that can pull nothing: the same again. */
export const EXAMPLE_IMAGE = "registry.k8s.io/pause:3.10";

const WAIT_FOR_EVER = "trap exit TERM INT; while :; do sleep 3600 & wait; done";

/** Builds the archive of a one-layer image. */
export function buildImage(wish: ImageWish): Uint8Array<ArrayBuffer> {
  const layer = writeTar(wish.entries);
  const layerDigest = sha256(layer);
  const programs = wish.programs === undefined ? "" : `${wish.programs}:`;
  const configuration = json({
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    os: "linux",
    config: {
      Cmd: wish.command,
      Env: [`PATH=${programs}/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin`],
    },
    rootfs: { type: "layers", diff_ids: [`sha256:${layerDigest}`] },
    history: [{ created_by: "spiderpool-deno" }],
  });
  const configurationName = `${sha256(configuration)}.json`;
  const manifest = json([{
    Config: configurationName,
    RepoTags: [wish.reference],
    Layers: [`${layerDigest}.tar`],
  }]);
  return writeTar([
    { kind: "file", path: configurationName, mode: 0o644, bytes: configuration },
    { kind: "file", path: `${layerDigest}.tar`, mode: 0o644, bytes: layer },
    { kind: "file", path: "manifest.json", mode: 0o644, bytes: manifest },
  ]);
}

/** Makes the images that every cluster needs, once, into the cache. Paths of the archives. */
export async function ensureRigImages(cache: string): Promise<readonly string[]> {
  const busybox = await ensureBusybox(cache);
  const applets = (await runOrThrow([busybox, "--list"])).trim().split("\n");
  const entries: readonly TarEntry[] = [
    ...BASE_FOLDERS,
    ...await shellEntries(busybox),
    ...applets.filter((name) => name !== "busybox" && name !== "sh").map((name): TarEntry => ({
      kind: "symlink",
      path: `bin/${name}`,
      target: "busybox",
    })),
    ...await libraryEntries([busybox]),
  ];
  const digest = sha256(writeTar(entries)).slice(0, 12);
  return await Promise.all([PAUSE_IMAGE, TOOLS_IMAGE, EXAMPLE_IMAGE].map(async (reference) => {
    const name = reference.replaceAll(/[/:]/g, "_");
    const file = path.join(cache, `image-${name}-${digest}.tar`);
    const wish = { reference, entries, command: ["sh", "-c", WAIT_FOR_EVER] };
    await Deno.writeFile(`${file}.part-${Deno.pid}`, buildImage(wish));
    await Deno.rename(`${file}.part-${Deno.pid}`, file);
    return file;
  }));
}

/** Folders that every image has. */
export const BASE_FOLDERS: readonly TarEntry[] = ["bin", "etc", "tmp", "lib64", "usr"].map((
  name,
) => ({ kind: "folder", path: `${name}/`, mode: name === "tmp" ? 0o1777 : 0o755 }));

/** Busybox and the shell it is. */
export async function shellEntries(busybox: string): Promise<readonly TarEntry[]> {
  return [
    { kind: "file", path: "bin/busybox", mode: 0o755, bytes: await Deno.readFile(busybox) },
    { kind: "symlink", path: "bin/sh", target: "busybox" },
  ];
}

/** The loader and libraries of programs, where this machine has them. */
export async function libraryEntries(programs: readonly string[]): Promise<readonly TarEntry[]> {
  const files = new Set((await Promise.all(programs.map(librariesOf))).flat());
  return await Promise.all(
    [...files].toSorted().map(async (file): Promise<TarEntry> => ({
      kind: "file",
      path: file.slice(1),
      mode: 0o755,
      bytes: await Deno.readFile(file),
    })),
  );
}

/**
 * Debian's dynamic busybox, from its package but not installed: it excludes the static one. Where
 * there is no apt-get, the machine's own.
 */
export async function ensureBusybox(cache: string): Promise<string> {
  if (!await hasProgram("apt-get")) {
    return (await runOrThrow(["sh", "-c", "command -v busybox"])).trim();
  }
  const folder = path.join(cache, "busybox");
  const file = path.join(folder, "bin", "busybox");
  try {
    await Deno.stat(file);
    return file;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const work = await Deno.makeTempDir({ prefix: "busybox-" });
  try {
    await runOrThrow(["sh", "-c", "apt-get download busybox >&2 && dpkg -x busybox_*.deb tree"], {
      cwd: work,
    });
    await Deno.mkdir(cache, { recursive: true });
    await Deno.rename(path.join(work, "tree"), folder).catch(async () => {
      await runOrThrow(["cp", "-a", path.join(work, "tree"), folder]); // Another file system.
    });
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  return file;
}

/** The loader and libraries a program names, and those that glibc opens for name look-ups. */
async function librariesOf(program: string): Promise<readonly string[]> {
  const named = (await run(["ldd", program])).stdout.matchAll(/(\/\S+)\s+\(0x/g);
  const found = new Set([...named].map((match) => match[1] ?? ""));
  const libc = [...found].find((file) => path.basename(file).startsWith("libc.so"));
  for (const name of ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]) {
    if (libc !== undefined) found.add(path.join(path.dirname(libc), name));
  }
  const files = [];
  for (const file of found) {
    if ((await Deno.stat(file).catch(() => undefined))?.isFile === true) files.push(file);
  }
  return files.toSorted();
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(value));
}

function sha256(bytes: Uint8Array<ArrayBuffer>): string {
  return createHash("sha256").update(bytes).digest("hex");
}
