import type { Architecture } from "./arguments.ts";
import { type CpioEntry, encodeCpio } from "./cpio.ts";
import type { DenoBinary } from "./deno_binary.ts";
import { VmError } from "./failure.ts";
import { lacks, librariesIn } from "./libraries.ts";
import type { MachineKind } from "./machine.ts";
import { type KernelModule, loadOrder, moduleLists, moduleNameOf, readModule } from "./modules.ts";
import type { PackageTree } from "./packages.ts";
import { isThere } from "./process.ts";

/** Changed when the image's content changes for another reason than its inputs. */
const FORMAT = 1;
/** Modules loaded at the start, in this order with what they need: first the way out. */
const MODULES: readonly string[] = [
  ...["virtio_pci", "virtio_console"],
  ...["8021q", "bonding", "bridge", "dummy", "ipvlan", "macvlan", "macvtap", "openvswitch"],
  ...["tun", "veth", "vrf", "vxlan"],
  ...[
    "nf_tables",
    "nf_conntrack",
    "nf_conntrack_netlink",
    "nft_chain_nat",
    "nft_ct",
    "nft_fib_inet",
  ],
  ...["nft_masq", "nft_nat", "nft_redir", "nft_reject_inet"],
];
/** What a module is told: the first two would put a link into the machine's own namespace. */
const MODULE_OPTIONS: Readonly<Record<string, string>> = {
  bonding: "max_bonds=0",
  dummy: "numdummies=0",
};
/**
 * What the machine with an SR-IOV NIC has beside: drivers of the NIC, its VFs, its wire's end; and,
 * before all others, what the other kernel has built in.
 */
const SRIOV_MODULES: readonly string[] = ["crc32c_generic", "igb", "igbvf", "virtio_net"];
/** Folders whose modules the kernel may ask for while it runs: they are there, not loaded. */
const ON_DEMAND = /^kernel\/net\/(?:netfilter|ipv4|ipv6|bridge)\//;
/**
 * Programs taken from the packages: where the machine has them, and the places where a package may.
 * They lie where busybox would put its applets of the same name, so they win; nsenter and unshare
 * are not busybox's, because those run an applet where PATH has a program.
 */
const PROGRAMS: Readonly<Record<string, readonly string[]>> = {
  "bin/busybox": ["usr/bin/busybox", "bin/busybox"],
  "bin/dash": ["usr/bin/dash", "bin/dash"],
  "sbin/ip": ["usr/bin/ip", "bin/ip"],
  "sbin/genl": ["usr/sbin/genl", "sbin/genl"],
  "sbin/nft": ["usr/sbin/nft", "sbin/nft"],
  "usr/bin/nsenter": ["usr/bin/nsenter"],
  "usr/bin/unshare": ["usr/bin/unshare"],
  "sbin/bridge": ["usr/sbin/bridge", "sbin/bridge"],
  "usr/lib/cni/host-device": ["usr/lib/cni/host-device"],
  "usr/lib/cni/macvlan": ["usr/lib/cni/macvlan"],
  "usr/lib/cni/ipvlan": ["usr/lib/cni/ipvlan"],
  "usr/sbin/ovs-vswitchd": ["usr/lib/openvswitch-switch/ovs-vswitchd", "usr/sbin/ovs-vswitchd"],
  "usr/sbin/ovsdb-server": ["usr/sbin/ovsdb-server"],
  "usr/bin/ovsdb-tool": ["usr/bin/ovsdb-tool"],
  "usr/bin/ovs-vsctl": ["usr/bin/ovs-vsctl"],
};
/** Files of packages, at the same place. */
const FILES = ["usr/share/openvswitch/vswitch.ovsschema"] as const;
/** Where the image has Deno. */
export const DENO_PATH = "/usr/bin/deno";
/** Small files that programs expect. */
const SETTINGS: Readonly<Record<string, string>> = {
  "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
  "etc/group": "root:x:0:\nnogroup:x:65534:\n",
  "etc/protocols": "icmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\n",
  "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
};

