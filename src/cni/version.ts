/** Versions of the CNI specification that the plugins speak, oldest first. */
export const CNI_VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;
/** One of `CNI_VERSIONS`. */
export type CniVersion = typeof CNI_VERSIONS[number];
/** The last of `CNI_VERSIONS`: what is answered where nothing else is known. */
export const CNI_VERSION_NEWEST: CniVersion = "1.1.0";

/** Every value of `CNI_COMMAND`. */
export const CNI_COMMANDS = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"] as const;
/** One of `CNI_COMMANDS`. */
export type CniCommandName = typeof CNI_COMMANDS[number];

/** Version that a configuration without `cniVersion` has, by the specification's library. */
export const CNI_VERSION_UNSAID = "0.1.0";

/** The version that a text names; `undefined` if the plugins do not speak it. */
export function parseCniVersion(text: string): CniVersion | undefined {
  return CNI_VERSIONS.find((version) => version === text);
}

/** The command that a text names. */
export function parseCniCommand(text: string | undefined): CniCommandName | undefined {
  return CNI_COMMANDS.find((command) => command === text);
}

/** Whether a version is as new as `since`. */
export function isSince(
  version: CniVersion,
  { since }: { readonly since: CniVersion },
): boolean {
  return CNI_VERSIONS.indexOf(version) >= CNI_VERSIONS.indexOf(since);
}

/** The version that brought a command. */
export function commandSince(command: CniCommandName): CniVersion {
  switch (command) {
    case "ADD":
    case "DEL":
    case "VERSION":
      return "0.3.0";
    case "CHECK":
      return "0.4.0";
    case "GC":
    case "STATUS":
      return "1.1.0";
  }
}
