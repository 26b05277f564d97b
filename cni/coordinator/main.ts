import { systemClock } from "../../src/base/clock.ts";
import type { ProgramPorts } from "../../src/base/program.ts";
import { systemRandom } from "../../src/base/random.ts";
import { runPlugin } from "../../src/cni/plugin.ts";
import { systemFiles } from "../../src/cni/system_files.ts";
import type { CommandPorts, PluginPorts } from "./commands.ts";
import { recordFiles } from "./record_files.ts";

/**
 * Runs the CNI plugin `coordinator` once, and gives its exit code. Each command loads what it
 * needs, so that a plugin that is asked for its version loads nothing.
 */
export function run(ports: ProgramPorts): Promise<number> {
  if (Deno.build.standalone) {
    for (const name of NEVER_NEEDED) Deno.permissions.revokeSync({ name });
  }
  const real = realPorts(ports);
  return runPlugin("coordinator", ports, {
    commands: {
      ADD: async (call) => (await import("./add.ts")).add(call, await withKernel(real)),
      DEL: async (call) => (await import("./del.ts")).del(call, await withKernel(real)),
      CHECK: async (call) => (await import("./check.ts")).check(call, await withKernel(real)),
      STATUS: async (call) => (await import("./status.ts")).status(call, real),
      GC: async (call) => (await import("./gc.ts")).gc(call, await withKernel(real)),
    },
  });
}

/** Rights of the one executable of all programs that this one gives up as it starts. */
const NEVER_NEEDED = ["run", "sys"] as const;

function realPorts({ writeError }: ProgramPorts): CommandPorts {
  return {
    connect: (path) => Deno.connect({ transport: "unix", path }),
    // Not Clock.sleep(): the first timer of setTimeout() costs as much as half a start.
    deadline: (timeoutMs) => AbortSignal.timeout(timeoutMs),
    endConnecting: () => {
      Deno.permissions.revokeSync({ name: "net" });
    },
    clock: systemClock(),
    files: systemFiles(Deno),
    recordFiles: recordFiles(Deno),
    writeError,
  };
}

/** The kernel's part is the larger half of the plugin: who does not need it does not load it. */
async function withKernel(ports: CommandPorts): Promise<PluginPorts> {
  const { systemKernel } = await import("./system_kernel.ts");
  return { ...ports, kernel: systemKernel, random: systemRandom() };
}
