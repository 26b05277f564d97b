import { runFor } from "./process.ts";

/** The part of `deno info --json` that tells which npm packages a program imports. */
export interface ModuleGraph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly npmPackage?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
  readonly npmPackages: Readonly<Record<string, NpmPackage>>;
}

/** A package as `deno info --json` describes it, by its identity: `ws@8.23.0`. */
export interface NpmPackage {
  readonly dependencies: readonly string[];
  readonly registryUrl: string;
  readonly localPath: string;
}

/** What a machine without a network needs to resolve the npm packages of its tests. */
export interface Dependencies {
  /** Identities of the packages: those imported, and what they depend on. */
  readonly packages: ReadonlyMap<string, NpmPackage>;
  /** Import map: what the code writes, and the package it means. */
  readonly imports: Readonly<Record<string, string>>;
}

/** Lists the modules that files import, all together. */
export async function readGraph(
  files: readonly string[],
  { config }: { readonly config: string },
): Promise<ModuleGraph> {
  const folder = await Deno.makeTempDir({ prefix: "vm-graph-" });
  try {
    const root = `${folder}/all.ts`;
    const lines = files.map((file) => `import ${JSON.stringify(`file://${encodeURI(file)}`)};\n`);
    await Deno.writeTextFile(root, lines.join(""));
    const command = [Deno.execPath(), "info", "--json", `--config=${config}`, root];
    return JSON.parse(await runFor(command, { purpose: "list what the tests import" }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Picks out of a graph the packages that its modules reach. */
export function dependenciesOf({ modules, npmPackages }: ModuleGraph): Dependencies {
  const imports: Record<string, string> = {};
  const open: string[] = [];
  for (const { npmPackage, dependencies = [] } of modules) {
    if (npmPackage !== undefined) open.push(npmPackage);
    for (const { specifier, code, type } of dependencies) {
      const target = code?.specifier ?? type?.specifier ?? "";
      if (target.startsWith("npm:") && specifier !== target) imports[specifier] = target;
    }
  }
  const packages = new Map<string, NpmPackage>();
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const found = npmPackages[id];
    if (found === undefined || packages.has(id)) continue;
    packages.set(id, found);
    open.push(...found.dependencies);
  }
  return { packages, imports };
}

/**
 * The lock file of a tree that imports less: Deno fetches every package that is locked, so the
 * others must go.
 *
 * @param lockText The lock file of the whole tree.
 */
export function reduceLock(lockText: string, { packages, imports }: Dependencies): string {
  const lock = JSON.parse(lockText);
  const wanted = new Set(Object.values(imports));
  const keep = (part: object | undefined, isKept: (key: string) => boolean) =>
    Object.fromEntries(Object.entries(part ?? {}).filter(([key]) => isKept(key)));
  return JSON.stringify({
    version: lock.version,
    specifiers: keep(lock.specifiers, (key) => wanted.has(key)),
    npm: keep(lock.npm, (key) => packages.has(key)),
    workspace: { dependencies: [...wanted].toSorted() },
  });
}
