import { systemClock } from "../../src/base/clock.ts";
import type { ProgramPorts } from "../../src/base/program.ts";
import type { DelegatePorts } from "../../src/cni/delegate.ts";
import { runPlugin } from "../../src/cni/plugin.ts";
import type { AddPorts, CommandPorts, KernelPorts } from "./commands.ts";

/**
 * Runs the CNI plugin `vlan` once, and gives its exit code. Each command loads what it needs, so
 * that a plugin that is asked for its version loads nothing.
 */
export function run(ports: ProgramPorts): Promise<number> {
  giveUp("sys");
  const real = commandPorts(ports);
  const withoutAgent = (): CommandPorts => {
    giveUp("net");
    return real;
  };
  return runPlugin("vlan", ports, {
    commands: {
      ADD: async (call) => (await import("./add.ts")).add(call, await addPorts(real)),
      DEL: async (call) => (await import("./del.ts")).del(call, await withKernel(withoutAgent())),
      CHECK: async (call) => {
        return (await import("./check.ts")).check(call, await withKernel(withoutAgent()));
      },
      STATUS: async (call) => (await import("./status.ts")).status(call, withoutAgent()),
      GC: async (call) => (await import("./gc.ts")).gc(call, withoutAgent()),
    },
  });
}

/** Launchers give no right that is not needed; the one executable has those of all programs. */
function giveUp(name: "sys" | "net"): void {
  if (Deno.build.standalone) Deno.permissions.revokeSync({ name });
}

function commandPorts({ readEnvironment }: ProgramPorts): CommandPorts {
  return {
    folders: readEnvironment("CNI_PATH") ?? "",
    isFile,
    execute,
    // Not Clock.sleep(): the first timer of setTimeout() costs as much as half a start.
    deadline: (timeoutMs) => AbortSignal.timeout(timeoutMs),
  };
}

/** The kernel's part is the larger half of the plugin: who does not need it does not load it. */
async function withKernel(real: CommandPorts): Promise<KernelPorts> {
  const { VlanPod } = await import("../../src/datapath/apply/vlan.ts");
  return {
    ...real,
    openPod: (netns) => VlanPod.open(netns),
    openPodIfThere: (netns) => VlanPod.openIfThere(netns),
  };
}

async function addPorts(real: CommandPorts): Promise<AddPorts> {
  return {
    ...await withKernel(real),
    connect: (path) => Deno.connect({ transport: "unix", path }),
    endConnecting: () => {
      Deno.permissions.revokeSync({ name: "net" });
    },
    clock: systemClock(),
  };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Its standard error is this one's, so that what it complains of is read where this is. */
const execute: DelegatePorts["execute"] = async (path, { command, input, signal }) => {
  const child = new Deno.Command(path, {
    env: { CNI_COMMAND: command },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
    signal,
  }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(new TextEncoder().encode(input)).then(() => writer.close());
  // It may end without reading.
  const [{ code, stdout }] = await Promise.all([child.output(), written.catch(() => {})]);
  return { code, printed: new TextDecoder().decode(stdout) };
};
