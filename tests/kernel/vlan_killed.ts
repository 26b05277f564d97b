/**
 * The program `vlan` as it is, but for its end: `vlan_killed.ts COUNT` kills itself with SIGKILL
 * when its ADD has come to the place COUNT. Places are after each operation on the kernel, and
 * after the IPAM plugin has answered. Where there are fewer, it ends as it always does. First it
 * has a DEL done, and ends with 3 if that leaves a link in the pod.
 */
import { processPorts } from "../../src/base/program.ts";
import { VlanPod } from "../../src/datapath/apply/vlan.ts";
import { run } from "../../cni/vlan/main.ts";

let left = Infinity;

/** Comes to a place. */
function place(): void {
  if (--left > 0) return;
  Deno.kill(Deno.pid, "SIGKILL");
  // The signal ends the process before this call returns; nothing may come after it.
  throw new Error("A killed process goes on");
}

const { apply } = VlanPod.prototype;

VlanPod.prototype.apply = function (operations) {
  for (const operation of operations) {
    const done = apply.call(this, [operation]);
    if (!done.ok) return done;
    place();
  }
  return { ok: true, value: undefined };
};

const { setting } = VlanPod.prototype;

// What is asked first once there are addresses.
VlanPod.prototype.setting = function (path) {
  place();
  return setting.call(this, path);
};

if (import.meta.main) {
  const ports = processPorts(Deno, { args: [] });
  const input = ports.readInput({ bytesMax: 1_000_000 });
  const command = (name: string): Promise<number> =>
    run({
      ...ports,
      readInput: () => input,
      readEnvironment: (variable) => variable === "CNI_COMMAND" ? name : Deno.env.get(variable),
    });
  const deleted = await command("DEL");
  const isClean = (): boolean => {
    using pod = VlanPod.open(Deno.env.get("CNI_NETNS") ?? "");
    return pod.podLinks().every(({ name }) => name === "lo");
  };
  if (deleted !== 0 || !isClean()) Deno.exit(3);
  left = Number(Deno.args[0]);
  Deno.exitCode = await command("ADD");
}
