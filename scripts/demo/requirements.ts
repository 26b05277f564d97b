/** What the demo needs of the machine, asked before anything is made. */
import { hasProgram, run } from "../cluster/process.ts";

const PROGRAMS = ["ip", "unshare", "nsenter", "mount", "ping"] as const;
/** Where distributions put the standard CNI plugins. */
export const PLUGIN_FOLDERS = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"] as const;
const TRY_LINKS = "ip link add p0 type veth peer name p1 && ip link add b0 type bridge && " +
  "ip link add link p0 name m0 type macvlan mode bridge";

/** The folder with the standard CNI plugin macvlan; `undefined` if there is none. */
export async function findPlugins(): Promise<string | undefined> {
  for (const folder of PLUGIN_FOLDERS) {
    try {
      if ((await Deno.stat(`${folder}/macvlan`)).isFile) return folder;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

/** The first thing that this machine lacks, in one sentence with the remedy. */
export async function missingForDemo(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") {
    return `Cannot run the demo on ${Deno.build.os}: network namespaces are Linux's; use a Linux`;
  }
  if (Deno.uid() !== 0) {
    return `Cannot run the demo as user ${Deno.uid()}: network namespaces need root; use sudo`;
  }
  for (const program of PROGRAMS) {
    if (await hasProgram(program)) continue;
    return `Cannot run the demo: no "${program}" was found; run scripts/setup.sh demo`;
  }
  if (await findPlugins() === undefined) {
    return `Cannot run the demo: the standard CNI plugin macvlan is in none of ` +
      `${PLUGIN_FOLDERS.join(", ")}; run scripts/setup.sh demo`;
  }
  const tried = await run([
    "unshare",
    "--mount",
    "--net",
    "--pid",
    "--fork",
    "sh",
    "-c",
    TRY_LINKS,
  ]);
  if (tried.code === 0) return undefined;
  return `Cannot run the demo: this machine makes no namespaces with veth, bridge and macvlan ` +
    `links (${tried.stderr.trim().replaceAll(/\s*\n\s*/g, "; ")}); load the modules, or take a ` +
    `machine that lets root make them`;
}
