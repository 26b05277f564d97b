/** A sysfs laid out as folders and links: PCI functions and NICs. */
export interface SysfsTree extends Disposable {
  /** Folder that stands for `/sys`. */
  readonly root: string;
  /**
   * Adds a function of a PCI device.
   *
   * @param nics Its NICs in the node's namespace; nothing if no driver of NICs has it.
   * @param options.physical Address of the physical function, if it is a virtual one.
   */
  addFunction(
    address: string,
    nics: readonly string[] | undefined,
    options?: { readonly physical?: string },
  ): void;
  /** Adds a NIC without a device. */
  addNic(name: string): void;
  /** Makes a NIC a port of another one. */
  enslave(nic: string, options: { readonly to: string }): void;
}

/** An empty tree in a temporary folder, which goes with it. */
export function fakeSysfs(): SysfsTree {
  const root = Deno.makeTempDirSync({ prefix: "sysfs-" });
  const make = (path: string): void => Deno.mkdirSync(`${root}/${path}`, { recursive: true });
  const link = (path: string, to: string): void => Deno.symlinkSync(to, `${root}/${path}`);
  for (const folder of ["bus/pci/devices", "class/net"]) make(folder);
  return {
    root,
    addFunction(address, nics, { physical } = {}) {
      const device = `devices/pci0000:00/${address}`;
      make(device);
      link(`bus/pci/devices/${address}`, `../../../${device}`);
      if (physical !== undefined) link(`${device}/physfn`, `../${physical}`);
      if (nics !== undefined) make(`${device}/net`);
      for (const nic of nics ?? []) {
        make(`${device}/net/${nic}`);
        link(`class/net/${nic}`, `../../${device}/net/${nic}`);
      }
    },
    addNic(name) {
      make(`devices/virtual/net/${name}`);
      link(`class/net/${name}`, `../../devices/virtual/net/${name}`);
    },
    enslave(nic, { to }) {
      link(`class/net/${nic}/master`, `../${to}`);
    },
    [Symbol.dispose]: () => Deno.removeSync(root, { recursive: true }),
  };
}
