/** The coordinator, started as a container runtime does, and called within this process. */
import * as path from "node:path";
import { add } from "../../../cni/coordinator/add.ts";
import { begin, type PluginPorts } from "../../../cni/coordinator/commands.ts";
import { del } from "../../../cni/coordinator/del.ts";
import { recordFiles } from "../../../cni/coordinator/record_files.ts";
import { readRequest } from "../../../cni/coordinator/request.ts";
import { systemKernel } from "../../../cni/coordinator/system_kernel.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { expectOk } from "../../../src/base/result.ts";
import type { CniCall } from "../../../src/cni/plugin.ts";
import { systemFiles } from "../../../src/cni/system_files.ts";
import type { CoordinatorWish } from "../../../src/datapath/facts.ts";
import { start } from "../../build/programs.ts";
import { type BenchPod, FOLDER } from "./node.ts";

/** Socket of the agent that the plugin asks unless it is told otherwise. */
export const SOCKET = "/run/spidernet/spiderpool.sock";
/** What the agent answers. */
export const ANSWER = {
  mode: "auto",
  overlayPodCIDR: ["10.244.0.0/16", "fd00:244::/56"],
  serviceCIDR: ["10.233.0.0/18", "fd00:233::/116"],
  hijackCIDR: ["169.254.20.10/32"],
  tunePodRoutes: true,
  hostRuleTable: 500,
};
const VERSION = "1.0.0";

/** A NIC that a plugin is asked about. */
export interface BenchNic {
  readonly pod: BenchPod;
  readonly name: string;
  readonly addresses: readonly string[];
}

/** What the plugin reads on its standard input. */
function configOf({ pod, name, addresses }: BenchNic): Readonly<Record<string, unknown>> {
  const prevResult = {
    cniVersion: VERSION,
    interfaces: [{ name, sandbox: pod.netns }],
    ips: addresses.map((address) => ({ address, interface: 0 })),
  };
  const logOptions = { logFile: path.join(FOLDER, "coordinator.log"), logLevel: "info" };
  return { cniVersion: VERSION, name: "bench", type: "coordinator", logOptions, prevResult };
}

/** Starts the built plugin. @throws {Error} It refuses. */
export async function runPlugin(
  program: string,
  { command, nic }: { readonly command: string; readonly nic: BenchNic },
): Promise<void> {
  const { code, stdout, stderr } = await start(program, {
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: nic.pod.containerId,
      CNI_NETNS: nic.pod.netns,
      CNI_IFNAME: nic.name,
      CNI_PATH: "/opt/cni/bin",
    },
    input: JSON.stringify(configOf(nic)),
  });
  if (code !== 0) throw new Error(`${command} of the coordinator fails: ${stdout}${stderr}`);
}

const PORTS: PluginPorts = {
  connect: (socket) => Deno.connect({ transport: "unix", path: socket }),
  deadline: (timeoutMs) => AbortSignal.timeout(timeoutMs),
  // The process goes on, and connects again.
  endConnecting: () => {},
  clock: systemClock(),
  files: systemFiles(Deno),
  recordFiles: recordFiles(Deno),
  writeError: (text) => {
    throw new Error(text);
  },
  kernel: systemKernel,
  random: systemRandom(),
};

function callOf(nic: BenchNic): CniCall {
  const { pod: { containerId, netns }, name: ifName } = nic;
  return {
    network: { version: VERSION, name: "bench", config: configOf(nic) },
    attachment: { containerId, netns, ifName, args: "" },
  };
}

/** Calls the plugin's ADD or DEL here. @throws {Error} It refuses. */
export async function callPlugin(command: "ADD" | "DEL", nic: BenchNic): Promise<void> {
  const outcome = await (command === "ADD" ? add : del)(callOf(nic), PORTS);
  if (!outcome.ok) throw new Error(`${command} of the coordinator fails: ${outcome.error.msg}`);
}

/** What an ADD of the NIC is asked for. */
export async function wishOf(nic: BenchNic): Promise<CoordinatorWish> {
  const call = callOf(nic);
  const setting = begin("ADD", call, { ports: PORTS });
  if (!setting.ok) throw new Error(setting.error.msg);
  const request = await readRequest(call, setting.value);
  if (!request.ok) throw new Error(request.error.msg);
  const { wish } = expectOk(request, "the configuration is good");
  if (wish === undefined) throw new Error("The coordinator is disabled");
  return wish;
}
