import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { type CommandPorts, passOn } from "./commands.ts";

/** Says whether an ADD could be served: what the IPAM plugin says. */
export function status(call: CniCall, ports: CommandPorts): Promise<CniOutcome> {
  return passOn("STATUS", call, { ports });
}
