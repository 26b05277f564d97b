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
/** Where a machine lists its package sources, beside a folder of such lists. */
const OWN_SOURCES = "/etc/apt/sources.list";
/** The keys of Debian, where a machine keeps them apart. */
const DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** What a fetch of packages is told. */
export interface FetchOptions {
  readonly architecture: Architecture;
  /** Fetches again what is there already. */
  readonly refresh: boolean;
  readonly say: (text: string) => void;
}

/** A way to `apt-get` and `apt-cache` with lists of their own. */
export interface Apt {
  /** Runs a program of apt that must succeed. @returns What it printed. */
  readonly run: (command: readonly string[]) => Promise<string>;
  /** Asks another suite as well, and takes what that has before what others have. */
  readonly preferSuite: (suite: Suite) => Promise<void>;
}

/** A release of packages: `bookworm-backports` at the address of the machine's own sources. */
export interface Suite {
  readonly address: string;
  readonly name: string;
}

/** Packages that are unpacked into one tree. */
export interface TreePlan {
  /** Folder of the tree. */
  readonly place: string;
  /** What it is, as it reads after "fetch". */
  readonly what: string;
  /** What decides the packages: where it changes, they are fetched again. */
  readonly asked: readonly string[];
  /** Gives what `apt-get download` is to fetch. */
  readonly choose: (apt: Apt) => Promise<readonly string[]>;
}

/**
 * Fetches Debian's cloud kernel and the packages that the machine's programs come from, with the
 * sources that this machine is set up for, and unpacks them. It needs no root and leaves the
 * machine's own packages and lists alone, so the packages may be of another architecture.
 *
 * @param folder Folder of the cache for this architecture; made if it is not there.
 * @throws {VmError} If the machine is not set up to fetch them.
 */
export async function fetchPackages(folder: string, options: FetchOptions): Promise<PackageTree> {
  const { architecture } = options;
  const tree = await fetchTree({
    place: `${folder}/packages`,
    what: `Debian's cloud kernel for ${architecture}`,
    asked: ASKED,
    async choose(apt) {
      const kernel = await kernelPackage(`linux-image-cloud-${architecture}`, apt);
      return [kernel, ...ALONE, ...await withDependencies(PACKAGES, apt)];
    },
  }, options);
  return await kernelTree(tree);
}

/** A tree with the release of the kernel in it. */
export async function kernelTree(
  { root, packages }: Omit<PackageTree, "release">,
): Promise<PackageTree> {
  return { root, packages, release: releaseOf(await namesIn(`${root}/boot`)) };
}

/**
 * Fetches packages and unpacks them, unless they are there.
 *
 * @throws {VmError} If the machine is not set up to fetch them.
 */
export async function fetchTree(
  plan: TreePlan,
  { architecture, refresh, say }: FetchOptions,
): Promise<Omit<PackageTree, "release">> {
  const { place, what, asked } = plan;
  const known = refresh ? undefined : await readTree(plan);
  if (known !== undefined) return known;
  const missing = ["apt-get", "apt-cache", "dpkg"].find((name) => !hasProgram(name));
  if (missing !== undefined) {
    throw new VmError(`Cannot fetch ${what}: the program "${missing}" is missing`, { exitCode: 2 });
  }
  say(`fetching ${what}, once`);
  const folder = place.slice(0, place.lastIndexOf("/"));
  await Deno.mkdir(folder, { recursive: true });
  const work = await Deno.makeTempDir({ dir: folder, prefix: "packages-" });
  try {
    const packages = await download(plan, { work, architecture });
    for (const name of packages) {
      await runFor(["dpkg", "-x", `${work}/debs/${name}`, `${work}/files`], {
        purpose: `unpack ${name}`,
      });
    }
    await Deno.remove(`${work}/debs`, { recursive: true });
    await Deno.writeTextFile(`${work}/tree.json`, JSON.stringify({ packages, asked }));
    if (isThere(place)) await Deno.remove(place, { recursive: true });
    await Deno.rename(work, place);
    return { root: `${place}/files`, packages };
  } finally {
    if (isThere(work)) await Deno.remove(work, { recursive: true });
  }
}

/** The tree that is there already, if it was made of the packages that are asked for now. */
async function readTree(
  { place, asked }: TreePlan,
): Promise<Omit<PackageTree, "release"> | undefined> {
  if (!isThere(`${place}/tree.json`)) return undefined;
  const known = JSON.parse(await Deno.readTextFile(`${place}/tree.json`));
  if (JSON.stringify(known.asked) !== JSON.stringify(asked)) return undefined;
  return { root: `${place}/files`, packages: known.packages };
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
async function download(
  { what, choose }: TreePlan,
  { work, architecture }: { readonly work: string; readonly architecture: Architecture },
): Promise<string[]> {
  const folder = await Deno.makeTempDir({ dir: work, prefix: "apt-" });
  await Deno.mkdir(`${folder}/state/lists/partial`, { recursive: true });
  await Deno.mkdir(`${folder}/cache/archives/partial`, { recursive: true });
  await Deno.mkdir(`${work}/debs`);
  await Deno.writeTextFile(`${folder}/status`, "");
  await Deno.writeTextFile(`${folder}/conf`, aptConfiguration(folder, architecture));
  const how = {
    purpose: `fetch ${what}`,
    environment: { APT_CONFIG: `${folder}/conf`, LC_ALL: "C" },
  };
  const update = ["apt-get", "update", "--quiet=2"];
  await runFor(update, how);
  const names = await choose({
    run: (command) => runFor(command, how),
    async preferSuite({ address, name }) {
      const own = isThere(OWN_SOURCES) ? await Deno.readTextFile(OWN_SOURCES) : "";
      const keys = isThere(DEBIAN_KEYS) ? `[signed-by=${DEBIAN_KEYS}] ` : "";
      const sources = `${own}\ndeb ${keys}${address} ${name} main\n`;
      await Deno.writeTextFile(`${folder}/sources`, sources);
      const settings = `Dir::Etc::sourcelist "${folder}/sources";\n` +
        `APT::Default-Release "${name}";\n`;
      await Deno.writeTextFile(`${folder}/conf`, settings, { append: true });
      await runFor(update, how);
    },
  });
  await runFor(["apt-get", "download", "--quiet=2", ...names], { ...how, folder: `${work}/debs` });
  await Deno.remove(folder, { recursive: true });
  return await namesIn(`${work}/debs`);
}

/** The package of the kernel that a package without content follows. */
export async function kernelPackage(meta: string, { run }: Apt): Promise<string> {
  return kernelPackageOf(await run(["apt-cache", "depends", meta]));
}

/** Names of packages and of what they depend on. */
export async function withDependencies(
  names: readonly string[],
  { run }: Apt,
): Promise<string[]> {
  const install = ["apt-get", "install", "--no-install-recommends", "--print-uris", "-qq", "-y"];
  return packagesOfPlan(await run([...install, ...names]));
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