/** What the image is made of. */
export interface ImageSources {
  readonly kind: MachineKind;
  readonly architecture: Architecture;
  /** The tree with the kernel. */
  readonly tree: PackageTree;
  /** The tree with the programs. */
  readonly programs: PackageTree;
  readonly deno: DenoBinary;
  /** Path of the CNI plugin `ovs`, if there is one. */
  readonly ovs: string | undefined;
}

/**
 * Gives the archive with everything that does not change from run to run: Deno, its libraries, the
 * kernel's modules, a few programs. It is kept, and made again only when a source changes.
 * It is not compressed: the emulated processor copies faster than it unpacks.
 *
 * @param folder Folder of the cache; older images in it are removed when a new one is made.
 * @returns Path of the archive.
 */
export async function prepareImage(
  folder: string,
  { sources, say }: { readonly sources: ImageSources; readonly say: (text: string) => void },
): Promise<string> {
  const place = `${folder}/image-${await keyOf(sources)}.cpio`;
  if (isThere(place)) return place;
  say(`making the image of the ${sources.architecture} machine, once`);
  const parts = encodeCpio(await entriesOf(sources));
  const work = `${place}.${crypto.randomUUID()}`;
  try {
    using file = await Deno.open(work, { write: true, createNew: true });
    for (const part of parts) await writeWhole(file, part);
    await Deno.rename(work, place);
  } finally {
    if (isThere(work)) await Deno.remove(work);
  }
  for await (const { name } of Deno.readDir(folder)) {
    const isOld = /^image-[0-9a-f]+\.cpio$/.test(name) && !place.endsWith(name);
    if (isOld) await Deno.remove(`${folder}/${name}`);
  }
  return place;
}

/** Writes all of `bytes`: one call may write less. */
export async function writeWhole(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await file.write(bytes.subarray(written));
  }
}

async function keyOf(
  { kind, architecture, tree, programs, deno, ovs }: ImageSources,
): Promise<string> {
  const { size, mtime } = await Deno.stat(deno.path);
  const binary = [deno.version, size, mtime?.getTime() ?? 0];
  const lists = [modulesFor(kind), MODULE_OPTIONS, String(ON_DEMAND), PROGRAMS, FILES, SETTINGS];
  const packages = [tree.packages, programs.packages];
  const inputs = JSON.stringify([FORMAT, architecture, packages, binary, ovs, lists]);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(inputs));
  return new Uint8Array(digest).toHex().slice(0, 16);
}

function modulesFor(kind: MachineKind): readonly string[] {
  return kind === "sriov" ? [...SRIOV_MODULES, ...MODULES] : MODULES;
}

async function entriesOf(
  { kind, tree, programs: { root }, deno, ovs }: ImageSources,
): Promise<CpioEntry[]> {
  const programs: CpioEntry[] = [
    await programFile(DENO_PATH.slice(1), { from: deno.path }),
    ...ovs === undefined ? [] : [await programFile("usr/lib/cni/ovs", { from: ovs })],
  ];
  for (const [path, places] of Object.entries(PROGRAMS)) {
    const found = places.find((place) => isThere(`${root}/${place}`));
    if (found === undefined) throw lacks(path);
    programs.push(await programFile(path, { from: `${root}/${found}` }));
  }
  const files = await Promise.all(FILES.map(async (path): Promise<CpioEntry> => {
    return textFile(path, { text: await Deno.readTextFile(`${root}/${path}`) });
  }));
  const empty = ["proc", "sys", "dev", "tmp", "run", "root", "var"];
  return [
    ...empty.map((path): CpioEntry => ({ kind: "directory", path })),
    ...Object.entries(SETTINGS).map(([path, text]) => textFile(path, { text })),
    // As on Debian itself, and for the same reason as nsenter.
    { kind: "symlink", path: "bin/sh", target: "dash" },
    ...[...programs, ...files],
    ...await librariesOf(programs, root),
    ...await modulesOf(tree, modulesFor(kind)),
  ];
}

