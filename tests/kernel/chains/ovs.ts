/** Open vSwitch on a node: its database and its switch, with the kernel's datapath. */
import { runOrThrow } from "../../../scripts/cluster/process.ts";
import { cniPlugin, kernelModule, type Need, program } from "../../support/require.ts";
import type { Namespace } from "../namespace.ts";

const PARTS: readonly Need[] = [
  kernelModule("openvswitch"),
  ...["ovsdb-tool", "ovsdb-server", "ovs-vswitchd", "ovs-vsctl"].map(program),
  cniPlugin("ovs"),
];

/** All of it, as the VM has it; elsewhere nobody installs its programs without the module. */
export const OPEN_VSWITCH: Need = {
  category: "modules",
  label: "Open vSwitch",
  probe: () => PARTS.map(({ probe }) => probe()).find((reason) => reason !== undefined),
};

const SOCKET = "/run/openvswitch/db.sock";
/** Both end when standard input does, so also when the test is killed. */
const KEEPER = `
cd /run/openvswitch
exec 2>log
ovsdb-tool create conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server conf.db --remote=punix:${SOCKET} --no-chdir --unixctl=$PWD/database.ctl &
database=$!
ovs-vswitchd unix:${SOCKET} --no-chdir --unixctl=$PWD/switch.ctl &
switch=$!
cat >/dev/null
kill $switch $database
wait`;
const WAIT_SECONDS = 100;

/** Runs until it is disposed. The node needs a `/run` of its own. */
export class OpenVswitch implements AsyncDisposable {
  readonly #node: Namespace;
  readonly #child: Deno.ChildProcess;

  private constructor(node: Namespace, child: Deno.ChildProcess) {
    this.#node = node;
    this.#child = child;
  }

  /** Starts it; `control` waits for it. */
  static async start(node: Namespace): Promise<OpenVswitch> {
    const [enter, ...words] = node.enter;
    await runOrThrow([enter, ...words, "mkdir", "-p", "/run/openvswitch"]);
    const child = new Deno.Command(enter, {
      args: [...words, "sh", "-ec", KEEPER],
      stdin: "piped",
    }).spawn();
    return new OpenVswitch(node, child);
  }

  /** Runs `ovs-vsctl`, and waits until the switch is as it says. @returns What it printed. */
  async control(...args: readonly string[]): Promise<string> {
    const how = [`--db=unix:${SOCKET}`, "--retry", `--timeout=${WAIT_SECONDS}`];
    return await runOrThrow([...this.#node.enter, "ovs-vsctl", ...how, ...args]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close();
    await this.#child.status;
  }
}
