import type { CniCall, CniOutcome } from "../../src/cni/plugin.ts";
import { type CommandPorts, passOn } from "./commands.ts";

/** Has the IPAM plugin look for what is stale: NICs go with the namespaces of their pods. */
export function gc(call: CniCall, ports: CommandPorts): Promise<CniOutcome> {
  return passOn("GC", call, { ports });
}
