import type { Variables } from "../../src/api/environment.ts";
import {
  AGENT_VARIABLES,
  MULTUS_VARIABLES,
  PLUGIN_VARIABLES,
} from "../../src/api/environment_agent.ts";
import { CONTROLLER_VARIABLES } from "../../src/api/environment_controller.ts";
import { CLEAN_VARIABLES, INIT_VARIABLES, POLICY_ROUTES } from "../../src/api/environment_init.ts";
import { FIRST_PART, PART_MARK } from "./parts.ts";

/** Folder beside the launchers that holds `deno` and the bundle. */
export const RUNTIME_FOLDER = "spiderpool.runtime";

/** Flags that make Deno ignore whatever lies around it and load nothing but the bundle. */
const ISOLATION = [
  "--quiet",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--cached-only",
  "--no-prompt",
  "--no-code-cache",
] as const;

/** Variables that the specification of CNI has for a plugin. */
const CNI_VARIABLES = [
  "CNI_COMMAND",
  "CNI_CONTAINERID",
  "CNI_NETNS",
  "CNI_IFNAME",
  "CNI_ARGS",
  "CNI_PATH",
].join(",");

/** Variables of a daemon, of who looks for the API server, and of the YAML package. */
function daemonEnvironment(variables: Variables): string {
  return [
    ...Object.values(variables).flatMap(({ name, aliases }) => [name, ...aliases]),
    "KUBECONFIG",
    "KUBERNETES_SERVICE_HOST",
    "KUBERNETES_SERVICE_PORT",
    "HOME",
    "LOG_TOKENS",
    "LOG_STREAM",
  ].join(",");
}

/**
 * Megabytes of V8's young generation: its own 16 cost an agent 25 MB more, once it has read a list
 * of 60,000 rows, and save no CPU that can be measured.
 */
export const YOUNG_HEAP = "--v8-flags=--max-semi-space-size=4";

/**
 * What each program may do; a program that is not here may do nothing.
 *
 * `spiderpool` connects to a unix socket and writes a log, at paths that a network configuration
 * names: Deno takes `net`, `read` and `write` for the one, and the paths are not known here. So
 * does `coordinator`, which also calls libc for the kernel. Nor are the agent's paths known: its
 * socket, its configuration and the kubelet's folder are where settings say.
 */
const PERMISSIONS: ReadonlyMap<string, readonly string[]> = new Map([
  ["spiderpool", [
    `--allow-env=${CNI_VARIABLES}`,
    "--allow-net",
    "--allow-read",
    "--allow-write",
    // For probes, if the agent wants them: libc.
    "--allow-ffi",
  ]],
  ["coordinator", [
    `--allow-env=${CNI_VARIABLES}`,
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-ffi",
  ]],
  ["ifacer", [`--allow-env=${CNI_VARIABLES}`, "--allow-read", "--allow-write", "--allow-ffi"]],
  ["vlan", [
    `--allow-env=${CNI_VARIABLES}`,
    // The agent, if it says the VLAN: its socket is where the configuration says.
    "--allow-net",
    "--allow-read",
    "--allow-write",
    "--allow-ffi",
    // The IPAM plugin, which the network configuration names.
    "--allow-run",
  ]],
  ["spiderpool-agent", [
    `--allow-env=${
      daemonEnvironment({ ...AGENT_VARIABLES, ...MULTUS_VARIABLES, ...PLUGIN_VARIABLES })
    }`,
    "--allow-net",
    "--allow-read",
    "--allow-write",
    // For `match_master_subnet`: libc, and the addresses of the node.
    "--allow-ffi",
    "--allow-sys=networkInterfaces",
    YOUNG_HEAP,
  ]],
  // It serves on ports that settings name, and reads its configuration and certificates.
  ["spiderpool-controller", [
    `--allow-env=${daemonEnvironment({ ...CONTROLLER_VARIABLES, ...CLEAN_VARIABLES })}`,
    "--allow-net",
    "--allow-read",
  ]],
  // It reads the node's CNI configurations.
  ["spiderpool-init", [
    `--allow-env=${daemonEnvironment(INIT_VARIABLES)},${POLICY_ROUTES}`,
    "--allow-net",
    "--allow-read",
  ]],
]);

/** Programs of containers, and their entries. */
const DAEMONS: ReadonlyMap<string, string> = new Map([
  ["spiderpool-agent", "src/agent/main.ts"],
  ["spiderpool-controller", "src/controller/main.ts"],
  ["spiderpool-init", "src/init/main.ts"],
]);

