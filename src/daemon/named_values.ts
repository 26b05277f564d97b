/** What a command is told as `--name VALUE`, where each name has to be said. */

/**
 * Reads a command line of exactly these names, in any order.
 *
 * @returns A value of each name, in their order, none empty; `undefined`: something else was said.
 */
export function readNamedValues(
  args: readonly string[],
  { names }: { readonly names: readonly string[] },
): readonly string[] | undefined {
  const values = new Map<string, string>();
  for (let index = 0; index < args.length; index += 2) {
    values.set(args[index] ?? "", args[index + 1] ?? "");
  }
  const found = names.map((name) => values.get(name) ?? "");
  return args.length === names.length * 2 && !found.includes("") ? found : undefined;
}

/** Says that a command was not understood. @param command The program's name, and the command. */
export function notUnderstood(
  command: string,
  { args, usage }: { readonly args: readonly string[]; readonly usage: string },
): string {
  const given = args.map((one) => `"${one}"`).join(" ");
  return `Cannot run ${command} with ${given}: use ${usage}`;
}
