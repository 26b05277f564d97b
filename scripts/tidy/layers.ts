import type { Import } from "./imports.ts";
import { isTest, nameOf } from "./paths.ts";
import type { Finding, Module, Tree } from "./tree.ts";

/** What one part of the tree may import, beside itself. */
interface Part {
  /** Where it stands, for messages. */
  readonly layer: string;
  /** Parts it may import; `"any"` is every part but tests and scripts. */
  readonly parts: readonly string[] | "any";
  /** Packages of npm. */
  readonly packages: readonly string[] | "any";
}

const L0 = ["src/base", "src/ip"];
const TO_L3 = [
  ...L0,
  "src/netlink",
  "src/kube",
  "src/store",
  "src/api",
  "src/cni",
  "src/ipam",
  "src/datapath",
];
const TO_DAEMON = [...TO_L3, "src/daemon"];
const PLUGIN: Part = { layer: "L4", parts: TO_L3, packages: [] };

/** The table of the style page, row by row. A part that is not here does not belong in the tree. */
const PARTS: ReadonlyMap<string, Part> = new Map(Object.entries<Part>({
  "src/base": { layer: "L0", parts: [], packages: [] },
  "src/ip": { layer: "L0", parts: ["src/base"], packages: ["ipaddr.js"] },
  "src/netlink": { layer: "L1", parts: L0, packages: [] },
  "src/kube": { layer: "L1", parts: L0, packages: ["@kubernetes/client-node", "yaml"] },
  "src/store": { layer: "L1", parts: L0, packages: ["yaml"] },
  "src/api": { layer: "L2", parts: L0, packages: ["zod"] },
  "src/cni": { layer: "L2", parts: L0, packages: [] },
  "src/ipam": { layer: "L3", parts: [...L0, "src/api"], packages: [] },
  "src/datapath": { layer: "L3", parts: [...L0, "src/api"], packages: [] },
  // What programs that run for long share; it acts through ports, as they do.
  "src/daemon": {
    layer: "between L3 and L4",
    parts: [...L0, "src/kube", "src/api", "src/ipam"],
    packages: ["yaml"],
  },
  "src/agent": { layer: "L4", parts: TO_DAEMON, packages: ["prom-client", "yaml"] },
  "src/controller": {
    layer: "L4",
    parts: TO_DAEMON,
    packages: ["prom-client", "yaml", "@peculiar/x509", "reflect-metadata"],
  },
  "src/init": { layer: "L4", parts: TO_DAEMON, packages: ["yaml"] },
  "src/cli": { layer: "L4", parts: TO_L3, packages: ["yaml"] },
  "src/dashboard": { layer: "L4", parts: TO_L3, packages: [] },
  "cni/spiderpool": PLUGIN,
  "cni/coordinator": PLUGIN,
  "cni/ifacer": PLUGIN,
  "cni/vlan": PLUGIN,
  "mod.ts": {
    layer: "the library",
    parts: ["src/ip", "src/ipam", "src/netlink", "src/kube"],
    packages: [],
  },
  "main.ts": { layer: "L5", parts: "any", packages: "any" },
}));

/** Files whose own row of the table differs from their folder's. */
const EXCEPTIONS: readonly { readonly file: RegExp; readonly part: Part }[] = [
  // Performs plans, so it alone of its folder knows the kernel; a folder of that name if it grows.
  {
    file: /^src\/datapath\/apply(?:\.ts|\/.*)$/,
    part: { layer: "L3", parts: [...L0, "src/api", "src/netlink"], packages: [] },
  },
  // What plugin and agent say to each other: read at each start of a plugin.
  {
    file: /^src\/api\/agent\.ts$/,
    part: { layer: "L2", parts: L0, packages: [] },
  },
  {
    file: /^src\/base\/metrics_sink\.ts$/,
    part: { layer: "L0", parts: [], packages: ["prom-client"] },
  },
  {
    file: /^src\/(?:agent|controller|cli)\/config(?:\.ts|\/.*)$/,
    part: { layer: "L4", parts: TO_DAEMON, packages: ["zod", "yaml"] },
  },
];

const ENTRY = /^(?:cni\/[^/]+\/|src\/(?:agent|controller|init|cli)\/)?main\.ts$/;

