/** `spiderpool-controller give-back`: what it is told, and what it says. */
import { StoreFailure } from "../../base/object_store.ts";
import { err } from "../../base/result.ts";
import { type CommandPorts, runCommand } from "../command.ts";
import { giveBack } from "./giver.ts";

/** What may be said. */
export const GIVE_BACK_USAGE = "give-back";

/** Writes records back into the pools, and gives the exit code. */
export async function runGiveBack(
  args: readonly string[],
  ports: CommandPorts,
): Promise<number> {
  if (args.length > 0) {
    const given = args.map((one) => `"${one}"`).join(" ");
    ports.writeError(
      `Cannot run spiderpool-controller give-back with ${given}: it takes nothing\n`,
    );
    return 2;
  }
  return await runCommand(ports, {
    reason: "NotGivenBack",
    act: async ({ environment: { namespace }, ...work }) => {
      const given = await giveBack(namespace, work).catch((error: unknown) => {
        if (!(error instanceof StoreFailure)) throw error;
        return err(`Cannot give addresses back: ${error.message}`);
      });
      if (!given.ok) return [given.error];
      work.ports.log.info("every pool has its records: install the reference's definitions now", {
        ...given.value,
      });
      return [];
    },
  });
}
