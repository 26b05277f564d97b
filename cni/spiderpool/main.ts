import { systemClock } from "../../src/base/clock.ts";
import type { ProgramPorts } from "../../src/base/program.ts";
import { runPlugin } from "../../src/cni/plugin.ts";
import { systemFiles } from "../../src/cni/system_files.ts";
import type { PluginPorts } from "./commands.ts";

/**
 * Runs the CNI plugin `spiderpool` once, and gives its exit code. Each command loads what it needs,
 * so that a plugin that is asked for its version loads nothing.
 */
export function run(ports: ProgramPorts): Promise<number> {
  if (Deno.build.standalone) {
    for (const name of NEVER_NEEDED) Deno.permissions.revokeSync({ name });
  }
  const real = realPorts(ports);
  return runPlugin("spiderpool", ports, {
    commands: {
      ADD: async (call) => (await import("./add.ts")).add(call, real),
      DEL: async (call) => (await import("./del.ts")).del(call, real),
      CHECK: async (call) => (await import("./check.ts")).check(call, real),
      STATUS: async (call) => (await import("./status.ts")).status(call, real),
      GC: async (call) => (await import("./gc.ts")).gc(call, real),
    },
  });
}

/** Rights of the one executable of all programs that this one gives up as it starts. */
const NEVER_NEEDED = ["run", "ffi", "sys"] as const;

function realPorts({ writeError }: ProgramPorts): PluginPorts {
  return {
    connect: (path) => Deno.connect({ transport: "unix", path }),
    // Not Clock.sleep(): the first timer of setTimeout() costs as much as half a start.
    deadline: (timeoutMs) => AbortSignal.timeout(timeoutMs),
    endConnecting: () => {
      Deno.permissions.revokeSync({ name: "net" });
    },
    clock: systemClock(),
    files: systemFiles(Deno),
    writeError,
  };
}
