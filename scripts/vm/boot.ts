import { errorText } from "../../src/base/log.ts";
import { ensureOvsCni } from "../cluster/components.ts";
import { type Accelerator, chooseAccelerator } from "./accelerator.ts";
import type { Architecture } from "./arguments.ts";
import { type CpioEntry, encodeCpio } from "./cpio.ts";
import { type DenoBinary, fetchDeno } from "./deno_binary.ts";
import { VmError } from "./failure.ts";
import { prepareImage, writeWhole } from "./image.ts";
import {
  type Machine,
  type MachineEnd,
  type MachineKind,
  QEMU,
  runMachine,
  startUntilTested,
} from "./machine.ts";
import { type FetchOptions, fetchPackages, type PackageTree } from "./packages.ts";
import { hasProgram, isThere } from "./process.ts";
import { fetchSriovKernel, findSriovQemu } from "./sriov.ts";

/** What every run of a machine shares. */
export interface PreparedMachine {
  readonly kind: MachineKind;
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly deno: DenoBinary;
  readonly tree: PackageTree;
  /** Archive with everything but what one run adds. */
  readonly image: string;
  readonly qemu: string;
  /** Folder of the cache for this machine. */
  readonly folder: string;
}

/** The folder that keeps what was fetched and made: outside of the repository. */
export function cacheFolder(
  environment: { readonly home: string | undefined; readonly cacheHome: string | undefined },
): string {
  const { home, cacheHome } = environment;
  if (cacheHome?.startsWith("/")) return `${cacheHome}/spiderpool-deno/vm`;
  if (home?.startsWith("/")) return `${home}/.cache/spiderpool-deno/vm`;
  throw new VmError("There is no place to keep the kernel: set XDG_CACHE_HOME to a folder", {
    exitCode: 2,
  });
}

/**
 * Gets everything that a machine needs, from the cache where it is there.
 *
 * @param cache Folder for all machines.
 * @throws {VmError} If something is missing; its text says how to get it.
 */
export async function prepareMachine(
  cache: string,
  { kind = "cloud", ...options }: FetchOptions & { readonly kind?: MachineKind },
): Promise<PreparedMachine> {
  const { architecture, say } = options;
  const { program, package: name, setup } = QEMU[architecture];
  if (!hasProgram(program)) {
    throw new VmError(
      `Cannot boot a machine: the program "${program}" is missing, run ${setup} or ` +
        `install the package ${name}`,
      { exitCode: 2 },
    );
  }
  const common = `${cache}/${architecture}`;
  await removeLeftovers(common, { nowMs: Date.now() });
  const programs = await fetchPackages(common, options);
  const deno = await fetchDeno(common, { architecture, say });
  const { folder, tree, qemu, ovs } = kind === "sriov"
    ? { ...await prepareSriov(cache, options), ovs: undefined }
    : { folder: common, tree: programs, qemu: program, ovs: await ovsPluginOf(common, options) };
  const sources = { kind, architecture, tree, programs, deno, ovs };
  const image = await prepareImage(folder, { sources, say });
  const kernel = kernelOf(tree);
  const accelerator = await chooseAccelerator(folder, { architecture, qemu, kernel });
  return { kind, architecture, accelerator, deno, tree, image, qemu, folder };
}

async function prepareSriov(
  cache: string,
  options: FetchOptions,
): Promise<Pick<PreparedMachine, "folder" | "tree" | "qemu">> {
  if (options.architecture !== "amd64") {
    throw new VmError("The machine with an SR-IOV NIC is of amd64 alone", { exitCode: 2 });
  }
  const folder = `${cache}/amd64-sriov`;
  await removeLeftovers(folder, { nowMs: Date.now() });
  const qemu = await findSriovQemu(folder, options);
  return { folder, qemu, tree: await fetchSriovKernel(folder, options) };
}

/** Path of the CNI plugin `ovs`; `undefined` where it cannot be built: its test alone needs it. */
async function ovsPluginOf(
  folder: string,
  { architecture, say }: FetchOptions,
): Promise<string | undefined> {
  try {
    return await ensureOvsCni(folder, { architecture, report: say });
  } catch (error) {
    say(`without the CNI plugin ovs: ${errorText(error)}`);
    return undefined;
  }
}

/** Writes what a machine boots from into a folder, and says how it is booted. */
export async function layOut(
  { kind, architecture, accelerator, tree, image, qemu }: PreparedMachine,
  { entries, folder }: { readonly entries: readonly CpioEntry[]; readonly folder: string },
): Promise<Machine> {
  const initrd = `${folder}/initrd`;
  await Deno.copyFile(image, initrd);
  using file = await Deno.open(initrd, { append: true });
  for (const part of encodeCpio(entries)) await writeWhole(file, part);
  return { kind, architecture, accelerator, qemu, kernel: kernelOf(tree), initrd, folder };
}

function kernelOf({ root, release }: PackageTree): string {
  return `${root}/boot/vmlinuz-${release}`;
}

/** What a run that was killed left in the cache. No run takes so long. */
const LEFTOVER = /^(?:run|packages|deno)-\w{8,}$|^image-[0-9a-f]+\.cpio\.[0-9a-f-]+$/;
const LEFTOVER_MS_MIN = 2 * 3600 * 1000;

/** Removes from a folder of the cache what runs that were killed left there, hours ago. */
export async function removeLeftovers(
  folder: string,
  { nowMs }: { readonly nowMs: number },
): Promise<void> {
  if (!isThere(folder)) return;
  for await (const { name } of Deno.readDir(folder)) {
    if (!LEFTOVER.test(name)) continue;
    const { mtime } = await Deno.stat(`${folder}/${name}`);
    if (nowMs - (mtime?.getTime() ?? nowMs) < LEFTOVER_MS_MIN) continue;
    await Deno.remove(`${folder}/${name}`, { recursive: true });
  }
}

/**
 * Boots a prepared machine with the entries of one run, and waits for its end; see
 * `startUntilTested`. What it writes goes to a folder that is removed.
 *
 * @param options.entries They replace what the image has at the same path.
 */
export async function bootMachine(
  prepared: PreparedMachine,
  { entries, say, ...options }: {
    readonly entries: readonly CpioEntry[];
    readonly say: (text: string) => void;
    readonly print: (piece: Uint8Array) => void;
    readonly hangSeconds: number;
    readonly signal: AbortSignal;
  },
): Promise<MachineEnd> {
  return await startUntilTested(async () => {
    const folder = await Deno.makeTempDir({ dir: prepared.folder, prefix: "run-" });
    try {
      return await runMachine(await layOut(prepared, { entries, folder }), options);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }, { say });
}
