import type { Architecture } from "./arguments.ts";
import { VmError } from "./failure.ts";
import { hasProgram, isThere, runFor } from "./process.ts";

/** What Debian's packages gave: a tree of files, kept until it is fetched again. */
export interface PackageTree {
  /** Folder that holds the unpacked files, as they would lie under `/`. */
  readonly root: string;
  /** Release of the kernel, as `uname -r` says it. */
  readonly release: string;
  /** File names of the packages, sorted: they say which versions these are. */
  readonly packages: readonly string[];
}

/** Programs of the machine, and the libraries that Deno itself needs. */
const PACKAGES = [
  "busybox-static",
  "containernetworking-plugins",
  "dash",
  "iproute2",
  "libc6",
  "libgcc-s1",
  "nftables",
  "util-linux",
  // Of Open vSwitch.
  ...["libcap-ng0", "libnuma1", "libssl3", "libunbound8", "libxdp1"],
] as const;
/** Packages taken without what they depend on: Python, for scripts that nothing here runs. */
const ALONE = ["openvswitch-common", "openvswitch-switch"] as const;
const ASKED = [...PACKAGES, ...ALONE];

/**
 * Fetches Debian's cloud kernel and the packages that the machine's programs come from, with the
 * sources that this machine is set up for, and unpacks them. It needs no root and leaves the
 * machine's own packages and lists alone, so the packages may be of another architecture.
 *
 * @param folder Folder of the cache for this architecture; made if it is not there.
 * @param options.refresh Fetches again what is there already.
 * @throws {VmError} If the machine is not set up to fetch them.
 */
export async function fetchPackages(
  folder: string,
  { architecture, refresh, say }: {
    readonly architecture: Architecture;
    readonly refresh: boolean;
    readonly say: (text: string) => void;
  },
): Promise<PackageTree> {
  const place = `${folder}/packages`;
  const known = refresh ? undefined : await readTree(place);
  if (known !== undefined) return known;
  const missing = ["apt-get", "apt-cache", "dpkg"].find((name) => !hasProgram(name));
  if (missing !== undefined) {
    throw new VmError(`Cannot fetch Debian's cloud kernel: the program "${missing}" is missing`, {
      exitCode: 2,
    });
  }
  say(`fetching Debian's cloud kernel for ${architecture}, once`);
  await Deno.mkdir(folder, { recursive: true });
  const work = await Deno.makeTempDir({ dir: folder, prefix: "packages-" });
  try {
    const packages = await download(work, architecture);
    for (const name of packages) {
      await runFor(["dpkg", "-x", `${work}/debs/${name}`, `${work}/files`], {
        purpose: `unpack ${name}`,
      });
    }
    await Deno.remove(`${work}/debs`, { recursive: true });
    const release = releaseOf(await namesIn(`${work}/files/boot`));
    await Deno.writeTextFile(
      `${work}/tree.json`,
      JSON.stringify({ release, packages, asked: ASKED }),
    );
    if (isThere(place)) await Deno.remove(place, { recursive: true });
    await Deno.rename(work, place);
    return { root: `${place}/files`, release, packages };
  } finally {
    if (isThere(work)) await Deno.remove(work, { recursive: true });
  }
}

/** The tree that is there already, if it was made of the packages that are asked for now. */
async function readTree(place: string): Promise<PackageTree | undefined> {
  if (!isThere(`${place}/tree.json`)) return undefined;
  const { release, packages, asked } = JSON.parse(await Deno.readTextFile(`${place}/tree.json`));
  if (JSON.stringify(asked) !== JSON.stringify(ASKED)) return undefined;
  return { root: `${place}/files`, release, packages };
}

async function namesIn(folder: string): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(folder));
  return entries.map(({ name }) => name).toSorted();
}

function releaseOf(names: readonly string[]): string {
  const kernel = names.find((name) => name.startsWith("vmlinuz-"));
  if (kernel === undefined) {
    throw new VmError("The package of Debian's cloud kernel holds no kernel: try --refresh", {
      exitCode: 2,
    });
  }
  return kernel.slice("vmlinuz-".length);
}

/** Downloads into `work/debs`. Gives the file names, sorted. */
async function download(work: string, architecture: Architecture): Promise<string[]> {
  const apt = await Deno.makeTempDir({ dir: work, prefix: "apt-" });
  await Deno.mkdir(`${apt}/state/lists/partial`, { recursive: true });
  await Deno.mkdir(`${apt}/cache/archives/partial`, { recursive: true });
  await Deno.mkdir(`${work}/debs`);
  await Deno.writeTextFile(`${apt}/status`, "");
  await Deno.writeTextFile(`${apt}/conf`, aptConfiguration(apt, architecture));
  const environment = { APT_CONFIG: `${apt}/conf`, LC_ALL: "C" };
  const meta = `linux-image-cloud-${architecture}`;
  const purpose = `fetch ${meta}`;
  await runFor(["apt-get", "update", "--quiet=2"], { purpose, environment });
  const kernel = kernelPackageOf(
    await runFor(["apt-cache", "depends", meta], { purpose, environment }),
  );
  const install = ["apt-get", "install", "--no-install-recommends", "--print-uris", "-qq", "-y"];
  const plan = await runFor([...install, ...PACKAGES], { purpose, environment });
  const names = [kernel, ...ALONE, ...packagesOfPlan(plan)];
  await runFor(["apt-get", "download", "--quiet=2", ...names], {
    purpose,
    environment,
    folder: `${work}/debs`,
  });
  await Deno.remove(apt, { recursive: true });
  return await namesIn(`${work}/debs`);
}

/** Settings that keep apt to folders of its own; the sources stay the machine's. */
export function aptConfiguration(folder: string, architecture: Architecture): string {
  return [
    `APT::Architecture "${architecture}";`,
    `APT::Architectures { "${architecture}"; };`,
    `APT::Sandbox::User "";`,
    `Dir::State "${folder}/state";`,
    `Dir::State::status "${folder}/status";`,
    `Dir::Cache "${folder}/cache";`,
  ].map((line) => `${line}\n`).join("");
}

/**
 * The package of the kernel itself, from what `apt-cache depends` says of the one that follows it.
 *
 * @throws {VmError} If the sources of this machine do not have it.
 */
export function kernelPackageOf(text: string): string {
  const name = /^\s*Depends: (linux-image-\S+)$/m.exec(text)?.[1];
  if (name !== undefined) return name;
  throw new VmError("Cannot fetch the kernel: the package sources here do not have Debian's", {
    exitCode: 2,
  });
}

/** Names of the packages in what `apt-get install --print-uris` says. */
export function packagesOfPlan(text: string): string[] {
  return [...text.matchAll(/^'[^']*' ([^_\s]+)_\S+\.deb /gm)].map(([, name = ""]) => name);
}
