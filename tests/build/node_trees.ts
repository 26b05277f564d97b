/** Roots of nodes with other C libraries, for plugins to be installed into. */
import { cacheFolder } from "../../scripts/cluster/components.ts";
import { runOrThrow } from "../../scripts/cluster/process.ts";
import { ownArchitecture } from "../../scripts/build/deno_binary.ts";
import { VmError } from "../../scripts/vm/failure.ts";
import { backportsOf } from "../../scripts/vm/sriov.ts";
import { type Apt, fetchTree } from "../../scripts/vm/packages.ts";
import { assert } from "../../src/base/assert.ts";

/** The oldest Debian that is to be had where this is tested, and its glibc. */
export const OLDEST = { release: "bullseye", name: "Debian 11" } as const;
/** The node whose C library says that it is as old as this. */
export const TOO_OLD_GLIBC = "2.17";
/** What plugins ask for that such a library lacks; `deno` is linked against it. */
const VERSION_TAKEN = "GLIBC_2.27";

/** What a plugin needs of a node. */
const PACKAGES = ["libc6", "libgcc-s1", "dash"] as const;

/** Folder of the node's plugins. */
const PLUGINS = "opt/cni/bin";

/** A node of the oldest Debian, of that release's own packages. @param root Made. */
export async function makeOldestNode(root: string): Promise<string> {
  return await makeNode(root, { packages: PACKAGES, shell: "dash" });
}

/** The same, but its C library lacks a version that `deno` asks for, and says that it is older. */
export async function makeTooOldNode(root: string): Promise<string> {
  const folder = await makeOldestNode(root);
  const libraries = await runOrThrow(["find", root, "-type", "f", "-name", "lib[cm][-.]*so*"]);
  for (const library of libraries.trim().split("\n")) {
    const text = latin1(await Deno.readFile(library));
    const older = text.replaceAll(`${VERSION_TAKEN}\0`, "GLIBC_2.0x\0")
      .replaceAll(/release version 2\.\d\d/g, `release version ${TOO_OLD_GLIBC}`);
    await Deno.writeFile(library, Uint8Array.from(older, (one) => one.charCodeAt(0)));
  }
  return folder;
}

/** A node whose C library is musl, and whose shell needs none. */
export async function makeMuslNode(root: string): Promise<string> {
  return await makeNode(root, { packages: ["busybox-static", "musl"], shell: "busybox" });
}

/** Makes a root of packages. @returns The folder of plugins in it. */
async function makeNode(
  root: string,
  { packages, shell }: { readonly packages: readonly string[]; readonly shell: string },
): Promise<string> {
  const options = { architecture: ownArchitecture(), refresh: false, say: () => {} };
  const place = `${cacheFolder(Deno.env)}/nodes/${options.architecture}/${packages.join("_")}`;
  const what = packages.join(", ");
  const tree = await fetchTree({
    place: `${place}-${OLDEST.release}`,
    what,
    asked: packages,
    choose: async (apt) => {
      await apt.preferSuite({ address: await addressOf(apt), name: OLDEST.release });
      return packages.map((name) => `${name}/${OLDEST.release}`);
    },
  }, options).catch((error) => {
    if (!(error instanceof VmError)) throw error;
    // Debian puts old releases elsewhere some day: the machine's own is a node as well.
    return fetchTree(
      { place, what, asked: packages, choose: () => Promise.resolve(packages) },
      options,
    );
  });
  await runOrThrow(["cp", "-a", tree.root, root]);
  await Deno.mkdir(`${root}/${PLUGINS}`, { recursive: true });
  for (const folder of ["dev", "proc"]) await Deno.mkdir(`${root}/${folder}`, { recursive: true });
  await runOrThrow(["mknod", "-m", "666", `${root}/dev/null`, "c", "1", "3"]);
  await Deno.remove(`${root}/bin/sh`).catch(() => {});
  await Deno.symlink(shell, `${root}/bin/sh`);
  return `${root}/${PLUGINS}`;
}

/** Where this machine has Debian's packages from. */
async function addressOf({ run }: Apt): Promise<string> {
  const format = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)";
  const targets = await run([
    "apt-get",
    "indextargets",
    "--format",
    format,
    "Created-By: Packages",
  ]);
  const suite = backportsOf(targets);
  assert(suite !== undefined, "the machine's packages are Debian's");
  return suite.address;
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("x-user-defined").decode(bytes).replaceAll(
    /[\uf780-\uf7ff]/g,
    (one) => String.fromCharCode(one.charCodeAt(0) & 0xff),
  );
}
