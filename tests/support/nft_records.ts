import fc from "fast-check";
import {
  type NftChain,
  type NftFamily,
  type NftHook,
  type NftRule,
} from "../../src/netlink/wire/nft.ts";
import { COMPARISONS, type NftExpression } from "../../src/netlink/wire/nft_expression.ts";
import { anyUint } from "./netlink_records.ts";

const anyName = fc.stringMatching(/^[a-z][a-z0-9_-]{0,30}$/);
const anyFamily: fc.Arbitrary<NftFamily> = fc.constantFrom("inet", "ip", "ip6");
const anyHook: fc.Arbitrary<NftHook> = fc.constantFrom(
  "prerouting",
  "input",
  "forward",
  "output",
  "postrouting",
);
const register = anyUint(5);
const key = anyUint(6);
const anyValue = fc.uint8Array({ minLength: 1, maxLength: 16 });

const anyExpression: fc.Arbitrary<NftExpression> = fc.oneof(
  access("meta_load"),
  access("meta_set"),
  access("ct_load"),
  access("ct_set"),
  fc.tuple(register, fc.constantFrom(...COMPARISONS), anyValue).map(
    ([register, comparison, value]): NftExpression => ({
      kind: "compare",
      register,
      comparison,
      value,
    }),
  ),
  fc.tuple(register, register, anyValue).map(
    ([source, register, mask]): NftExpression => ({
      kind: "bitwise",
      source,
      register,
      mask,
      flips: mask.toReversed(),
    }),
  ),
  fc.tuple(register, anyValue).map(
    ([register, value]): NftExpression => ({ kind: "immediate", register, value }),
  ),
  fc.tuple(fc.constantFrom("counter", "lookup", "notrack"), fc.uint8Array({ maxLength: 40 })).map(
    ([name, bytes]): NftExpression => ({
      kind: "other",
      name,
      attributes: bytes.slice(0, bytes.length & ~3),
    }),
  ),
);

function access(
  kind: "meta_load" | "meta_set" | "ct_load" | "ct_set",
): fc.Arbitrary<NftExpression> {
  return fc.tuple(key, register).map(([key, register]) => ({ kind, key, register }));
}

/** Any chain at a place of the kernel. */
export const anyNftChain: fc.Arbitrary<NftChain> = fc
  .tuple(
    anyFamily,
    fc.tuple(anyName, anyName),
    fc.constantFrom("filter" as const, "route" as const, "nat" as const),
    anyHook,
    fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  )
  .map(([family, [table, name], type, hook, priority]) => ({
    family,
    table,
    name,
    type,
    hook,
    priority,
  }));

/** Any rule of nf_tables. */
export const anyNftRule: fc.Arbitrary<NftRule> = fc
  .tuple(anyFamily, anyName, anyName, fc.array(anyExpression, { maxLength: 12 }))
  .map(([family, table, chain, expressions]) => ({ family, table, chain, expressions }));
