import type { Import } from "./imports.ts";
import { isTest } from "./paths.ts";
import type { Finding, Tree } from "./tree.ts";

/** Packages that cost a plugin more than its whole start. */
const HEAVY_PACKAGES = new Set(["zod", "@kubernetes/client-node", "prom-client", "yaml"]);
/** What every plugin loads, whatever else it imports. */
const PLUGIN_FILE = /^(?:cni\/|src\/cni\/|src\/api\/agent\.ts$|main\.ts$)/;
const HEAVY_FOLDERS = ["src/agent/", "src/controller/"];

/** Rule `cycle`: no file imports itself, through whatever chain; types count. */
export function checkCycles(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  const done = new Set<string>();
  const chain: string[] = [];
  const onChain = new Set<string>();
  function visit(path: string): void {
    if (done.has(path)) return;
    chain.push(path);
    onChain.add(path);
    for (const one of tree.modules.get(path)?.imports ?? []) {
      if (one.target.kind !== "file" || !tree.modules.has(one.target.path)) continue;
      if (onChain.has(one.target.path)) {
        findings.push(cycleFinding(one, { path, chain, start: one.target.path }));
      } else visit(one.target.path);
    }
    chain.pop();
    onChain.delete(path);
    done.add(path);
  }
  for (const path of tree.modules.keys()) visit(path);
  return findings;
}

function cycleFinding(one: Import, { path, chain, start }: {
  readonly path: string;
  readonly chain: readonly string[];
  readonly start: string;
}): Finding {
  const loop = [...chain.slice(chain.indexOf(start)), start].join(" -> ");
  return {
    path,
    line: one.line,
    rule: "cycle",
    message: `imports go in a circle: ${loop}; move what both need into a file of its own`,
  };
}

/**
 * Rule `plugin`: what a CNI plugin loads at run time never reaches a heavy package, the agent or
 * the controller. One finding for each such import, with the chain that leads there.
 */
export function checkPlugins(tree: Tree): readonly Finding[] {
  const findings: Finding[] = [];
  const cameFrom = new Map<string, string | undefined>();
  const waiting: string[] = [];
  for (const path of tree.modules.keys()) {
    if (!PLUGIN_FILE.test(path) || isTest(path)) continue;
    cameFrom.set(path, undefined);
    waiting.push(path);
  }
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    for (const one of tree.modules.get(path)?.imports ?? []) {
      // The one program that main.ts loads on demand is looked at for itself.
      if (one.typeOnly || (path === "main.ts" && one.isDynamic)) continue;
      const heavy = heavyName(one);
      if (heavy !== undefined) {
        const chain = [...chainTo(path, cameFrom), heavy].join(" -> ");
        findings.push({
          path,
          line: one.line,
          rule: "plugin",
          message: `a CNI plugin would load ${heavy} at every pod start: ${chain}; ` +
            `use "import type", or a hand-written parser`,
        });
      } else if (one.target.kind === "file" && !cameFrom.has(one.target.path)) {
        cameFrom.set(one.target.path, path);
        waiting.push(one.target.path);
      }
    }
  }
  return findings;
}

function heavyName(one: Import): string | undefined {
  const { target } = one;
  if (target.kind === "package") return HEAVY_PACKAGES.has(target.name) ? target.name : undefined;
  if (target.kind !== "file") return undefined;
  return HEAVY_FOLDERS.some((folder) => target.path.startsWith(folder)) ? target.path : undefined;
}

function chainTo(
  path: string,
  cameFrom: ReadonlyMap<string, string | undefined>,
): readonly string[] {
  const before = cameFrom.get(path);
  return before === undefined ? [path] : [...chainTo(before, cameFrom), path];
}
