import { systemClock } from "../../src/base/clock.ts";
import type { ProgramPorts } from "../../src/base/program.ts";
import { ok } from "../../src/base/result.ts";
import { fileLocks } from "../../src/cni/node_lock.ts";
import { runPlugin } from "../../src/cni/plugin.ts";
import type { PluginPorts } from "./commands.ts";

/**
 * Runs the CNI plugin `ifacer` once, and gives its exit code. What it makes stays: other pods stand
 * on it, so DEL and GC have nothing to do, and STATUS nothing to wait for.
 */
export function run(ports: ProgramPorts): Promise<number> {
  if (Deno.build.standalone) {
    for (const name of NEVER_NEEDED) Deno.permissions.revokeSync({ name });
  }
  return runPlugin("ifacer", ports, {
    commands: {
      ADD: async (call) => (await import("./add.ts")).add(call, await realPorts()),
      CHECK: async (call) => (await import("./check.ts")).check(call, await realPorts()),
      DEL: () => Promise.resolve(ok(undefined)),
      STATUS: () => Promise.resolve(ok(undefined)),
      GC: () => Promise.resolve(ok(undefined)),
    },
  });
}

/** Rights of the one executable of all programs that this one gives up as it starts. */
const NEVER_NEEDED = ["run", "net", "sys"] as const;

async function realPorts(): Promise<PluginPorts> {
  const { IfacerNode } = await import("../../src/datapath/apply/ifacer.ts");
  return { tryLock: fileLocks(Deno), clock: systemClock(), openNode: () => IfacerNode.open() };
}
