/** Codec of `struct nlmsghdr`, of acknowledgements, and of the kernel's words in them. */
import { assert } from "../../base/assert.ts";
import { NetlinkError } from "../netlink_error.ts";
import { AttributeReader } from "./attribute.ts";

/** Bytes of `struct nlmsghdr`. */
export const HEADER_BYTES = 16;

/** Types of messages that all families share. */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3 } as const;

/** Flags of messages. Some have two meanings: what comes after `DUMP` is of requests that add. */
export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  ECHO: 0x8,
  /** The list changed while it was read. */
  DUMP_INTR: 0x10,
  DUMP: 0x300,
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
} as const;
/** Of an acknowledgement: only the header of the request is repeated in it. */
const NLM_F_CAPPED = 0x100;
/** Of an acknowledgement: attributes with the kernel's words follow. */
const NLM_F_ACK_TLVS = 0x200;

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_MISS_TYPE = 5;
const ERROR_BYTES = 4;

/** One message, without its header. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  /** The structure of its type, then attributes. */
  readonly body: Uint8Array;
}

/**
 * Writes a message at the start of `into`.
 *
 * @param into Room for it: 16 bytes more than the body, and up to 3 that fill it up.
 * @param options.offset Where it begins, a multiple of 4.
 * @returns Bytes up to where the next message may begin.
 * @source Linux `include/uapi/linux/netlink.h`
 */
export function encodeMessage(
  into: DataView<ArrayBuffer>,
  { type, flags, body }: Message,
  { sequence, offset }: { readonly sequence: number; readonly offset: number },
): number {
  const length = HEADER_BYTES + body.length;
  const end = offset + alignedLength(length);
  assert(end <= into.byteLength, "a request is bounded by who builds it");
  into.setUint32(offset, length, true);
  into.setUint16(offset + 4, type, true);
  into.setUint16(offset + 6, flags, true);
  into.setUint32(offset + 8, sequence, true);
  into.setUint32(offset + 12, 0, true);
  const bytes = new Uint8Array(into.buffer, into.byteOffset);
  bytes.set(body, offset + HEADER_BYTES);
  bytes.fill(0, offset + length, end);
  return end - offset;
}

/** Bytes of a message or attribute up to where the next one begins. */
export function alignedLength(length: number): number {
  return (length + 3) & ~3;
}

/** Walks over the messages of one datagram. */
export class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #next = 0;
  type = 0;
  flags = 0;
  sequence = 0;
  /** Where the body of the message is. */
  start = 0;
  end = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /**
   * Goes to the next message; false if there is none.
   *
   * @throws {NetlinkError} `bad_message`, where a length leads out of the datagram.
   */
  next(): boolean {
    const at = this.#next;
    const left = this.#bytes.length - at;
    if (left <= 0) return false;
    const length = left < HEADER_BYTES ? 0 : this.#view.getUint32(at, true);
    if (length < HEADER_BYTES || length > left) {
      throw new NetlinkError("bad_message", {
        message: `Cannot read the kernel's answer: a message of ${length} bytes stands in ` +
          `${left} bytes`,
      });
    }
    this.type = this.#view.getUint16(at + 4, true);
    this.flags = this.#view.getUint16(at + 6, true);
    this.sequence = this.#view.getUint32(at + 8, true);
    this.start = at + HEADER_BYTES;
    this.end = at + length;
    this.#next = at + alignedLength(length);
    return true;
  }

  /** The body, not copied. */
  body(): Uint8Array {
    return this.#bytes.subarray(this.start, this.end);
  }
}

/** What an acknowledgement, or the end of a list, says. */
export interface Acknowledgement {
  /** 0 if what was asked is done. */
  readonly errno: number;
  /** The kernel's words, or empty. */
  readonly text: string;
}

const DONE: Acknowledgement = { errno: 0, text: "" };

/**
 * Reads an acknowledgement (`NLMSG.ERROR`): 0..4 negative error | header of the request 4..20 |
 * unless capped, the rest of the request | attributes.
 *
 * @throws {NetlinkError} `bad_message`
 */
export function decodeAcknowledgement({ body, flags }: Message): Acknowledgement {
  const view = viewOf(body, ERROR_BYTES + HEADER_BYTES);
  const errno = -view.getInt32(0, true);
  if (errno === 0) return DONE;
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, text: "" };
  const isCapped = (flags & NLM_F_CAPPED) !== 0;
  const request = isCapped ? HEADER_BYTES : alignedLength(view.getUint32(ERROR_BYTES, true));
  return { errno, text: wordsIn(body, ERROR_BYTES + request) };
}

/**
 * Reads the end of a list (`NLMSG.DONE`): 0..4 negative error, or any other number | attributes.
 *
 * @throws {NetlinkError} `bad_message`
 */
export function decodeDone({ body, flags }: Message): Acknowledgement {
  if (body.length < ERROR_BYTES) return DONE;
  const errno = -viewOf(body, ERROR_BYTES).getInt32(0, true);
  if (errno <= 0) return DONE;
  return { errno, text: (flags & NLM_F_ACK_TLVS) === 0 ? "" : wordsIn(body, ERROR_BYTES) };
}

function wordsIn(body: Uint8Array, offset: number): string {
  let text = "";
  const reader = new AttributeReader(body, offset);
  while (reader.next()) {
    if (reader.type === NLMSGERR_ATTR_MSG) text = reader.text();
    else if (reader.type === NLMSGERR_ATTR_MISS_TYPE && text === "") {
      text = `attribute ${reader.u32()} is missing`;
    }
  }
  return text;
}

function viewOf(body: Uint8Array, bytesMin: number): DataView {
  if (body.length < bytesMin) {
    throw new NetlinkError("bad_message", {
      message: `Cannot read the kernel's answer: an acknowledgement has ${body.length} bytes, ` +
        `at least ${bytesMin} are due`,
    });
  }
  return new DataView(body.buffer, body.byteOffset, body.byteLength);
}
