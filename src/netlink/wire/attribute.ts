/** Codec of `struct nlattr`: what follows the structure at the start of a message. */
import { assert } from "../../base/assert.ts";
import { type Address, parseAddressBytes } from "../../ip/address.ts";
import { NetlinkError } from "../netlink_error.ts";

/** Number of an attribute: a constant of the kernel, such as `IFLA_MTU`. */
export type AttributeType = number;

const HEADER_BYTES = 4;
const NLA_F_NESTED = 0x8000;
/** What is left of a type without its flags. */
const TYPE_MASK = 0x3fff;
const LENGTH_MAX = 0xffff;
/** Most requests fit; more is made when needed. */
const ROOM_BYTES = 256;

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/**
 * Builds the body of a message: first the fields of its structure (`add...`), then attributes
 * (`put...`). Integers are in the machine's order unless the name ends in `Be`.
 *
 * @source Linux `include/uapi/linux/netlink.h`, `struct nlattr`
 */
export class BodyWriter {
  #bytes = new Uint8Array(new ArrayBuffer(ROOM_BYTES));
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  addU8(value: number): this {
    const at = this.#grow(1);
    this.#view.setUint8(at, value);
    return this;
  }

  addU16(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value, true);
    return this;
  }

  addU16Be(value: number): this {
    const at = this.#grow(2);
    this.#view.setUint16(at, value);
    return this;
  }

  addU32(value: number): this {
    const at = this.#grow(4);
    this.#view.setUint32(at, value, true);
    return this;
  }

  addI32(value: number): this {
    const at = this.#grow(4);
    this.#view.setInt32(at, value, true);
    return this;
  }

  addBytes(value: Uint8Array): this {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  putU8(type: AttributeType, value: number): this {
    const at = this.#attribute(type, { bytes: 1 });
    this.#view.setUint8(at, value);
    return this;
  }

  putU16(type: AttributeType, value: number): this {
    const at = this.#attribute(type, { bytes: 2 });
    this.#view.setUint16(at, value, true);
    return this;
  }

  putU16Be(type: AttributeType, value: number): this {
    const at = this.#attribute(type, { bytes: 2 });
    this.#view.setUint16(at, value);
    return this;
  }

  putU32(type: AttributeType, value: number): this {
    const at = this.#attribute(type, { bytes: 4 });
    this.#view.setUint32(at, value, true);
    return this;
  }

  putU32Be(type: AttributeType, value: number): this {
    const at = this.#attribute(type, { bytes: 4 });
    this.#view.setUint32(at, value);
    return this;
  }

  putI32(type: AttributeType, value: number): this {
    const at = this.#attribute(type, { bytes: 4 });
    this.#view.setInt32(at, value, true);
    return this;
  }

  putU64(type: AttributeType, value: bigint): this {
    const at = this.#attribute(type, { bytes: 8 });
    this.#view.setBigUint64(at, value, true);
    return this;
  }

  putU64Be(type: AttributeType, value: bigint): this {
    const at = this.#attribute(type, { bytes: 8 });
    this.#view.setBigUint64(at, value);
    return this;
  }

  /** A text with its closing NUL. */
  putText(type: AttributeType, value: string): this {
    const bytes = ENCODER.encode(value);
    const at = this.#attribute(type, { bytes: bytes.length + 1 });
    this.#bytes.set(bytes, at);
    return this;
  }

  putBytes(type: AttributeType, value: Uint8Array): this {
    const at = this.#attribute(type, { bytes: value.length });
    this.#bytes.set(value, at);
    return this;
  }

  /** 4 or 16 bytes in network order. */
  putAddress(type: AttributeType, value: Address): this {
    if (typeof value === "number") return this.putU32Be(type, value);
    const at = this.#attribute(type, { bytes: 16 });
    this.#view.setBigUint64(at, value >> 64n);
    this.#view.setBigUint64(at + 8, value & 0xffff_ffff_ffff_ffffn);
    return this;
  }

  /** An attribute that says all by being there. */
  putFlag(type: AttributeType): this {
    this.#attribute(type, { bytes: 0 });
    return this;
  }

  /** Begins an attribute that holds others; `closeNest` ends it. */
  openNest(type: AttributeType): number {
    return this.#attribute(type | NLA_F_NESTED, { bytes: 0 });
  }

  /** @param start What `openNest` gave. */
  closeNest(start: number): this {
    const length = this.#length - start + HEADER_BYTES;
    assert(length <= LENGTH_MAX, "nested attributes fit their length field");
    this.#view.setUint16(start - HEADER_BYTES, length, true);
    return this;
  }

  /** The body, not copied: nothing is added after this. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  // Where a value goes is asked for before `#bytes` or `#view` is named: that may replace them.

  /** Begins an attribute, and gives where its value goes; that and what fills it up is zero. */
  #attribute(type: number, { bytes }: { readonly bytes: number }): number {
    const length = HEADER_BYTES + bytes;
    assert(length <= LENGTH_MAX, "an attribute fits its length field");
    const at = this.#grow((length + 3) & ~3);
    this.#view.setUint16(at, length, true);
    this.#view.setUint16(at + 2, type, true);
    return at + HEADER_BYTES;
  }

  #grow(count: number): number {
    const at = this.#length;
    const length = at + count;
    if (length > this.#bytes.length) {
      const bytes = new Uint8Array(new ArrayBuffer(Math.max(length, 2 * this.#bytes.length)));
      bytes.set(this.#bytes.subarray(0, at));
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    this.#length = length;
    return at;
  }
}

/**
 * Walks over attributes: `while (reader.next()) switch (reader.type) ...`. Values are read from
 * where they stand; `bytes()` is not a copy. Integers are in the machine's order unless the name
 * ends in `Be`.
 *
 * Every method but `next` throws `bad_message` where the value is shorter than asked for.
 */
export class AttributeReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #next: number;
  #start = 0;
  /** Number of the attribute, without flags. */
  type: AttributeType = 0;
  /** Bytes of its value. */
  length = 0;

  /**
   * @param bytes Body of a message.
   * @param offset Where the attributes begin: behind the structure, a multiple of 4.
   */
  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#next = offset;
  }

  /**
   * Goes to the next attribute; false if there is none.
   *
   * @throws {NetlinkError} `bad_message`, where a length leads out of the message.
   */
  next(): boolean {
    const at = this.#next;
    const left = this.#bytes.length - at;
    if (left < HEADER_BYTES) return false; // What fills up, at most.
    const length = this.#view.getUint16(at, true);
    if (length < HEADER_BYTES || length > left) throw this.#tooShort(length - left);
    this.type = this.#view.getUint16(at + 2, true) & TYPE_MASK;
    this.length = length - HEADER_BYTES;
    this.#start = at + HEADER_BYTES;
    this.#next = at + ((length + 3) & ~3);
    return true;
  }

  u8(): number {
    return this.#view.getUint8(this.#value(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#value(2), true);
  }

  u16Be(): number {
    return this.#view.getUint16(this.#value(2));
  }

  u32(): number {
    return this.#view.getUint32(this.#value(4), true);
  }

  /** An integer of a structure, `offset` bytes into it. */
  u32At(offset: number): number {
    return this.#view.getUint32(this.#value(offset + 4) + offset, true);
  }

  u32Be(): number {
    return this.#view.getUint32(this.#value(4));
  }

  i32(): number {
    return this.#view.getInt32(this.#value(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#value(8), true);
  }

  u64Be(): bigint {
    return this.#view.getBigUint64(this.#value(8));
  }

  /** A text up to its first NUL, or to the end. */
  text(): string {
    const value = this.bytes();
    const end = value.indexOf(0);
    return DECODER.decode(end < 0 ? value : value.subarray(0, end));
  }

  /** The value, not copied. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#start + this.length);
  }

  /** 4 or 16 bytes in network order; nothing if there are as many of no family. */
  address(): Address | undefined {
    return parseAddressBytes(this.bytes());
  }

  /**
   * The attributes in this one.
   *
   * @param offset Bytes of a structure before them, such as that of a veth's peer.
   */
  nested(offset: number = 0): AttributeReader {
    return new AttributeReader(this.bytes(), offset);
  }

  #value(bytes: number): number {
    if (this.length < bytes) throw this.#tooShort(bytes - this.length);
    return this.#start;
  }

  #tooShort(missing: number): NetlinkError {
    return new NetlinkError("bad_message", {
      message: `Cannot read the kernel's answer: attribute ${this.type} is cut, or ${missing} ` +
        `bytes short`,
    });
  }
}
