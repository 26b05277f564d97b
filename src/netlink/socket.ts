/** One netlink socket: requests, questions and lists, in the namespace that it was opened in. */
import { assert } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import { ERRNO, errnoName } from "./errno.ts";
import {
  type Fd,
  lastErrno,
  openNetlinkSocket,
  receive,
  type Reception,
  setSocketOption,
  writeTo,
} from "./ffi.ts";
import { type KernelRefusal, kernelRefusal, refusalError } from "./kernel_refusal.ts";
import { readList } from "./list_reader.ts";
import { NetlinkError } from "./netlink_error.ts";
import { type Netns, withNetns } from "./netns.ts";
import {
  type Acknowledgement,
  decodeAcknowledgement,
  encodeMessage,
  type Message,
  MessageReader,
  NLM_F,
  NLMSG,
} from "./wire/header.ts";

const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;
/** Milliseconds until an answer counts as lost; the kernel answers before its call returns. */
const ANSWER_MS = 10_000;
/** Bytes of the largest datagram: the kernel makes parts of a list no larger than half of it. */
const DATAGRAM_BYTES_MAX = 65_536;
/** Bytes of all requests that are sent at once; the socket's own limit is above it. */
const REQUEST_BYTES_MAX = 131_072;
/** Messages of one batch: the answers to all of them fit the socket's queue. */
const BATCH_MESSAGES_MAX = 128;
/** Interrupted calls, and datagrams of others, in a row. */
const INTERRUPTIONS_MAX = 1_024;
/** Datagrams until the one answer that is waited for. */
const DATAGRAMS_MAX = 65_536;
/** Where `struct sockaddr_nl` says who sent; the kernel is 0. */
const SENDER_BYTES = 12;
const SENDER_PORT_INDEX = 1;

/** What a socket is opened with. */
export interface SocketOptions {
  /** Where it is opened; left out: in the thread's own namespace. */
  readonly netns?: Netns;
  /** Milliseconds until an answer counts as lost. */
  readonly timeoutMs?: number;
}

/** A message of a batch that the kernel refused; nothing of the batch was done. */
export interface BatchRefusal {
  /** Which of the messages. */
  readonly index: number;
  readonly refusal: KernelRefusal;
}

interface Buffers {
  readonly request: DataView<ArrayBuffer>;
  readonly requestBytes: Uint8Array<ArrayBuffer>;
  readonly reception: Reception;
  /** The sender's address as numbers. */
  readonly sender: Uint32Array<ArrayBuffer>;
}

let made: Buffers | undefined;

/** One set for all sockets of this thread: a call is over before the next one begins. */
function buffers(): Buffers {
  return made ??= makeBuffers();
}

function makeBuffers(): Buffers {
  const requestBytes = new Uint8Array(new ArrayBuffer(REQUEST_BYTES_MAX));
  const sender = new Uint8Array(new ArrayBuffer(SENDER_BYTES));
  return {
    request: new DataView(requestBytes.buffer),
    requestBytes,
    reception: {
      bytes: new Uint8Array(new ArrayBuffer(DATAGRAM_BYTES_MAX)),
      bytesMax: BigInt(DATAGRAM_BYTES_MAX),
      sender,
      senderBytes: new Int32Array(new ArrayBuffer(4)),
    },
    sender: new Uint32Array(sender.buffer),
  };
}

/**
 * A netlink socket. Every call is over when it returns; the kernel's words come with its refusals.
 *
 * Every method throws `NetlinkError` with the code `no_answer` where the answer is lost, and
 * `bad_message` where it cannot be read.
 *
 * @source Linux `Documentation/userspace-api/netlink/intro.rst`
 */
export class NetlinkSocket implements Disposable {
  readonly #fd: Fd;
  readonly #timeoutMs: number;
  #sequence = 0;

