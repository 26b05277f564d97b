/** One NIC whose addresses are probed and announced; nothing is put on it. */
import { assert } from "../../base/assert.ts";
import { err, ok, type Result } from "../../base/result.ts";
import { type Address, formatAddress, type Ipv4, type Ipv6, versionOf } from "../../ip/address.ts";
import { waitForAny } from "../../netlink/ffi.ts";
import { driverOf } from "../../netlink/ethtool.ts";
import { NetlinkError } from "../../netlink/netlink_error.ts";
import { type Netns, openNetns } from "../../netlink/netns.ts";
import { arpAnnouncement, arpQuestion, decodeArp } from "../../netlink/packet/arp.ts";
import { ETHERTYPE, groupMac } from "../../netlink/packet/ethernet.ts";
import {
  ALL_NODES,
  decodeNdp,
  duplicateQuestion,
  neighborAnnouncement,
  neighborQuestion,
  solicitedNode,
  UNSPECIFIED,
} from "../../netlink/packet/ndp.ts";
import { NicHandle } from "../../netlink/packet/nic.ts";
import { PacketSocket } from "../../netlink/packet/packet_socket.ts";
import type { MacAddress } from "../../netlink/wire/mac.ts";
import { IPV4 } from "../../ip/family.ts";
import {
  AddressProbe,
  type ProbeQuestion,
  type ProbeVerdict,
  type ProbeWish,
  type Sighting,
} from "../probe.ts";

/** Milliseconds that a NIC may take until it has a carrier; hardware takes seconds. */
export const CARRIER_MS_MAX = 5_000;
const CARRIER_GAP_MS = 5;
/** Frames that are looked at before anything that is due is sent. */
const FRAMES_MAX = 1_024;

/** Why a NIC's addresses cannot be probed. */
export interface NicProblem {
  /** `deaf`: on a NIC of this kind nobody can be heard. `failed`: it cannot be used now. */
  readonly code: "deaf" | "failed";
  /** One sentence. */
  readonly message: string;
}

/** Which NIC, and what the time is. */
export interface NicPlace {
  /** Path of its network namespace. */
  readonly netns: string;
  readonly name: string;
  /** Never goes back; milliseconds. */
  readonly nowMs: () => number;
}

/** What is asked of one address; the NIC says the rest. */
export type AddressWish = Omit<ProbeWish, "ownMac">;

/** A NIC that is up, and down again afterwards unless it is kept. */
export class ProbeNic implements Disposable {
  readonly #stack: DisposableStack;
  readonly #line: Line;
  readonly #mac: MacAddress;
  readonly #nowMs: () => number;
  readonly #life: { isKept: boolean };

  private constructor(stack: DisposableStack, parts: {
    readonly netns: Netns;
    readonly index: number;
    readonly mac: MacAddress;
    readonly nowMs: () => number;
    readonly life: { isKept: boolean };
  }) {
    this.#stack = stack;
    this.#life = parts.life;
    this.#line = stack.use(new Line(parts));
    this.#mac = parts.mac;
    this.#nowMs = parts.nowMs;
  }

  /**
   * Sets the NIC up and waits for its carrier. Equivalent: `ip link set NAME up`.
   *
   * @outcome `deaf` It is an ipvlan, which hears only what is sent to its addresses, or has no
   *   hardware address of Ethernet.
   * @outcome `failed`
   */
  static open({ netns: path, name, nowMs }: NicPlace): Result<ProbeNic, NicProblem> {
    using stack = new DisposableStack();
    try {
      const netns = stack.use(openNetns(path));
      const handle = stack.use(new NicHandle({ netns: path, name }));
      const { index, mac, isUp } = handle;
      if (index === undefined) return failed(`there is no such NIC in ${JSON.stringify(path)}`);
      const driver = driverOf({ netns: path, nic: name });
      const isIpvlan = driver.ok && driver.value.driver === "ipvlan";
      if (isIpvlan || mac === undefined) {
        const what = isIpvlan ? "an ipvlan" : "a NIC without ARP on Ethernet";
        return err({ code: "deaf", message: `${what} does not hear who else has its addresses` });
      }
      if (!isUp && !handle.set({ isUp: true })) {
        return failed("it cannot be set up: its master must be up, and NET_ADMIN is needed");
      }
      const life = { isKept: isUp };
      stack.defer(() => {
        if (!life.isKept) handle.set({ isUp: false });
      });
      if (!awaitCarrier(handle, { nowMs })) {
        return failed(`it has no carrier after ${CARRIER_MS_MAX} ms; see its master's cable`);
      }
      return ok(new ProbeNic(stack.move(), { netns, index, mac, nowMs, life }));
    } catch (error) {
      if (error instanceof NetlinkError) return failed(error.message);
      throw error;
    }
  }

