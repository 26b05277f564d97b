/**
 * Parts of rules as `nft` spells them, made of expressions. A rule is a list of parts: first what
 * it is for, then what it does.
 */
import { assert } from "../../base/assert.ts";
import { CT_KEY, CT_STATE, META_KEY, type NftExpression } from "./nft_expression.ts";

/** What every part works in: what one part leaves there means nothing to the next. */
const REGISTER = 1;
const MARK_MAX = 0xffff_ffff;
/** Bytes of a link's name, the closing NUL included. */
const NAME_BYTES = 16;

/** For packets that came in by a link. `nft`: `iifname "NAME"`. */
export function isFromLink(name: string): readonly NftExpression[] {
  return [
    { kind: "meta_load", key: META_KEY.iifname, register: REGISTER },
    { kind: "compare", register: REGISTER, comparison: "eq", value: nameBytes(name) },
  ];
}

/** For packets of a connection in a state (bits of `CT_STATE`). `nft`: `ct state new`. */
export function isInState(states: number = CT_STATE.new): readonly NftExpression[] {
  return [
    { kind: "ct_load", key: CT_KEY.state, register: REGISTER },
    {
      kind: "bitwise",
      source: REGISTER,
      register: REGISTER,
      mask: numberBytes(states),
      flips: numberBytes(0),
    },
    { kind: "compare", register: REGISTER, comparison: "neq", value: numberBytes(0) },
  ];
}

/** A mark, and which of its bits matter: all of them unless told otherwise. */
export interface MarkWish {
  readonly mark: number;
  readonly mask?: number;
}

/** For packets with a mark. `nft`: `meta mark and MASK == MARK`. */
export function hasMark({ mark, mask = MARK_MAX }: MarkWish): readonly NftExpression[] {
  return [
    { kind: "meta_load", key: META_KEY.mark, register: REGISTER },
    ...compareMasked({ mark, mask }),
  ];
}

/** For packets of a connection with a mark. `nft`: `ct mark and MASK == MARK`. */
export function hasConnectionMark({ mark, mask = MARK_MAX }: MarkWish): readonly NftExpression[] {
  return [
    { kind: "ct_load", key: CT_KEY.mark, register: REGISTER },
    ...compareMasked({ mark, mask }),
  ];
}

/** Gives the packet a mark, other bits left alone. `nft`: `meta mark set meta mark and ...`. */
export function setMark({ mark, mask = MARK_MAX }: MarkWish): readonly NftExpression[] {
  const set = { kind: "meta_set", key: META_KEY.mark, register: REGISTER } as const;
  if (mask === MARK_MAX) {
    return [{ kind: "immediate", register: REGISTER, value: numberBytes(mark) }, set];
  }
  return [
    { kind: "meta_load", key: META_KEY.mark, register: REGISTER },
    {
      kind: "bitwise",
      source: REGISTER,
      register: REGISTER,
      mask: numberBytes((MARK_MAX & ~mask) >>> 0),
      flips: numberBytes((mark & mask) >>> 0),
    },
    set,
  ];
}

/** Remembers the packet's mark for its connection. `nft`: `ct mark set meta mark`. */
export function saveMark(): readonly NftExpression[] {
  return [
    { kind: "meta_load", key: META_KEY.mark, register: REGISTER },
    { kind: "ct_set", key: CT_KEY.mark, register: REGISTER },
  ];
}

/** Gives the packet the mark of its connection. `nft`: `meta mark set ct mark`. */
export function restoreMark(): readonly NftExpression[] {
  return [
    { kind: "ct_load", key: CT_KEY.mark, register: REGISTER },
    { kind: "meta_set", key: META_KEY.mark, register: REGISTER },
  ];
}

function compareMasked({ mark, mask }: Required<MarkWish>): readonly NftExpression[] {
  const compare = {
    kind: "compare",
    register: REGISTER,
    comparison: "eq",
    value: numberBytes(mark),
  } as const;
  if (mask === MARK_MAX) return [compare];
  const flips = numberBytes(0);
  const masked = { source: REGISTER, register: REGISTER, mask: numberBytes(mask), flips };
  return [{ kind: "bitwise", ...masked }, compare];
}

function numberBytes(value: number): Uint8Array {
  assert(Number.isInteger(value) && value >= 0 && value <= MARK_MAX, "a mark has 32 bits");
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function nameBytes(name: string): Uint8Array {
  const bytes = new Uint8Array(NAME_BYTES);
  const text = new TextEncoder().encode(name);
  assert(text.length > 0 && text.length < NAME_BYTES, "a link's name has 1 to 15 bytes");
  bytes.set(text);
  return bytes;
}
