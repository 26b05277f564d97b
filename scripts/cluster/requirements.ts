/** What the rigs need of the machine, asked before anything is changed. */
import type { ClusterCommand } from "./arguments.ts";
import { hasProgram, run } from "./process.ts";

const NATIVE_PROGRAMS = [
  "unshare",
  "nsenter",
  "ip",
  "containerd",
  "ctr",
  "runc",
  "nft",
  "conntrack",
] as const;
const LINK_KINDS = ["veth", "bridge", "macvlan"] as const;

const DEEDS = {
  up: "bring a cluster up",
  down: "take a cluster down",
  load: "load an image",
} as const;

/**
 * Finds the first thing that a command needs and this machine lacks.
 *
 * @returns One sentence with the remedy, or `undefined` if nothing is missing.
 */
export async function checkMachine(command: ClusterCommand): Promise<string | undefined> {
  if (command.verb === "help" || command.verb === "status") return undefined;
  if (command.verb === "up" && command.provider === "kind") return await missingForKind();
  if (Deno.uid() !== 0) {
    return `Cannot ${DEEDS[command.verb]} as user ${Deno.uid()}: namespaces need root; use sudo`;
  }
  if (command.verb !== "up") return undefined;
  for (const program of NATIVE_PROGRAMS) {
    if (!await hasProgram(program)) {
      return `Cannot bring a cluster up: no "${program}" was found; run scripts/setup.sh cluster`;
    }
  }
  return await missingInKernel();
}

/** Whether Docker and kind are both there and answer. */
export async function hasKind(): Promise<boolean> {
  return await missingForKind() === undefined;
}

async function missingForKind(): Promise<string | undefined> {
  if (!await hasProgram("kind")) {
    return 'Cannot use --provider kind: no "kind" was found; install it or use --provider native';
  }
  if (!await hasProgram("docker") || (await run(["docker", "info"])).code !== 0) {
    return "Cannot use --provider kind: no Docker engine answers; " +
      "start it or use --provider native";
  }
  return undefined;
}

/** Makes each link kind in a network namespace that ends with the command. */
async function missingInKernel(): Promise<string | undefined> {
  for (const kind of LINK_KINDS) {
    const make = kind === "macvlan"
      ? "ip link add probe0 type veth && ip link add link probe0 name probe1 type macvlan"
      : `ip link add probe0 type ${kind}`;
    const tried = await run(["unshare", "--net", "sh", "-c", make]);
    if (tried.code !== 0) {
      return `Cannot bring a cluster up: this kernel makes no ${kind} links ` +
        `(${tried.stderr.trim()}); load or enable its module`;
    }
  }
  const overlay = (await Deno.readTextFile("/proc/filesystems")).includes("overlay");
  if (overlay || (await run(["modprobe", "overlay"])).code === 0) return undefined;
  return "Cannot bring a cluster up: this kernel has no overlay file system; load its module";
}
