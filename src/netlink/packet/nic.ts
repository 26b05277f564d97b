/**
 * One NIC by ioctl: what a plugin that only probes needs of it. Netlink says more, and is many
 * times the code, which each start of the plugin would read.
 */
import { addressOf, type Fd, ioctl, openRouteSocketIn } from "../ffi.ts";
import { type MacAddress, macOfBytes } from "../wire/mac.ts";

const SIOCGIFFLAGS = 0x8913n;
const SIOCSIFFLAGS = 0x8914n;
const SIOCGIFHWADDR = 0x8927n;
const SIOCGIFINDEX = 0x8933n;
const SIOCETHTOOL = 0x8946n;
const ETHTOOL_GLINK = 0x0a;
const IFF_UP = 0x1;
const IFF_RUNNING = 0x40;
const IFF_NOARP = 0x80;
const ARPHRD_ETHER = 1;
/** `struct ifreq`: the name, then what is asked or told. */
const IFREQ_BYTES = 40;
const NAME_BYTES = 16;

/** A NIC in a network namespace. */
export class NicHandle implements Disposable {
  readonly #socket: Fd;
  readonly #name: string;

  /** @throws {NetlinkError} `no_libc`, `no_netns`, `not_entered`, `no_socket` */
  constructor({ netns, name }: { readonly netns: string; readonly name: string }) {
    this.#socket = openRouteSocketIn(netns);
    this.#name = name;
  }

  /** Its index; nothing if there is no such NIC. */
  get index(): number | undefined {
    return this.#ask(SIOCGIFINDEX)?.getInt32(NAME_BYTES, true);
  }

  /** Its hardware address; nothing for what is no Ethernet, or does without ARP. */
  get mac(): MacAddress | undefined {
    const answer = this.#ask(SIOCGIFHWADDR);
    if (answer?.getUint16(NAME_BYTES, true) !== ARPHRD_ETHER) return undefined;
    if ((this.#flags & IFF_NOARP) !== 0) return undefined;
    return macOfBytes(new Uint8Array(answer.buffer, NAME_BYTES + 2, 6));
  }

  /** Whether it was set up. */
  get isUp(): boolean {
    return (this.#flags & IFF_UP) !== 0;
  }

  /**
   * Whether it is up and has a carrier. The kernel may be a second late to tell in its flags that a
   * carrier was lost; its driver knows at once, if it says anything.
   */
  get isRunning(): boolean {
    return (this.#flags & IFF_RUNNING) !== 0 && this.#driverSaysCarrier !== false;
  }

  /** Sets it up or down; false if the kernel refuses. Equivalent: `ip link set NAME up`. */
  set({ isUp }: { readonly isUp: boolean }): boolean {
    const flags = isUp ? this.#flags | IFF_UP : this.#flags & ~IFF_UP;
    const request = this.#request();
    request.setInt16(NAME_BYTES, flags, true);
    const argument = new Uint8Array(request.buffer);
    return ioctl(this.#socket, { request: SIOCSIFFLAGS, argument }).ok;
  }

  get #driverSaysCarrier(): boolean | undefined {
    const value = new Uint32Array([ETHTOOL_GLINK, 0]);
    const request = this.#request();
    request.setBigUint64(NAME_BYTES, addressOf(new Uint8Array(value.buffer)), true);
    const argument = new Uint8Array(request.buffer);
    return ioctl(this.#socket, { request: SIOCETHTOOL, argument }).ok ? value[1] !== 0 : undefined;
  }

  get #flags(): number {
    return this.#ask(SIOCGIFFLAGS)?.getInt16(NAME_BYTES, true) ?? 0;
  }

  #request(): DataView<ArrayBuffer> {
    const bytes = new Uint8Array(new ArrayBuffer(IFREQ_BYTES));
    bytes.set(new TextEncoder().encode(this.#name).subarray(0, NAME_BYTES - 1));
    return new DataView(bytes.buffer);
  }

  #ask(request: bigint): DataView<ArrayBuffer> | undefined {
    const view = this.#request();
    const asked = ioctl(this.#socket, { request, argument: new Uint8Array(view.buffer) });
    return asked.ok ? view : undefined;
  }

  [Symbol.dispose](): void {
    this.#socket[Symbol.dispose]();
  }
}
