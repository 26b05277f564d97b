/**
 * Expressions of nf_tables: the steps of a rule. A rule runs them one after the other over a set of
 * registers, and stops at the first comparison that fails.
 *
 * @source Linux `include/uapi/linux/netfilter/nf_tables.h`
 */
import type { AttributeReader, BodyWriter } from "./attribute.ts";

/** What of a packet can be read: `NFT_META` numbers. */
export const META_KEY = { mark: 3, iif: 4, oif: 5, iifname: 6, oifname: 7, l4proto: 16 } as const;
/** What of a connection can be read: `NFT_CT` numbers. */
export const CT_KEY = { state: 0, direction: 1, status: 2, mark: 3 } as const;
/** Bits of the state of a connection, as `ct state` has them. */
export const CT_STATE = { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 } as const;
/** How a register is compared with a value, in the kernel's order. */
export const COMPARISONS = ["eq", "neq", "lt", "lte", "gt", "gte"] as const;

/** Name of a comparison. */
export type Comparison = (typeof COMPARISONS)[number];

/**
 * One step of a rule. Values are bytes as the register holds them: marks and states in the
 * machine's order, names filled up with zeros.
 */
export type NftExpression =
  /** Reads of the packet (`META_KEY`) into a register. */
  | { readonly kind: "meta_load"; readonly key: number; readonly register: number }
  /** Writes a register to the packet. */
  | { readonly kind: "meta_set"; readonly key: number; readonly register: number }
  /** Reads of the packet's connection (`CT_KEY`) into a register; ends the rule without one. */
  | { readonly kind: "ct_load"; readonly key: number; readonly register: number }
  /** Writes a register to the packet's connection. */
  | { readonly kind: "ct_set"; readonly key: number; readonly register: number }
  /** Ends the rule unless the register compares so. */
  | {
    readonly kind: "compare";
    readonly register: number;
    readonly comparison: Comparison;
    readonly value: Uint8Array;
  }
  /** (source & mask) ^ flips, of as many bytes as the mask has. */
  | {
    readonly kind: "bitwise";
    readonly source: number;
    readonly register: number;
    readonly mask: Uint8Array;
    readonly flips: Uint8Array;
  }
  /** Puts a value into a register. */
  | { readonly kind: "immediate"; readonly register: number; readonly value: Uint8Array }
  /** A step that is not known here, as the kernel wrote it. */
  | { readonly kind: "other"; readonly name: string; readonly attributes: Uint8Array };

const NFTA_LIST_ELEM = 1;
const NFTA_EXPR = { NAME: 1, DATA: 2 } as const;
const NFTA_DATA_VALUE = 1;
const NFTA_META = { DREG: 1, KEY: 2, SREG: 3 } as const;
const NFTA_CT = { DREG: 1, KEY: 2, DIRECTION: 3, SREG: 4 } as const;
const NFTA_CMP = { SREG: 1, OP: 2, DATA: 3 } as const;
const NFTA_BITWISE = { SREG: 1, DREG: 2, LEN: 3, MASK: 4, XOR: 5, OP: 6 } as const;
const NFTA_IMMEDIATE = { DREG: 1, DATA: 2 } as const;

/** Writes the steps of a rule, as a list in an attribute. */
export function putExpressions(
  writer: BodyWriter,
  { type, expressions }: {
    readonly type: number;
    readonly expressions: readonly NftExpression[];
  },
): void {
  const list = writer.openNest(type);
  for (const expression of expressions) {
    const element = writer.openNest(NFTA_LIST_ELEM);
    writer.putText(NFTA_EXPR.NAME, nameOf(expression));
    const data = writer.openNest(NFTA_EXPR.DATA);
    putData(writer, expression);
    writer.closeNest(data).closeNest(element);
  }
  writer.closeNest(list);
}

/**
 * Reads the steps of a rule.
 *
 * @throws {NetlinkError} `bad_message`
 */
export function readExpressions(reader: AttributeReader): readonly NftExpression[] {
  const expressions: NftExpression[] = [];
  while (reader.next()) {
    if (reader.type === NFTA_LIST_ELEM) expressions.push(expressionIn(reader.nested()));
  }
  return expressions;
}

function nameOf(expression: NftExpression): string {
  switch (expression.kind) {
    case "meta_load":
    case "meta_set":
      return "meta";
    case "ct_load":
    case "ct_set":
      return "ct";
    case "compare":
      return "cmp";
    case "other":
      return expression.name;
    case "bitwise":
    case "immediate":
      return expression.kind;
  }
}

function putData(writer: BodyWriter, expression: NftExpression): void {
  switch (expression.kind) {
    case "meta_load":
      writer.putU32Be(NFTA_META.KEY, expression.key);
      writer.putU32Be(NFTA_META.DREG, expression.register);
      break;
    case "meta_set":
      writer.putU32Be(NFTA_META.KEY, expression.key);
      writer.putU32Be(NFTA_META.SREG, expression.register);
      break;
    case "ct_load":
      writer.putU32Be(NFTA_CT.KEY, expression.key);
      writer.putU32Be(NFTA_CT.DREG, expression.register);
      break;
    case "ct_set":
      writer.putU32Be(NFTA_CT.KEY, expression.key);
      writer.putU32Be(NFTA_CT.SREG, expression.register);
      break;
    case "compare":
      writer.putU32Be(NFTA_CMP.SREG, expression.register);
      writer.putU32Be(NFTA_CMP.OP, COMPARISONS.indexOf(expression.comparison));
      putValue(writer, { type: NFTA_CMP.DATA, value: expression.value });
      break;
    case "bitwise":
      writer.putU32Be(NFTA_BITWISE.SREG, expression.source);
      writer.putU32Be(NFTA_BITWISE.DREG, expression.register);
      writer.putU32Be(NFTA_BITWISE.LEN, expression.mask.length);
      putValue(writer, { type: NFTA_BITWISE.MASK, value: expression.mask });
      putValue(writer, { type: NFTA_BITWISE.XOR, value: expression.flips });
      break;
    case "immediate":
      writer.putU32Be(NFTA_IMMEDIATE.DREG, expression.register);
      putValue(writer, { type: NFTA_IMMEDIATE.DATA, value: expression.value });
      break;
    case "other":
      writer.addBytes(expression.attributes);
      break;
  }
}

