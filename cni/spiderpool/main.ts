import { systemClock } from "../../src/base/clock.ts";
import type { ProgramPorts } from "../../src/base/program.ts";
import { runPlugin } from "../../src/cni/plugin.ts";
import { systemFiles } from "../../src/cni/system_files.ts";
import type { AddPorts, PluginPorts } from "./commands.ts";

/**
 * Runs the CNI plugin `spiderpool` once, and gives its exit code. Each command loads what it needs,
 * so that a plugin that is asked for its version loads nothing.
 */
export function run(ports: ProgramPorts): Promise<number> {
  for (const name of NEVER_NEEDED) giveUp(name);
  const real = realPorts(ports);
  const withoutKernel = (): PluginPorts => {
    giveUp("ffi");
    return real;
  };
  return runPlugin("spiderpool", ports, {
    commands: {
      ADD: async (call) => (await import("./add.ts")).add(call, real),
      DEL: async (call) => (await import("./del.ts")).del(call, withoutKernel()),
      CHECK: async (call) => (await import("./check.ts")).check(call, withoutKernel()),
      STATUS: async (call) => (await import("./status.ts")).status(call, withoutKernel()),
      GC: async (call) => (await import("./gc.ts")).gc(call, withoutKernel()),
    },
  });
}

/** Rights of the one executable of all programs that this one gives up as it starts. */
const NEVER_NEEDED = ["run", "sys"] as const;

/** Launchers give no right that is not needed; the one executable has those of all programs. */
function giveUp(name: "run" | "sys" | "ffi"): void {
  if (Deno.build.standalone) Deno.permissions.revokeSync({ name });
}

function realPorts({ writeError }: ProgramPorts): AddPorts {
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
    loadProbing: async () => {
      const [{ prove }, { openSystemNic: openNic }] = await Promise.all([
        import("./probing.ts"),
        import("./system_nic.ts"),
      ]);
      return (answer, options) => prove(answer, { ...options, openNic });
    },
  };
}
