import { err, ok, type Result } from "../../src/base/result.ts";
import { sectionOf } from "./elf.ts";

/** What a kernel module says of itself. Names are as in lsmod, with underscores. */
export interface KernelModule {
  readonly name: string;
  /** Path below the folder of modules: `kernel/net/8021q/8021q.ko`. */
  readonly path: string;
  /** Modules whose symbols it uses. */
  readonly depends: readonly string[];
  /** Modules or aliases that must be there first, if they exist. */
  readonly before: readonly string[];
  /** Names under which the kernel asks for it, with `*` and `?`: `rtnl-link-vlan`. */
  readonly aliases: readonly string[];
}

/**
 * Reads the `.modinfo` section of a module.
 *
 * @param path Path below the folder of modules; it gives the name.
 * @throws {Error} If `file` is no ELF file or has no such section.
 */
export function readModule(path: string, file: Uint8Array): KernelModule {
  const section = sectionOf(file, ".modinfo");
  if (section === undefined) throw new Error(`The kernel module "${path}" has no .modinfo`);
  const fields = new TextDecoder().decode(section).split("\0").filter((field) => field !== "");
  const valuesOf = (key: string) =>
    fields.filter((field) => field.startsWith(`${key}=`)).map((field) =>
      field.slice(key.length + 1)
    );
  const depends = valuesOf("depends").flatMap((list) => list.split(","));
  const before = valuesOf("softdep").flatMap((text) => {
    const early = /(?:^|\s)pre:((?:\s+[^\s:]+(?=\s|$))*)/.exec(text)?.[1] ?? "";
    return early.split(/\s+/).filter((name) => name !== "");
  });
  return {
    name: moduleNameOf(path),
    path,
    depends: depends.filter((name) => name !== "").map(moduleNameOf),
    before,
    aliases: valuesOf("alias"),
  };
}

/** The name in lsmod of a module's file, or of a name written with dashes. */
export function moduleNameOf(path: string): string {
  return path.replace(/^.*\//, "").replace(/\.ko$/, "").replaceAll("-", "_");
}

/** Why modules have no order. */
export type OrderRefusal =
  | { readonly code: "no_module"; readonly name: string; readonly neededBy: string | undefined }
  | { readonly code: "module_cycle"; readonly name: string };

/**
 * Puts modules into an order in which each can be loaded: what one needs comes before it.
 *
 * @param wanted Names of modules.
 * @param options.builtin Names of modules that the kernel has built in: nothing to load.
 * @returns The wanted modules and all they need, each once.
 * @outcome `no_module` Neither the folder nor the kernel itself has that module.
 * @outcome `module_cycle` A module needs itself; it could never be loaded.
 */
export function loadOrder(
  wanted: readonly string[],
  { modules, builtin }: {
    readonly modules: ReadonlyMap<string, KernelModule>;
    readonly builtin: ReadonlySet<string>;
  },
): Result<
  readonly KernelModule[],
  OrderRefusal
> {
  const order = new Set<KernelModule>();
  const open = new Set<string>();
  for (const name of wanted) {
    const refusal = visit(name, undefined);
    if (refusal !== undefined) return err(refusal);
  }
  return ok([...order]);

  function visit(name: string, neededBy: string | undefined): OrderRefusal | undefined {
    const module = modules.get(name);
    if (module === undefined) {
      return builtin.has(name) ? undefined : { code: "no_module", name, neededBy };
    }
    if (order.has(module)) return undefined;
    if (open.has(name)) return { code: "module_cycle", name };
    open.add(name);
    const early = module.before.map(moduleNameOf).filter((soft) => modules.has(soft));
    for (const need of [...early, ...module.depends]) {
      const refusal = visit(need, name);
      if (refusal !== undefined) return refusal;
    }
    order.add(module);
    return undefined;
  }
}

/**
 * Writes the two lists by which `modprobe` finds what the kernel asks for while it runs.
 *
 * @param modules All modules that are there, with everything they depend on.
 */
export function moduleLists(
  modules: ReadonlyMap<string, KernelModule>,
  builtin: ReadonlySet<string>,
): { readonly dependencies: string; readonly aliases: string } {
  const sorted = [...modules.values()].toSorted((a, b) => a.path < b.path ? -1 : 1);
  const dependencies = sorted.map((module) => {
    const order = loadOrder([module.name], { modules, builtin });
    if (!order.ok) throw new Error(`The module "${module.name}" lacks what it needs`);
    const needs = order.value.slice(0, -1).toReversed().map(({ path }) => path);
    return `${module.path}:${needs.map((path) => ` ${path}`).join("")}\n`;
  });
  const aliases = sorted.flatMap(({ name, aliases }) =>
    aliases.map((alias) => `alias ${alias} ${name}\n`)
  );
  return { dependencies: dependencies.join(""), aliases: aliases.join("") };
}