function putValue(
  writer: BodyWriter,
  { type, value }: { readonly type: number; readonly value: Uint8Array },
): void {
  const start = writer.openNest(type);
  writer.putBytes(NFTA_DATA_VALUE, value).closeNest(start);
}

function expressionIn(reader: AttributeReader): NftExpression {
  let name = "";
  let bytes = new Uint8Array();
  let expression: NftExpression | undefined;
  while (reader.next()) {
    if (reader.type === NFTA_EXPR.NAME) name = reader.text();
    else if (reader.type === NFTA_EXPR.DATA) {
      bytes = reader.bytes().slice();
      expression = knownExpression(name, reader.nested());
    }
  }
  return expression ?? { kind: "other", name, attributes: bytes };
}

/** What the attributes of an expression say, by their numbers. */
interface Said {
  readonly numbers: ReadonlyMap<number, number>;
  readonly values: ReadonlyMap<number, Uint8Array>;
}

/** Nothing where an expression is of another kind, or says more than is known here. */
function knownExpression(name: string, reader: AttributeReader): NftExpression | undefined {
  switch (name) {
    case "meta":
      return accessIn(readSaid(reader, { values: [] }), {
        attributes: NFTA_META,
        kinds: ["meta_load", "meta_set"],
      });
    case "ct": {
      const said = readSaid(reader, { values: [] });
      if (said.numbers.has(NFTA_CT.DIRECTION)) return undefined;
      return accessIn(said, { attributes: NFTA_CT, kinds: ["ct_load", "ct_set"] });
    }
    case "cmp":
      return comparisonIn(readSaid(reader, { values: [NFTA_CMP.DATA] }));
    case "bitwise":
      return bitwiseIn(readSaid(reader, { values: [NFTA_BITWISE.MASK, NFTA_BITWISE.XOR] }));
    case "immediate":
      return immediateIn(readSaid(reader, { values: [NFTA_IMMEDIATE.DATA] }));
  }
  return undefined;
}

function readSaid(
  reader: AttributeReader,
  { values: nested }: { readonly values: readonly number[] },
): Said {
  const numbers = new Map<number, number>();
  const values = new Map<number, Uint8Array>();
  while (reader.next()) {
    const { type } = reader;
    if (nested.includes(type)) {
      const inner = reader.nested();
      while (inner.next()) {
        if (inner.type === NFTA_DATA_VALUE) values.set(type, inner.bytes().slice());
      }
    } else {
      numbers.set(type, reader.length === 4 ? reader.u32Be() : 0);
    }
  }
  return { numbers, values };
}

function accessIn(
  { numbers }: Said,
  { attributes, kinds: [load, set] }: {
    readonly attributes: { readonly DREG: number; readonly KEY: number; readonly SREG: number };
    readonly kinds: readonly ["meta_load", "meta_set"] | readonly ["ct_load", "ct_set"];
  },
): NftExpression | undefined {
  const key = numbers.get(attributes.KEY);
  const destination = numbers.get(attributes.DREG);
  const source = numbers.get(attributes.SREG);
  if (key === undefined) return undefined;
  if (destination !== undefined) return { kind: load, key, register: destination };
  return source === undefined ? undefined : { kind: set, key, register: source };
}

function comparisonIn({ numbers, values }: Said): NftExpression | undefined {
  const register = numbers.get(NFTA_CMP.SREG);
  const comparison = COMPARISONS[numbers.get(NFTA_CMP.OP) ?? 0];
  const value = values.get(NFTA_CMP.DATA);
  if (register === undefined || comparison === undefined || value === undefined) return undefined;
  return { kind: "compare", register, comparison, value };
}

/** Shifts, which are another operation, are not known here. */
function bitwiseIn({ numbers, values }: Said): NftExpression | undefined {
  const source = numbers.get(NFTA_BITWISE.SREG);
  const register = numbers.get(NFTA_BITWISE.DREG);
  const mask = values.get(NFTA_BITWISE.MASK);
  const flips = values.get(NFTA_BITWISE.XOR);
  const isShift = (numbers.get(NFTA_BITWISE.OP) ?? 0) !== 0;
  if (isShift || source === undefined || register === undefined) return undefined;
  if (mask === undefined || flips === undefined) return undefined;
  return { kind: "bitwise", source, register, mask, flips };
}

function immediateIn({ numbers, values }: Said): NftExpression | undefined {
  const register = numbers.get(NFTA_IMMEDIATE.DREG);
  const value = values.get(NFTA_IMMEDIATE.DATA);
  if (register === undefined || value === undefined) return undefined;
  return { kind: "immediate", register, value };
}
