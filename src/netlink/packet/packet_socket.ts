/** Sockets that hear and send whole frames of one NIC. */
import { ERRNO, errnoName } from "../errno.ts";
import {
  bindSocket,
  type Fd,
  lastErrno,
  openPacketSocket,
  receive,
  type Reception,
  setSocketOption,
  waitForAny,
  writeTo,
} from "../ffi.ts";
import { NetlinkError } from "../netlink_error.ts";
import { type Netns, withNetns } from "../netns.ts";
import { type MacAddress, macBytes } from "../wire/mac.ts";

const AF_PACKET = 17;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_MULTICAST = 0;
/** `struct sockaddr_ll`, and where it says which way a frame went. */
const ADDRESS_BYTES = 20;
const PACKET_TYPE_AT = 10;
const PACKET_OUTGOING = 4;
/** `struct packet_mreq`. */
const MEMBERSHIP_BYTES = 16;
/** Larger than any frame that is looked for; of longer ones the rest is cut off. */
const FRAME_BYTES_MAX = 2_048;
/** Interrupted calls, and own frames, in a row. */
const SKIPPED_MAX = 1_024;

/** What a socket is for. */
export interface PacketPlace {
  /** Where the NIC is. */
  readonly netns: Netns;
  readonly linkIndex: number;
  /** Which frames are heard: `ETHERTYPE`. */
  readonly type: number;
}

/**
 * A packet socket of one NIC. It is opened in the NIC's namespace and used from outside. Closing it
 * takes some milliseconds: the kernel waits until no processor looks at it any more.
 */
export class PacketSocket implements Disposable {
  readonly #fd: Fd;
  readonly #place: PacketPlace;
  readonly #reception: Reception = {
    bytes: new Uint8Array(new ArrayBuffer(FRAME_BYTES_MAX)),
    bytesMax: BigInt(FRAME_BYTES_MAX),
    sender: new Uint8Array(new ArrayBuffer(ADDRESS_BYTES)),
    senderBytes: new Int32Array(new ArrayBuffer(4)),
  };

  private constructor(fd: Fd, place: PacketPlace) {
    this.#fd = fd;
    this.#place = place;
  }

  /** @throws {NetlinkError} `no_libc`, `not_entered`, `no_socket` */
  static open(place: PacketPlace): PacketSocket {
    const fd = withNetns(place.netns, openPacketSocket);
    if (bindSocket(fd, addressBytes(place))) return new PacketSocket(fd, place);
    const error = deafError(place);
    fd[Symbol.dispose]();
    throw error;
  }

  /**
   * Has the NIC let in frames of a group, besides those that the kernel listens to itself.
   *
   * @throws {NetlinkError} `no_socket`
   */
  join(group: MacAddress): void {
    const { linkIndex } = this.#place;
    const value = membershipBytes({ linkIndex, group });
    const joining = { level: SOL_PACKET, option: PACKET_ADD_MEMBERSHIP, value };
    if (!setSocketOption(this.#fd, joining)) throw deafError(this.#place);
  }

  /** Waits until one of the sockets has a frame, or a time has passed; a signal ends it early. */
  static wait(
    sockets: readonly PacketSocket[],
    { milliseconds }: { readonly milliseconds: number },
  ): void {
    waitForAny(sockets.map((socket) => socket.#fd), { milliseconds: Math.ceil(milliseconds) });
  }

  /** Sends a frame; nothing if it went out, else why not, such as `ENETDOWN`. */
  send(frame: Uint8Array<ArrayBuffer>): string | undefined {
    for (let attempt = 0; attempt < SKIPPED_MAX; attempt++) {
      if (writeTo(this.#fd, { bytes: frame, length: frame.length }) >= 0) return undefined;
      if (lastErrno() !== ERRNO.EINTR) break;
    }
    return errnoName(lastErrno());
  }

  /**
   * The next frame that came in, as a copy; nothing if there is none now. What this host sent
   * itself is left out.
   */
  receive(): Uint8Array | undefined {
    const { bytes, sender } = this.#reception;
    for (let skipped = 0; skipped < SKIPPED_MAX; skipped++) {
      const length = receive(this.#fd, this.#reception);
      if (length < 0) {
        if (lastErrno() === ERRNO.EINTR) continue;
        return undefined;
      }
      if (sender[PACKET_TYPE_AT] !== PACKET_OUTGOING) return bytes.slice(0, length);
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }
}

function deafError({ netns: { path }, linkIndex }: PacketPlace): NetlinkError {
  return new NetlinkError("no_socket", {
    message: `Cannot listen at link ${linkIndex} of ${JSON.stringify(path)} ` +
      `(${errnoName(lastErrno())}): it must be there and stay there while its addresses are probed`,
  });
}

function addressBytes(
  { linkIndex, type }: { readonly linkIndex: number; readonly type: number },
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(ADDRESS_BYTES));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, type); // In the order of the network, unlike the rest.
  view.setInt32(4, linkIndex, true);
  return bytes;
}

function membershipBytes(
  { linkIndex, group }: { readonly linkIndex: number; readonly group: MacAddress },
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(MEMBERSHIP_BYTES));
  const view = new DataView(bytes.buffer);
  view.setInt32(0, linkIndex, true);
  view.setUint16(4, PACKET_MR_MULTICAST, true);
  view.setUint16(6, 6, true);
  bytes.set(macBytes(group), 8);
  return bytes;
}
