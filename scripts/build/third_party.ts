/**
 * Builds CNI plugins of other projects, and Multus, from their Go modules: pinned, with checksums,
 * in `go/` here and in `../cluster/go`, whose rig has two of them. Once for each architecture, into
 * a cache.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import * as path from "node:path";
import { STANDARD_PLUGINS } from "../../src/agent/third_party/switches.ts";
import { findGo, MULTUS_VERSION, OVS_CNI_VERSION } from "../cluster/components.ts";
import { runOrThrow } from "../cluster/process.ts";
import type { Architecture } from "./arguments.ts";
import type { Part } from "./sbom.ts";

/** Version of containernetworking's plugins; `go/standard/go.mod` says the same. */
export const STANDARD_VERSION = "v1.9.0";
/** Version of rdma-cni; `go/rdma/go.mod` says the same. */
export const RDMA_VERSION = "v1.5.0";

/** Where one project's plugins come from. */
export interface GoSource {
  /** Folder of `go.mod`, below `scripts`. */
  readonly folder: string;
  readonly module: string;
  readonly version: string;
  /** Packages below the module, by the name of the plugin. */
  readonly packages: Readonly<Record<string, string>>;
  /** Variable that says the version of the programs. */
  readonly versionVariable?: string;
}

/** Folders of containernetworking's plugins that are not `main`. */
const STANDARD_FOLDERS: Readonly<Record<string, readonly string[]>> = {
  ipam: ["dhcp", "host-local", "static"],
  meta: ["bandwidth", "firewall", "portmap", "sbr", "tuning", "vrf"],
};

/** Every project whose plugins are built. All are under the Apache License 2.0. */
export const GO_SOURCES: readonly GoSource[] = [
  {
    folder: "build/go/standard",
    module: "github.com/containernetworking/plugins",
    version: STANDARD_VERSION,
    packages: Object.fromEntries(STANDARD_PLUGINS.map((name) => {
      const [folder = "main"] = Object.entries(STANDARD_FOLDERS)
        .find(([, names]) => names.includes(name)) ?? [];
      return [name, `plugins/${folder}/${name}`];
    })),
    versionVariable: "pkg/utils/buildversion.BuildVersion",
  },
  {
    folder: "build/go/rdma",
    module: "github.com/k8snetworkplumbingwg/rdma-cni",
    version: RDMA_VERSION,
    packages: { rdma: "cmd/rdma" },
  },
  {
    folder: "cluster/go/ovs_cni",
    module: "github.com/k8snetworkplumbingwg/ovs-cni",
    version: OVS_CNI_VERSION,
    packages: { ovs: "cmd/plugin" },
  },
  {
    folder: "cluster/go/multus",
    module: "gopkg.in/k8snetworkplumbingwg/multus-cni.v4",
    version: MULTUS_VERSION,
    packages: { multus: "cmd/multus" },
    versionVariable: "pkg/multus.version",
  },
];

/** What was built for an architecture. */
export interface ThirdPartyBuild {
  /** Folder with a file for each plugin. */
  readonly plugins: string;
  /** Folder with a folder for each module that is in them, with what it says of its licence. */
  readonly licences: string;
  /** Those modules, and Go's own library. */
  readonly parts: readonly Part[];
}

/** What is needed to build. */
export interface ThirdPartyOptions {
  readonly architecture: Architecture;
  /** Folder outside the clone. */
  readonly cache: string;
  readonly say: (text: string) => void;
}

const SCRIPTS = path.resolve(import.meta.dirname ?? ".", "..");
const LICENCE_FILE = /^(?:licen[cs]e|notice|copying|copyright|patents)/i;
/** Prints path, version and folder of the module of each package. */
const MODULE_FORMAT = "{{with .Module}}{{$m := .}}{{with .Replace}}{{$m = .}}{{end}}" +
  "{{$m.Path}}\t{{$m.Version}}\t{{.Dir}}{{end}}";

/**
 * Builds all of `GO_SOURCES`, unless the cache has them from the same sources and the same Go.
 *
 * @throws {Deno.errors.NotFound} With the remedy, if there is no Go.
 */
