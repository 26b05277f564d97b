/** Which modules a plugin is made of, and which command loads each. */
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { runOrThrow } from "../../scripts/cluster/process.ts";

/** A module that the plugin is made of. */
export interface PluginModule {
  /** From the root of the tree; a package as `npm:name@version`. */
  readonly path: string;
  readonly bytes: number;
  /** `start` for one that every run loads, else the commands, sorted: `add, del`. */
  readonly loadedBy: string;
}

interface GraphModule {
  readonly specifier: string;
  readonly size?: number;
  readonly dependencies?: readonly {
    readonly isDynamic?: boolean;
    readonly code?: { readonly specifier?: string };
  }[];
}

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Every module of a plugin, by path; types are not loaded, and left out. */
export async function pluginModules(plugin: string): Promise<readonly PluginModule[]> {
  const main = `cni/${plugin}/main.ts`;
  const text = await runOrThrow([Deno.execPath(), "info", "--json", main], { cwd: ROOT });
  const graph = JSON.parse(text) as { readonly modules: readonly GraphModule[] };
  const modules = new Map(graph.modules.map((module) => [pathOf(module.specifier), module]));
  const atStart = reachable(modules, main);
  const commands = new Map<string, string[]>();
  for (const { isDynamic, code } of modules.get(main)?.dependencies ?? []) {
    if (isDynamic !== true || code?.specifier === undefined) continue;
    const entry = pathOf(code.specifier);
    for (const found of reachable(modules, entry)) {
      if (atStart.has(found)) continue;
      commands.set(found, [...commands.get(found) ?? [], path.basename(entry, ".ts")]);
    }
  }
  return [
    ...[...atStart].map((found) => ({ path: found, loadedBy: "start" })),
    ...[...commands].map(([found, by]) => ({ path: found, loadedBy: by.toSorted().join(", ") })),
  ].map((one) => ({ ...one, bytes: modules.get(one.path)?.size ?? 0 }))
    .toSorted((one, other) => one.path < other.path ? -1 : 1);
}

/** What a module loads, itself included, without what it loads later. */
function reachable(modules: ReadonlyMap<string, GraphModule>, from: string): ReadonlySet<string> {
  const found = new Set([from]);
  for (const one of found) {
    for (const { isDynamic, code } of modules.get(one)?.dependencies ?? []) {
      if (isDynamic === true || code?.specifier === undefined) continue;
      found.add(pathOf(code.specifier));
    }
  }
  return found;
}

function pathOf(specifier: string): string {
  if (!specifier.startsWith("file:")) return specifier;
  return path.relative(ROOT, fileURLToPath(specifier));
}
