/** `spiderpool-controller clean`: what it is told, and what it says. */
import { err, ok, type Result } from "../../base/result.ts";
import { notUnderstood, readNamedValues } from "../../daemon/named_values.ts";
import { clean } from "./cleaner.ts";
import { type CommandPorts, runCommand } from "../command.ts";

/** What may be said, each as `--name VALUE` or `--name=VALUE`. */
export const CLEAN_USAGE = "clean --validate NAME --mutating NAME";

/** Removes all that is Spiderpool's, and gives the exit code. */
export async function runClean(
  args: readonly string[],
  ports: CommandPorts,
): Promise<number> {
  const names = readCleanArguments(args);
  if (!names.ok) {
    ports.writeError(`${names.error}\n`);
    return 2;
  }
  return await runCommand(ports, {
    reason: "NotRemoved",
    act: async ({ environment, ...work }) => {
      const failures = await clean({ ...environment, ...names.value }, work);
      const isDone = failures.length === 0;
      if (isDone) work.ports.log.info("nothing of Spiderpool is left in the API server");
      return failures;
    },
  });
}

/** Reads the names of the webhook configurations. */
export function readCleanArguments(
  args: readonly string[],
): Result<{ readonly validatingName: string; readonly mutatingName: string }, string> {
  const words = args.flatMap((one) => {
    const [, name, value] = /^(--[^=]+)=(.*)$/s.exec(one) ?? [];
    return name === undefined || value === undefined ? [one] : [name, value];
  });
  const names = ["--validate", "--mutating"];
  const [validatingName, mutatingName] = readNamedValues(words, { names }) ?? [];
  if (validatingName !== undefined && mutatingName !== undefined) {
    return ok({ validatingName, mutatingName });
  }
  return err(notUnderstood("spiderpool-controller clean", { args, usage: CLEAN_USAGE }));
}