export async function buildThirdParty(options: ThirdPartyOptions): Promise<ThirdPartyBuild> {
  const { architecture, cache, say } = options;
  const go = await findGo();
  const facts = await runOrThrow([go, "env", "GOVERSION", "GOROOT"]);
  const [version = "", root = ""] = facts.trim().split("\n");
  const key = await keyOf([version, architecture, JSON.stringify(GO_SOURCES)]);
  const folder = path.join(cache, "third-party");
  const place = path.join(folder, key);
  await Deno.mkdir(folder, { recursive: true });
  // Closing it lets go: who comes second finds what the first has made.
  using lock = await Deno.open(path.join(folder, ".lock"), { create: true, write: true });
  await lock.lock(true);
  if (!existsSync(place)) {
    say(`Building third parties' plugins for ${architecture} with Go (once; kept in the cache)`);
    const part = `${place}.part-${Deno.pid}`;
    await Deno.mkdir(path.join(part, "plugins"), { recursive: true });
    const library = { name: "std", version: version.replace(/^go/, ""), folder: root };
    const modules = new Map([[moduleKey(library), library]]);
    for (const source of GO_SOURCES) {
      for (const one of await buildSource(source, { go, architecture, to: part })) {
        modules.set(moduleKey(one), one);
      }
    }
    const sorted = [...modules.values()].toSorted((a, b) => moduleKey(a) < moduleKey(b) ? -1 : 1);
    for (const one of sorted) await copyLicences(one, path.join(part, "licences"));
    const parts = sorted.map(partOf);
    await Deno.writeTextFile(path.join(part, "parts.json"), JSON.stringify(parts));
    await Deno.rename(part, place);
  }
  const parts: readonly Part[] = JSON.parse(
    await Deno.readTextFile(path.join(place, "parts.json")),
  );
  return {
    plugins: path.join(place, "plugins"),
    licences: path.join(place, "licences"),
    parts,
  };
}

/** A module of Go, and where its sources are. */
interface GoModule {
  readonly name: string;
  readonly version: string;
  readonly folder: string;
}

function moduleKey({ name, version }: GoModule): string {
  return `${name}@${version}`;
}

function partOf({ name, version }: GoModule): Part {
  const isPlugin = GO_SOURCES.some(({ module }) => module === name);
  const url = `pkg:golang/${name.toLowerCase()}@${version}`;
  return { name, version, url, ...(isPlugin && { licence: "Apache-2.0" }) };
}

/** Builds a project's plugins. @returns The modules that are in them. */
async function buildSource(
  { folder, module, version, packages, versionVariable }: GoSource,
  { go, architecture, to }: {
    readonly go: string;
    readonly architecture: Architecture;
    readonly to: string;
  },
): Promise<readonly GoModule[]> {
  const cwd = path.join(SCRIPTS, folder);
  // Nothing of who builds is in what is built.
  const target = { GOOS: "linux", GOARCH: architecture, GOAMD64: "v1", GOARM64: "v8.0" };
  const env = { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", ...target };
  const said = versionVariable === undefined ? "" : ` -X ${module}/${versionVariable}=${version}`;
  const flags = ["-trimpath", "-buildvcs=false", "-ldflags", `-s -w -buildid=${said}`];
  const all = Object.values(packages).map((one) => `${module}/${one}`);
  const plugins = path.join(to, "plugins");
  await runOrThrow([go, "build", ...flags, "-o", `${plugins}/`, ...all], { cwd, env });
  for (const [name, one] of Object.entries(packages)) {
    // Go calls a program as its folder is called.
    const built = path.basename(one);
    if (built !== name) await Deno.rename(path.join(plugins, built), path.join(plugins, name));
  }
  const modules = new Map<string, GoModule>();
  const listed = await runOrThrow([go, "list", "-deps", "-f", MODULE_FORMAT, ...all], { cwd, env });
  for (const line of listed.trim().split("\n")) {
    const [name = "", version = "", folder = ""] = line.split("\t");
    if (folder !== "") modules.set(name, { name, version, folder });
  }
  return [...modules.values()];
}

/** @throws {Error} If the module says nothing of its licence: what is not allowed is not copied. */
async function copyLicences(module: GoModule, to: string): Promise<void> {
  const names = await Array.fromAsync(Deno.readDir(module.folder));
  const files = names.filter(({ name, isFile }) => isFile && LICENCE_FILE.test(name));
  if (files.length === 0) {
    throw new Error(`Cannot copy "${moduleKey(module)}": it has no file with its licence`);
  }
  const folder = path.join(to, moduleKey(module));
  await Deno.mkdir(folder, { recursive: true });
  for (const { name } of files) {
    // Files of a module cache may not be written; a copy would be like them.
    const bytes = await Deno.readFile(path.join(module.folder, name));
    await Deno.writeFile(path.join(folder, name), bytes);
  }
}

/** Changes whenever anything that decides the plugins does: modules, Go, how it is called. */
async function keyOf(facts: readonly string[]): Promise<string> {
  const digest = createHash("sha256");
  for (const fact of facts) digest.update(`${fact}\n`);
  digest.update(await Deno.readFile(path.join(import.meta.dirname ?? ".", "third_party.ts")));
  for (const { folder } of GO_SOURCES) {
    for (const name of ["go.mod", "go.sum"]) {
      digest.update(await Deno.readFile(path.join(SCRIPTS, folder, name)));
    }
  }
  return digest.digest("hex").slice(0, 16);
}