  /** Use `openRoute` or `openNetfilter`. */
  private constructor(fd: Fd, { timeoutMs }: { readonly timeoutMs: number }) {
    this.#fd = fd;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Opens a socket for links, addresses, routes, rules and neighbours.
   *
   * @throws {NetlinkError} `no_libc`, `not_entered`, `no_socket`
   */
  static openRoute(options: SocketOptions = {}): NetlinkSocket {
    return NetlinkSocket.#open(NETLINK_ROUTE, options);
  }

  /**
   * Opens a socket for nf_tables.
   *
   * @throws {NetlinkError} `no_libc`, `not_entered`, `no_socket`
   */
  static openNetfilter(options: SocketOptions = {}): NetlinkSocket {
    return NetlinkSocket.#open(NETLINK_NETFILTER, options);
  }

  static #open(
    protocol: number,
    { netns, timeoutMs = ANSWER_MS }: SocketOptions,
  ): NetlinkSocket {
    const open = () => openNetlinkSocket(protocol);
    const fd = netns === undefined ? open() : withNetns(netns, open);
    // A kernel without these is as good, but for its words.
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK]) {
      setSocketOption(fd, { level: SOL_NETLINK, option, value: ON });
    }
    setSocketOption(fd, { level: SOL_SOCKET, option: SO_RCVTIMEO, value: timeval(timeoutMs) });
    return new NetlinkSocket(fd, { timeoutMs });
  }

  /**
   * Asks for something to be done.
   *
   * @outcome all of `KernelRefusal`
   */
  request(message: Message): Result<undefined, KernelRefusal> {
    const sequence = this.#send(message, NLM_F.REQUEST | NLM_F.ACK);
    for (let datagrams = 0; datagrams < DATAGRAMS_MAX; datagrams++) {
      const reader = this.#receive();
      while (reader.next()) {
        if (reader.sequence !== sequence || reader.type !== NLMSG.ERROR) continue;
        return resultOf(acknowledgementIn(reader), undefined);
      }
    }
    throw this.#endless();
  }

  /**
   * Asks a question that has one answer.
   *
   * @outcome all of `KernelRefusal`
   */
  ask(message: Message): Result<Message, KernelRefusal> {
    // No acknowledgement is asked for: the answer, or the refusal, is all that comes.
    const sequence = this.#send(message, NLM_F.REQUEST);
    for (let datagrams = 0; datagrams < DATAGRAMS_MAX; datagrams++) {
      const reader = this.#receive();
      while (reader.next()) {
        if (reader.sequence !== sequence) continue;
        const { type, flags } = reader;
        if (type !== NLMSG.ERROR) return ok({ type, flags, body: reader.body().slice() });
        const said = acknowledgementIn(reader);
        if (said.errno !== 0) return err(kernelRefusal(said.errno, said));
      }
    }
    throw this.#endless();
  }

  /**
   * Reads a list, again if it changed meanwhile.
   *
   * @throws {NetlinkError} `inconsistent` if it changed each time, `refused` if there is no such
   *   list: see `tryDump`.
   */
  dump(message: Message): readonly Message[] {
    const listed = this.tryDump(message);
    if (listed.ok) return listed.value;
    throw refusalError("read a list from the kernel", listed.error);
  }

  /**
   * Reads a list that there may be none of: that of a link or a table, for example.
   *
   * @outcome all of `KernelRefusal`
   * @throws {NetlinkError} `inconsistent` if it changed each time.
   */
  tryDump(message: Message): Result<readonly Message[], KernelRefusal> {
    return readList({
      send: () => this.#send(message, NLM_F.REQUEST | NLM_F.DUMP),
      receive: () => this.#receive({ copy: true }),
    });
  }

  /**
   * Sends several messages at once. They go as they are: `NLM_F.REQUEST` and, where an answer is
   * wanted, `NLM_F.ACK` are among their flags.
   *
   * For nf_tables all or nothing is done; for rtnetlink each message is done for itself, and
   * refusals are of those that were not.
   *
   * @param messages At most 128; at least one with `NLM_F.ACK`.
   * @outcome every message that was refused, in their order.
   */
  batch(messages: readonly Message[]): Result<undefined, readonly BatchRefusal[]> {
    assert(messages.length <= BATCH_MESSAGES_MAX, "a batch is bounded by who builds it");
    const first = this.#next(messages.length);
    let length = 0;
    let pending = 0;
    for (const [index, message] of messages.entries()) {
      const place = { sequence: (first + index) >>> 0, offset: length };
      length += encodeMessage(buffers().request, message, place);
      if ((message.flags & NLM_F.ACK) !== 0) pending++;
    }
    this.#write(length);
    const refusals: BatchRefusal[] = [];
    while (pending > 0) {
      const reader = this.#receive();
      while (reader.next()) {
        const index = (reader.sequence - first) >>> 0;
        const message = messages[index];
        if (message === undefined || reader.type !== NLMSG.ERROR) continue;
        const said = acknowledgementIn(reader);
        if (said.errno !== 0) refusals.push({ index, refusal: kernelRefusal(said.errno, said) });
        const wasAsked = (message.flags & NLM_F.ACK) !== 0;
        // One that did not ask for it, such as the beginning, speaks for all.
        pending = wasAsked ? pending - 1 : 0;
      }
    }
    if (refusals.length === 0) return ok(undefined);
    return err(refusals.toSorted((a, b) => a.index - b.index));
  }

  [Symbol.dispose](): void {
    this.#fd[Symbol.dispose]();
  }

  /** Takes numbers for messages; gives the first one. */
  #next(count: number): number {
    const first = (this.#sequence + 1) >>> 0;
    this.#sequence = (this.#sequence + count) >>> 0;
    return first;
  }

  #send({ type, flags, body }: Message, more: number): number {
    const sequence = this.#next(1);
    const message = { type, flags: flags | more, body };
    this.#write(encodeMessage(buffers().request, message, { sequence, offset: 0 }));
    return sequence;
  }

  #write(length: number): void {
    const bytes = buffers().requestBytes;
    for (let tries = 0; tries < INTERRUPTIONS_MAX; tries++) {
      if (writeTo(this.#fd, { bytes, length }) === length) return;
      if (lastErrno() !== ERRNO.EINTR) break;
    }
    throw new NetlinkError("no_answer", {
      message: `Cannot hand a request to the kernel (${errnoName(lastErrno())}): ` +
        `the machine may be out of memory`,
    });
  }

  /** One datagram of the kernel; `copy` if what it holds is kept. */
  #receive({ copy }: { readonly copy: boolean } = { copy: false }): MessageReader {
    const { reception, sender } = buffers();
    for (let tries = 0; tries < INTERRUPTIONS_MAX; tries++) {
      const size = receive(this.#fd, reception);
      if (size < 0) {
        if (lastErrno() !== ERRNO.EINTR) throw this.#lost(errnoName(lastErrno()));
        continue;
      }
      // Whoever has NET_ADMIN in the namespace can send to this socket.
      if (sender[SENDER_PORT_INDEX] !== 0) continue;
      if (size > DATAGRAM_BYTES_MAX) throw this.#lost(`${size} bytes at once`);
      const bytes = copy ? reception.bytes.slice(0, size) : reception.bytes.subarray(0, size);
      return new MessageReader(bytes);
    }
    throw this.#lost(`${INTERRUPTIONS_MAX} interruptions`);
  }

  #lost(reason: string): NetlinkError {
    return new NetlinkError("no_answer", {
      message: `Cannot get the kernel's answer within ${this.#timeoutMs} ms (${reason}): ` +
        `look at what is there before the request is repeated`,
    });
  }

  #endless(): NetlinkError {
    return this.#lost(`${DATAGRAMS_MAX} datagrams without an end`);
  }
}

const ON = new Uint8Array([1, 0, 0, 0]);

function timeval(milliseconds: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigInt64(0, BigInt(Math.floor(milliseconds / 1000)), true);
  view.setBigInt64(8, BigInt((milliseconds % 1000) * 1000), true);
  return new Uint8Array(view.buffer);
}

function acknowledgementIn(reader: MessageReader): Acknowledgement {
  const { type, flags } = reader;
  return decodeAcknowledgement({ type, flags, body: reader.body() });
}

function resultOf<T>({ errno, text }: Acknowledgement, value: T): Result<T, KernelRefusal> {
  return errno === 0 ? ok(value) : err(kernelRefusal(errno, { text }));
}