/** Programs that are one script each. */
export const SCRIPT_NAMES: readonly string[] = [...PERMISSIONS.keys()];

/** The file of `RUNTIME_FOLDER` with all that a program is. */
export function scriptFile(program: string): string {
  return `${program}.script.js`;
}

/**
 * Text of the module that starts a program: it has the program's script as text, and runs it.
 *
 * Deno looks through each module for what it imports, which takes half the time of a plugin's start
 * (9 ms of CPU for 110 kB, where an empty program takes 16 ms) and 18 MB of the agent's memory for
 * as long as it runs. Text is left alone. The program's end is waited for, so one that never ends
 * is an error and not a success.
 */
export function starterText(program: string): string {
  const imported = `import script from "./${scriptFile(program)}" with { type: "text" };`;
  if (isPlugin(program)) return [imported, ...PARTS_STARTER, ""].join("\n");
  return [
    imported,
    'import { createRequire } from "node:module";',
    "const module = { exports: {} };",
    'new Function("module", "require", script)(module, createRequire(import.meta.url));',
    "Deno.exitCode = await module.exports.start();",
    "",
  ].join("\n");
}

/** A plugin's script is in parts (`parts.ts`); each is run once, when it is first asked for. */
const PARTS_STARTER = [
  `const parts = new Map(script.split(${JSON.stringify(PART_MARK)}).slice(1).map((part) => {`,
  '  const end = part.indexOf("\\n");',
  "  return [part.slice(0, end), part.slice(end + 1)];",
  "}));",
  "const loaded = new Map();",
  "function load(name) {",
  "  let exported = loaded.get(name);",
  "  if (exported === undefined) {",
  '    exported = new Function("load", parts.get(name))(load);',
  "    loaded.set(name, exported);",
  "  }",
  "  return exported;",
  "}",
  `Deno.exitCode = await load(${JSON.stringify(FIRST_PART)}).start();`,
] as const;

/** Source of a program's script. @param root Folder of the source tree. */
export function entryText(program: string, root: URL): string {
  const entry = DAEMONS.get(program) ?? `cni/${program}/main.ts`;
  return [
    `import { run } from "${new URL(entry, root)}";`,
    `import { processPorts } from "${new URL("src/base/program.ts", root)}";`,
    "export function start() {",
    "  return run(processPorts(Deno, { args: Deno.args.slice(1) })); // The first is its name.",
    "}",
    "",
  ].join("\n");
}

/** Whether a container runtime starts it; such a program imports nothing of Node that acts. */
export function isPlugin(program: string): boolean {
  return !DAEMONS.has(program);
}

/**
 * Text of the launcher: a POSIX shell script, one file under all names, that starts `deno` beside
 * it by the name it was itself started as.
 *
 * It calls no program but `deno`, and needs nothing of the environment: Deno keeps no cache
 * (`DENO_DIR` is no folder), asks nobody about updates and reads no `package.json`.
 */
export function launcherText(): string {
  const cases = [...PERMISSIONS].map(([name, flags]) => {
    return `  ${name}) may='${flags.join(" ")}' module=$name.js ;;`;
  });
  return [
    "#!/bin/sh",
    "# Starts the program of this file's name; every name is the same file.",
    "name=${0##*/}",
    "case $0 in */*) here=${0%/*} ;; *) here=. ;; esac",
    `deno=$here/${RUNTIME_FOLDER}/deno`,
    'if [ ! -x "$deno" ]; then',
    `  echo "Cannot start $name: $deno is missing, copy ${RUNTIME_FOLDER} beside $0" >&2`,
    "  exit 2",
    "fi",
    "may=",
    "module=main.js",
    "case $name in",
    ...cases,
    "esac",
    "# Network namespaces are below /proc, where Deno lets only those look who may do everything.",
    'case "$name ${1-}" in "spiderpool-agent --standalone") may=--allow-all ;; esac',
    "# Installing starts what it installs, plugins of ours by chroot.",
    'case "$name ${1-}" in "spiderpool-agent install-"*) may="$may --allow-run" ;; esac',
    "export DENO_DIR=/dev/null DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1",
    "# $may is left to be split into words.",
    `exec "$deno" run ${ISOLATION.join(" ")} $may "$here/${RUNTIME_FOLDER}/$module" "$name" "$@"`,
    "",
  ].join("\n");
}