async function programFile(
  path: string,
  { from }: { readonly from: string },
): Promise<CpioEntry> {
  return { kind: "file", path, bytes: await Deno.readFile(from), executable: true };
}

/** Text as a file of an archive. */
export function textFile(path: string, { text }: { readonly text: string }): CpioEntry {
  return { kind: "file", path, bytes: new TextEncoder().encode(text), executable: false };
}

/** The libraries and loaders that programs need. */
async function librariesOf(programs: readonly CpioEntry[], root: string): Promise<CpioEntry[]> {
  const files = programs.flatMap((entry) => entry.kind === "file" ? [entry.bytes] : []);
  const found = await librariesIn(root, files);
  return [...found].map(([path, bytes]) => ({ kind: "file", path, bytes, executable: true }));
}

async function modulesOf(
  { root, release }: PackageTree,
  names: readonly string[],
): Promise<CpioEntry[]> {
  const folder = [`lib/modules/${release}`, `usr/lib/modules/${release}`].find((place) =>
    isThere(`${root}/${place}`)
  );
  if (folder === undefined) throw lacks(`lib/modules/${release}`);
  const files = new Map<string, Uint8Array>();
  const all = new Map<string, KernelModule>();
  for (const path of await listModules(`${root}/${folder}`)) {
    const bytes = await Deno.readFile(`${root}/${folder}/${path}`);
    const module = readModule(path, bytes);
    all.set(module.name, module);
    files.set(module.name, bytes);
  }
  const list = await Deno.readTextFile(`${root}/${folder}/modules.builtin`);
  const builtin = new Set(list.trim().split("\n").map(moduleNameOf));
  const onDemand = [...all.values()].filter(({ path }) => ON_DEMAND.test(path));
  const first = orderOf(names, { modules: all, builtin });
  const wanted = orderOf([...names, ...onDemand.map(({ name }) => name)], {
    modules: all,
    builtin,
  });
  const lists = moduleLists(new Map(wanted.map((module) => [module.name, module])), builtin);
  const place = `lib/modules/${release}`;
  return [
    ...wanted.map(({ name, path }): CpioEntry => {
      const bytes = files.get(name) ?? new Uint8Array(0);
      return { kind: "file", path: `${place}/${path}`, bytes, executable: false };
    }),
    textFile(`${place}/modules.dep`, { text: lists.dependencies }),
    textFile(`${place}/modules.alias`, { text: lists.aliases }),
    textFile(`${place}/modules.symbols`, { text: "" }),
    textFile("rig/modules", { text: first.map((module) => moduleLine(module)).join("") }),
  ];
}

function moduleLine({ name, path }: KernelModule): string {
  return `${name} ${path} ${MODULE_OPTIONS[name] ?? ""}\n`;
}

function orderOf(
  names: readonly string[],
  table: {
    readonly modules: ReadonlyMap<string, KernelModule>;
    readonly builtin: ReadonlySet<string>;
  },
): readonly KernelModule[] {
  const order = loadOrder(names, table);
  if (order.ok) return order.value;
  const { name, code } = order.error;
  const text = code === "no_module"
    ? `Debian's kernel has no module "${name}": take it off the rig's list`
    : `Debian's kernel has a module "${name}" that needs itself`;
  throw new VmError(text, { exitCode: 1 });
}

/** Paths of all modules below a folder, sorted. */
async function listModules(folder: string): Promise<string[]> {
  const found: string[] = [];
  const open = ["kernel"];
  for (let below = open.pop(); below !== undefined; below = open.pop()) {
    for await (const { name, isDirectory } of Deno.readDir(`${folder}/${below}`)) {
      if (isDirectory) open.push(`${below}/${name}`);
      else if (name.endsWith(".ko")) found.push(`${below}/${name}`);
    }
  }
  return found.toSorted();
}
