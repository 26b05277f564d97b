/** The SR-IOV NIC of the VM, in a lab: its VFs on the node, its wire at the switch. */
import { runOrThrow, waitFor } from "../../../scripts/cluster/process.ts";
import { MACHINE_VARIABLE } from "../../../scripts/vm/machine.ts";
import { script } from "../coordinator/namespaces.ts";
import type { Namespace } from "../namespace.ts";
import { cniPlugin, type Need } from "../../support/require.ts";
import type { Lab, Pod } from "./lab.ts";

/** What the machine has, and no other: a test takes the NIC away from it. */
const NIC: Need = {
  category: "modules",
  label: "an SR-IOV NIC that it may take",
  probe() {
    const kind = Deno.env.get(MACHINE_VARIABLE);
    return kind === "sriov" ? undefined : "the second machine of `deno task test:vm` has one";
  },
};

/** The NIC, and the plugin that gives VFs to pods. */
export const SRIOV: readonly Need[] = [NIC, cniPlugin("host-device")];

const DEVICES = "/sys/bus/pci/devices";
/** A driver of VFs looks at its link every two seconds, and once more in a busy emulator. */
const CARRIER_MS = 100_000;

/** A virtual function. */
export interface VirtualFunction {
  /** Its PCI address. */
  readonly address: string;
  /** What its NIC is called on the node. */
  readonly nic: string;
}

/** Physical function `pf0` of a lab's node, with VFs. It goes back to the machine. */
export class SriovNic implements AsyncDisposable {
  readonly vfs: readonly VirtualFunction[];
  readonly #lab: Lab;
  readonly #address: string;

  private constructor(
    lab: Lab,
    { address, vfs }: { readonly address: string; readonly vfs: readonly VirtualFunction[] },
  ) {
    this.#lab = lab;
    this.#address = address;
    this.vfs = vfs;
  }

  /**
   * Gives the NIC to the node, and the other end of its wire to the lab's switch.
   *
   * @param options.vfs How many it is to have.
   */
  static async plugInto(lab: Lab, { vfs: count }: { readonly vfs: number }): Promise<SriovNic> {
    const address = await machineRun("basename /sys/bus/pci/drivers/igb/0000:*");
    const far = await machineRun("basename /sys/bus/virtio/drivers/virtio_net/virtio*/net/*");
    const physical = await nicOf(address);
    await machineRun(`ip link set ${far} netns ${lab.wire.pid} name far0`);
    await machineRun(`ip link set ${physical} netns ${lab.node.pid} name pf0`);
    await script(lab.wire, ["ip link set far0 master br0 up"]);
    await script(lab.node, ["ip link set pf0 up"]);
    await machineRun(`echo ${count} > ${DEVICES}/${address}/sriov_numvfs`);
    const vfs: VirtualFunction[] = [];
    for (let index = 0; index < count; index++) {
      const link = await machineRun(`readlink ${DEVICES}/${address}/virtfn${index}`);
      const vf = { address: link.slice(link.lastIndexOf("/") + 1), nic: `vf${index}` };
      // The kernel makes it in the machine's own namespace.
      const made = await nicOf(vf.address);
      await machineRun(`ip link set ${made} netns ${lab.node.pid} name ${vf.nic}`);
      vfs.push(vf);
    }
    return new SriovNic(lab, { address, vfs });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await machineRun(`echo 0 > ${DEVICES}/${this.#address}/sriov_numvfs`);
    await script(this.#lab.node, ["ip link set pf0 nomaster down", "ip link set pf0 netns 1"]);
    await script(this.#lab.wire, ["ip link set far0 nomaster down", "ip link set far0 netns 1"]);
  }
}

/** Waits until a pod's NIC has a carrier: that of a VF takes seconds. */
export async function untilCarrier({ namespace }: Pod): Promise<void> {
  await waitFor(async () => await operationOf(namespace) === "UP" ? true : undefined, {
    what: "a carrier",
    timeoutMs: CARRIER_MS,
  });
}

async function operationOf(where: Namespace): Promise<string> {
  const [link] = JSON.parse(await where.run("ip", "-j", "link", "show", "eth0"));
  return link.operstate;
}

/** Runs a shell command in the machine's own namespace. */
async function machineRun(command: string): Promise<string> {
  return (await runOrThrow(["sh", "-ec", command])).trim();
}

async function nicOf(address: string): Promise<string> {
  return await machineRun(`basename ${DEVICES}/${address}/net/*`);
}