/** A program's own entry: L5. */
export function isEntry(path: string): boolean {
  return ENTRY.test(path);
}

/** The real ports that the entries of daemons share: imported by entries alone. */
export function isMachine(path: string): boolean {
  return path === "src/daemon/machine.ts";
}

/** Only `src/datapath/apply.ts` acts; the rest of that folder plans. */
export function isApply(path: string): boolean {
  return /^src\/datapath\/apply(?:\.ts|\/.*)$/.test(path);
}

/** The part of the tree that a source file belongs to: `src/ip`, `cni/vlan`, `main.ts`, ... */
function partNameOf(path: string): string {
  if (isEntry(path)) return "main.ts";
  return path.split("/").slice(0, path.startsWith("src/") || path.startsWith("cni/") ? 2 : 1).join(
    "/",
  );
}

function partOf(path: string): Part | undefined {
  const exception = EXCEPTIONS.find(({ file }) => file.test(path));
  return exception?.part ?? PARTS.get(partNameOf(path));
}

/**
 * Rule `layer`: who may import whom, and which packages; the table is exact. Tests and scripts may
 * import anything, but through the import map as well.
 */
export function checkLayers(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  for (const module of tree.modules.values()) {
    const { path } = module;
    const isFree = isTest(path) || path.startsWith("scripts/");
    const part = partOf(path);
    if (part === undefined && !isFree) {
      const message = `${partNameOf(path)} is no part of the layer table: put the file where the ` +
        `table has a row for it`;
      findings.push({ path, line: 1, rule: "layer", message });
    }
    for (const one of module.imports) {
      const message = mapRefusal(one) ??
        (isFree || part === undefined ? undefined : refusalOf(one, { module, part, tree }));
      if (message !== undefined) findings.push({ path, line: one.line, rule: "layer", message });
    }
  }
  return findings;
}

function mapRefusal({ target, specifier }: Import): string | undefined {
  if (target.kind !== "other" || specifier === undefined) return undefined;
  return `"${specifier}" goes around the import map: use a relative path or a name it has`;
}

function refusalOf(one: Import, { module, part, tree }: {
  readonly module: Module;
  readonly part: Part;
  readonly tree: Tree;
}): string | undefined {
  switch (one.target.kind) {
    case "file":
      return tree.texts.has(one.target.path)
        ? fileRefusal(one.target.path, { module, part })
        : `"${one.specifier}" is not in the tree: import an existing file, with its extension`;
    case "package": {
      const { name } = one.target;
      if (part.packages === "any" || part.packages.includes(name)) return undefined;
      const allowed = part.packages.length === 0 ? "no package" : part.packages.join(", ");
      return `"${name}" is not for ${part.layer} ${module.path}: it may import ${allowed} of npm`;
    }
    case "node":
      return undefined;
    case "other":
      return "a computed import() hides what it loads: write the path as a string";
  }
}

function fileRefusal(
  target: string,
  { module, part }: { readonly module: Module; readonly part: Part },
): string | undefined {
  if (isTest(target)) return `source must not import the test file ${target}: move what both need`;
  if (target.startsWith("scripts/")) {
    return `source must not import ${target}: scripts import source, never the reverse`;
  }
  const own = partNameOf(module.path);
  const other = partNameOf(target);
  if (isEntry(target) && module.path !== "main.ts") {
    return `${target} is an entry point: nothing but main.ts imports it`;
  }
  if (isMachine(target) && !isEntry(module.path)) {
    return `${target} builds real ports: only an entry point imports it`;
  }
  if (own === other && isApply(target) && !isApply(module.path)) {
    return `a plan must not import ${nameOf(target)}: the caller plans first and applies then`;
  }
  if (own === other || part.parts === "any" || part.parts.includes(other)) return undefined;
  const allowed = [own, ...part.parts].join(", ");
  const otherLayer = PARTS.get(other)?.layer ?? "no layer";
  const sibling = part.layer === otherLayer ? " (siblings never import each other)" : "";
  return `${own} (${part.layer}) must not import ${other} (${otherLayer})${sibling}: ` +
    `it may import ${allowed}; hand it in as a port or move it down`;
}