  /**
   * Probes addresses, all at once, and gives a verdict for each, in the same order.
   *
   * @outcome `failed` Nothing could be sent for one of them, so silence means nothing.
   */
  probe(wishes: readonly AddressWish[]): Result<readonly ProbeVerdict[], NicProblem> {
    try {
      const line = this.#line;
      line.cover(wishes.map(({ address }) => address));
      const all = wishes.map((wish) => new AddressProbe({ ...wish, ownMac: this.#mac }));
      for (;;) {
        for (const sighting of line.heard()) for (const probe of all) probe.hear(sighting);
        const untilMs: number[] = [];
        for (const probe of all) {
          const step = probe.step(this.#nowMs());
          for (const question of step.questions) line.ask(question);
          if (step.untilMs !== undefined) untilMs.push(step.untilMs);
        }
        const verdicts = all.map(({ verdict }) => verdict).filter((one) => one !== undefined);
        if (verdicts.length === all.length) return line.meant(verdicts, wishes);
        line.wait(Math.max(0, Math.min(...untilMs) - this.#nowMs()));
      }
    } catch (error) {
      if (error instanceof NetlinkError) return failed(error.message);
      throw error;
    }
  }

  /**
   * Tells everyone on the NIC's network that its addresses are here.
   *
   * @returns What could not be told.
   */
  announce(addresses: readonly Address[]): readonly string[] {
    try {
      const line = this.#line;
      line.cover(addresses);
      return addresses.flatMap((address) => {
        const refused = line.announce(address);
        return refused === undefined ? [] : [`${formatAddress(address)}: ${refused}`];
      });
    } catch (error) {
      if (error instanceof NetlinkError) return [error.message];
      throw error;
    }
  }

  /** Leaves the NIC up: it is going to be used. */
  keep(): void {
    this.#life.isKept = true;
  }

  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }
}

function failed(message: string): Result<never, NicProblem> {
  return err({ code: "failed", message });
}

function awaitCarrier(handle: NicHandle, { nowMs }: Pick<NicPlace, "nowMs">): boolean {
  const endMs = nowMs() + CARRIER_MS_MAX;
  while (!handle.isRunning) {
    if (nowMs() >= endMs) return false;
    waitForAny([], { milliseconds: CARRIER_GAP_MS });
  }
  return true;
}

/** Sockets of the families in question. They stay: closing one takes longer than all else. */
class Line implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #place: { readonly netns: Netns; readonly linkIndex: number };
  readonly #mac: MacAddress;
  #arp: PacketSocket | undefined;
  #ndp: PacketSocket | undefined;
  readonly #sent = new Set<4 | 6>();
  #refused = "";

  constructor({ netns, index, mac }: {
    readonly netns: Netns;
    readonly index: number;
    readonly mac: MacAddress;
  }) {
    this.#place = { netns, linkIndex: index };
    this.#mac = mac;
  }

  /** Listens to what is said of these addresses too. */
  cover(addresses: readonly Address[]): void {
    this.#sent.clear();
    for (const address of addresses) {
      if (typeof address === "number") this.#arp ??= this.#open(ETHERTYPE.arp);
      else {
        this.#ndp ??= this.#open(ETHERTYPE.ipv6);
        for (const group of [ALL_NODES, solicitedNode(address)]) this.#ndp.join(groupMac(group));
      }
    }
  }

  #open(type: number): PacketSocket {
    return this.#stack.use(PacketSocket.open({ ...this.#place, type }));
  }

  ask(question: ProbeQuestion): void {
    const { address } = question.kind === "conflict" ? question : { address: question.gateway };
    const version = versionOf(address);
    const refused = version === 4
      ? this.#arp?.send(arpFrame(this.#mac, question))
      : this.#ndp?.send(ndpFrame(this.#mac, question));
    if (refused === undefined) this.#sent.add(version);
    else this.#refused = refused;
  }

  announce(address: Address): string | undefined {
    const mac = this.#mac;
    return typeof address === "number"
      ? this.#arp?.send(arpAnnouncement({ mac, address }))
      : this.#ndp?.send(neighborAnnouncement({ mac, address }));
  }

  /** What came in since it was last asked. */
  heard(): readonly Sighting[] {
    return [
      ...framesOf(this.#arp).flatMap(arpSightings),
      ...framesOf(this.#ndp).flatMap(ndpSightings),
    ];
  }

  wait(milliseconds: number): void {
    const sockets = [this.#arp, this.#ndp].filter((socket) => socket !== undefined);
    PacketSocket.wait(sockets, { milliseconds });
  }

  /** The verdicts, if something went out for each family since it was covered. */
  meant(
    verdicts: readonly ProbeVerdict[],
    wishes: readonly AddressWish[],
  ): Result<readonly ProbeVerdict[], NicProblem> {
    const isMute = wishes.some(({ address }) => !this.#sent.has(versionOf(address)));
    if (!isMute || verdicts.every(({ kind }) => kind === "conflict")) return ok(verdicts);
    return failed(`nothing can be sent on it (${this.#refused}); see that its master is up`);
  }

  [Symbol.dispose](): void {
    this.#stack[Symbol.dispose]();
  }
}

function framesOf(socket: PacketSocket | undefined): readonly Uint8Array[] {
  const frames: Uint8Array[] = [];
  while (frames.length < FRAMES_MAX) {
    const frame = socket?.receive();
    if (frame === undefined) break;
    frames.push(frame);
  }
  return frames;
}

/** A question about IPv4 has IPv4 addresses only: who asks chose the socket by it. */
function ipv4(address: Address): Ipv4 {
  assert(typeof address === "number", "an IPv4 question has IPv4 addresses");
  return address;
}

function ipv6(address: Address): Ipv6 {
  assert(typeof address === "bigint", "an IPv6 question has IPv6 addresses");
  return address;
}

function arpFrame(senderMac: MacAddress, question: ProbeQuestion): Uint8Array<ArrayBuffer> {
  const targetAddress = question.kind === "conflict" ? question.address : question.gateway;
  const from = question.kind === "conflict" ? undefined : question.from;
  return arpQuestion({
    senderMac,
    senderAddress: typeof from === "number" ? from : IPV4.first,
    targetAddress: ipv4(targetAddress),
  });
}

function ndpFrame(mac: MacAddress, question: ProbeQuestion): Uint8Array<ArrayBuffer> {
  if (question.kind === "conflict") {
    return duplicateQuestion({ mac, target: ipv6(question.address) });
  }
  const { gateway, from } = question;
  return neighborQuestion({ mac, source: ipv6(from ?? UNSPECIFIED), target: ipv6(gateway) });
}

/** Any packet with the address as sender is a claim, whether question or answer. RFC 5227 2.1.1 */
function arpSightings(frame: Uint8Array): readonly Sighting[] {
  const packet = decodeArp(frame);
  if (packet === undefined) return [];
  const { operation, senderMac: mac, senderAddress, targetAddress } = packet;
  if (senderAddress !== IPV4.first) return [{ kind: "has", address: senderAddress, mac }];
  return operation === "request" ? [{ kind: "wants", address: targetAddress, mac }] : [];
}

/** A question from another address is no claim of what it asks for. RFC 4862 5.4.3 and 5.4.4 */
function ndpSightings(frame: Uint8Array): readonly Sighting[] {
  const message = decodeNdp(frame);
  if (message === undefined) return [];
  const { kind, target: address, source, sourceMac } = message;
  if (kind === "advertisement") {
    return [{ kind: "has", address, mac: message.linkAddress ?? sourceMac }];
  }
  return source === UNSPECIFIED ? [{ kind: "wants", address, mac: sourceMac }] : [];
}
