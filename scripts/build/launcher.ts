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

/** What each program may do; a program that is not here may do nothing. */
const PERMISSIONS: ReadonlyMap<string, readonly string[]> = new Map(
  ["spiderpool", "coordinator", "ifacer", "vlan"].map((plugin) => [
    plugin,
    ["--allow-env=CNI_COMMAND"],
  ]),
);

/**
 * Text of the launcher: a POSIX shell script, one file under all names, that starts `deno` beside
 * it by the name it was itself started as.
 *
 * It calls no program but `deno`, and needs nothing of the environment: Deno keeps no cache
 * (`DENO_DIR` is no folder), asks nobody about updates and reads no `package.json`.
 */
export function launcherText(): string {
  const cases = [...PERMISSIONS].map(([name, flags]) => `  ${name}) may='${flags.join(" ")}' ;;`);
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
    "case $name in",
    ...cases,
    "esac",
    "export DENO_DIR=/dev/null DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1",
    "# $may is left to be split into words.",
    `exec "$deno" run ${ISOLATION.join(" ")} $may "$here/${RUNTIME_FOLDER}/main.js" "$name" "$@"`,
    "",
  ].join("\n");
}
