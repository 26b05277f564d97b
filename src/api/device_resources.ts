/** Names of the device plugin resources that an agent advertises and pods ask for. No zod. */

/** A sub-interface of the network provider, unless a rule names its resource otherwise. */
export const SUB_ENI_RESOURCE = "spidernet.io/sub-eni";

/** Devices of one sub-interface resource are called `sub-eni-0`, `sub-eni-1` and so on. */
export const SUB_ENI_DEVICE_PREFIX = "sub-eni";

/** Pods that a master NIC serves where no rule says how many. */
export const MASTER_NIC_PODS_DEFAULT = 10_000;

/** The resource of a master NIC: `spidernet.io/eth1-nic`. */
export function masterNicResource(nic: string): string {
  return `spidernet.io/${nic}-nic`;
}

/** Prefix of the devices of a master NIC: `eth1-nic`. */
export function masterNicDevicePrefix(nic: string): string {
  return `${nic}-nic`;
}

/** File name of the socket of a resource: `spiderpool-spidernet-io-sub-eni.sock`. */
export function deviceSocketName(resource: string): string {
  return `spiderpool-${resource.replaceAll(/[/_.]/g, "-")}.sock`;
}
