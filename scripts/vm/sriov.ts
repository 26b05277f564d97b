/** What the machine with an SR-IOV NIC is made of: a QEMU that has one, a kernel that drives it. */
import { VmError } from "./failure.ts";
import { QEMU } from "./machine.ts";
import {
  type Apt,
  type FetchOptions,
  fetchTree,
  kernelPackage,
  kernelTree,
  type PackageTree,
  type Suite,
  withDependencies,
} from "./packages.ts";
import { run } from "./process.ts";

/** The first QEMU with the NIC `igb`. */
const MAJOR_MIN = 8;
const KERNEL = "linux-image-amd64";
/** Starts QEMU out of its packages, with their libraries: nothing of it is installed. */
const LAUNCHER = `#!/bin/sh
tree=$(dirname "$0")/qemu/files
libraries=$tree/lib/x86_64-linux-gnu:$tree/usr/lib/x86_64-linux-gnu
exec "$tree/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" \\
  "$tree/usr/bin/${QEMU.amd64.program}" -L "$tree/usr/share/qemu" -L "$tree/usr/share/seabios" "$@"
`;

/**
 * Fetches Debian's kernel for real machines: the one for clouds has no driver of such a NIC.
 *
 * @param folder Folder of the cache for this machine.
 * @throws {VmError} If it is not to be had.
 */
export async function fetchSriovKernel(
  folder: string,
  options: FetchOptions,
): Promise<PackageTree> {
  const tree = await fetchTree({
    place: `${folder}/kernel`,
    what: "Debian's kernel with SR-IOV drivers",
    asked: [KERNEL],
    choose: async (apt) => [await kernelPackage(KERNEL, apt)],
  }, options);
  return await kernelTree(tree);
}

/**
 * Finds a QEMU with the NIC `igb`: the machine's own, or one that is fetched. The machine's own is
 * left as it is.
 *
 * @param folder Folder of the cache for this machine.
 * @returns The program.
 * @throws {VmError} If there is none to be had.
 */
export async function findSriovQemu(folder: string, options: FetchOptions): Promise<string> {
  const { program } = QEMU.amd64;
  const { stdout } = await run([program, "-version"]);
  if (majorOf(/version ([\d.]+)/.exec(stdout)?.[1]) >= MAJOR_MIN) return program;
  await fetchTree({
    place: `${folder}/qemu`,
    what: "a QEMU with an SR-IOV NIC",
    asked: [QEMU.amd64.package],
    choose: chooseQemu,
  }, options);
  const launcher = `${folder}/qemu-launcher`;
  const work = `${launcher}.${crypto.randomUUID()}`;
  await Deno.writeTextFile(work, LAUNCHER, { mode: 0o755 });
  await Deno.rename(work, launcher);
  return launcher;
}

async function chooseQemu(apt: Apt): Promise<readonly string[]> {
  const policy = ["apt-cache", "policy", QEMU.amd64.package];
  const offered = candidateOf(await apt.run(policy));
  if (majorOf(offered) < MAJOR_MIN) {
    const format = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)";
    const targets = ["apt-get", "indextargets", "--format", format, "Created-By: Packages"];
    const suite = backportsOf(await apt.run(targets));
    if (suite === undefined) throw tooOld(offered, "and they are no Debian's with backports");
    await apt.preferSuite(suite);
    const backported = candidateOf(await apt.run(policy));
    if (majorOf(backported) < MAJOR_MIN) throw tooOld(backported, "backports included");
  }
  return await withDependencies([QEMU.amd64.package], apt);
}

function tooOld(version: string | undefined, where: string): VmError {
  return new VmError(
    `Cannot fetch QEMU ${MAJOR_MIN} or newer, which has an SR-IOV NIC: the package sources here ` +
      `have ${version ?? "none"}, ${where}; install a newer one`,
    { exitCode: 2 },
  );
}

function majorOf(version: string | undefined): number {
  return Number(/^\d+/.exec(version ?? "")?.[0] ?? 0);
}

/** Version without epoch in what `apt-cache policy` says; nothing if no source has the package. */
export function candidateOf(policy: string): string | undefined {
  return /^\s*Candidate: (?:\d+:)?(\d\S*)$/m.exec(policy)?.[1];
}

/**
 * The backports that go with the Debian release of a machine's sources.
 *
 * @param targets Lines `ORIGIN|CODENAME|ADDRESS`; those of updates have a dash in the codename.
 */
export function backportsOf(targets: string): Suite | undefined {
  const found = /^Debian\|([a-z]+)\|(\S+)$/m.exec(targets);
  if (found === null) return undefined;
  const [, codename = "", address = ""] = found;
  return { address, name: `${codename}-backports` };
}
