/**
 * Codec of nf_tables: `struct nfgenmsg`, tables, chains and rules. Numbers in attributes are in
 * network order, values of registers are not.
 *
 * @source Linux `include/uapi/linux/netfilter/nf_tables.h`, `nfnetlink.h`
 */
import { AttributeReader, BodyWriter } from "./attribute.ts";
import { type NftExpression, putExpressions, readExpressions } from "./nft_expression.ts";

/** Types of messages, of the nf_tables subsystem; `BEGIN` and `END` are of all subsystems. */
export const NFT_MSG = {
  BEGIN: 0x10,
  END: 0x11,
  NEWTABLE: 0xa00,
  GETTABLE: 0xa01,
  DELTABLE: 0xa02,
  NEWCHAIN: 0xa03,
  GETCHAIN: 0xa04,
  NEWRULE: 0xa06,
  GETRULE: 0xa07,
  GETGEN: 0xa10,
} as const;

/** Packets of which family a table sees; `inet` is both, on kernels that have IPv6. */
export const NFT_FAMILY = { inet: 1, ip: 2, ip6: 10 } as const;
/** Name of such a family. */
export type NftFamily = keyof typeof NFT_FAMILY;

/** Where packets meet a chain. */
export const NFT_HOOK = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;
/** Name of such a place. */
export type NftHook = keyof typeof NFT_HOOK;

/** A table: what else there is belongs to one. */
export interface NftTable {
  readonly family: NftFamily;
  readonly name: string;
}

/** A chain of rules, which the kernel asks about every packet at one place. */
export interface NftChain {
  readonly family: NftFamily;
  readonly table: string;
  readonly name: string;
  /** `route` routes a packet again whose mark it changed; only at `output`. */
  readonly type: "filter" | "route" | "nat";
  readonly hook: NftHook;
  /** Lower is asked first: -150 is the place of marks, behind -200, which is that of conntrack. */
  readonly priority: number;
}

/** One rule of a chain. */
export interface NftRule {
  readonly family: NftFamily;
  readonly table: string;
  readonly chain: string;
  readonly expressions: readonly NftExpression[];
}

const HEADER_BYTES = 4;
const SUBSYSTEM = 10;
const ACCEPT = 1;
const NFTA_TABLE = { NAME: 1, FLAGS: 2 } as const;
const NFTA_CHAIN = { TABLE: 1, NAME: 3, HOOK: 4, POLICY: 5, TYPE: 7 } as const;
const NFTA_HOOK = { NUMBER: 1, PRIORITY: 2 } as const;
const NFTA_RULE = { TABLE: 1, CHAIN: 2, EXPRESSIONS: 4 } as const;
const NFTA_GEN_ID = 1;
const NFNL_BATCH_GENID = 1;

const FAMILY_NAMES: ReadonlyMap<number, NftFamily> = new Map([
  [NFT_FAMILY.inet, "inet"],
  [NFT_FAMILY.ip, "ip"],
  [NFT_FAMILY.ip6, "ip6"],
]);
const HOOK_NAMES: readonly NftHook[] = ["prerouting", "input", "forward", "output", "postrouting"];
const TYPES: readonly NftChain["type"][] = ["filter", "route", "nat"];

/** `struct nfgenmsg`: 0 family | 1 version 0 | 2..4 number of a resource, in network order */
function header(family: NftFamily | undefined, { resource }: { readonly resource: number }) {
  return new BodyWriter()
    .addU8(family === undefined ? 0 : NFT_FAMILY[family])
    .addU8(0)
    .addU16Be(resource);
}

/**
 * Builds the body of the message that begins or ends a batch.
 *
 * @param options.generation Of the rules that the batch was made from: if they are of another one
 *   by now, nothing is done.
 */
export function encodeBatchMark(
  { generation }: { readonly generation?: number | undefined } = {},
): Uint8Array<ArrayBuffer> {
  const writer = header(undefined, { resource: SUBSYSTEM });
  if (generation !== undefined) writer.putU32Be(NFNL_BATCH_GENID, generation);
  return writer.finish();
}

/** Builds what makes a table, or takes it away with all that is in it. */
export function encodeTable({ family, name }: NftTable): Uint8Array<ArrayBuffer> {
  return header(family, { resource: 0 }).putText(NFTA_TABLE.NAME, name).finish();
}

/** Builds what makes a chain. Packets that no rule ends are accepted. */
export function encodeChain(chain: NftChain): Uint8Array<ArrayBuffer> {
  const writer = header(chain.family, { resource: 0 })
    .putText(NFTA_CHAIN.TABLE, chain.table)
    .putText(NFTA_CHAIN.NAME, chain.name)
    .putText(NFTA_CHAIN.TYPE, chain.type)
    .putU32Be(NFTA_CHAIN.POLICY, ACCEPT);
  const hook = writer.openNest(NFTA_CHAIN.HOOK);
  return writer
    .putU32Be(NFTA_HOOK.NUMBER, NFT_HOOK[chain.hook])
    .putU32Be(NFTA_HOOK.PRIORITY, chain.priority >>> 0)
    .closeNest(hook)
    .finish();
}

/** Builds what makes a rule, behind those that the chain has. */
export function encodeNftRule(rule: NftRule): Uint8Array<ArrayBuffer> {
  const writer = header(rule.family, { resource: 0 })
    .putText(NFTA_RULE.TABLE, rule.table)
    .putText(NFTA_RULE.CHAIN, rule.chain);
  putExpressions(writer, { type: NFTA_RULE.EXPRESSIONS, expressions: rule.expressions });
  return writer.finish();
}

/** Builds the question for all tables, chains or rules of one family or of all. */
export function encodeNftList(family?: NftFamily): Uint8Array<ArrayBuffer> {
  return header(family, { resource: 0 }).finish();
}

/**
 * Reads a table.
 *
 * @returns Nothing if it is of another family than those of `NFT_FAMILY`.
 * @throws {NetlinkError} `bad_message`
 */
export function decodeTable(body: Uint8Array): NftTable | undefined {
  const family = familyIn(body);
  let name = "";
  const reader = new AttributeReader(body, HEADER_BYTES);
  while (reader.next()) if (reader.type === NFTA_TABLE.NAME) name = reader.text();
  return family === undefined ? undefined : { family, name };
}

/**
 * Reads a chain.
 *
 * @returns Nothing if it is of another family, or at no place: other chains jump to it.
 * @throws {NetlinkError} `bad_message`
 */
export function decodeChain(body: Uint8Array): NftChain | undefined {
  const family = familyIn(body);
  let table = "";
  let name = "";
  let type: NftChain["type"] | undefined;
  let place: Pick<NftChain, "hook" | "priority"> | undefined;
  const reader = new AttributeReader(body, HEADER_BYTES);
  while (reader.next()) {
    if (reader.type === NFTA_CHAIN.TABLE) table = reader.text();
    else if (reader.type === NFTA_CHAIN.NAME) name = reader.text();
    else if (reader.type === NFTA_CHAIN.HOOK) place = placeIn(reader.nested());
    else if (reader.type === NFTA_CHAIN.TYPE) {
      const text = reader.text();
      type = TYPES.find((one) => one === text);
    }
  }
  if (family === undefined || type === undefined || place === undefined) return undefined;
  return { family, table, name, type, ...place };
}

function placeIn(reader: AttributeReader): Pick<NftChain, "hook" | "priority"> | undefined {
  let hook: NftHook | undefined;
  let priority = 0;
  while (reader.next()) {
    if (reader.type === NFTA_HOOK.NUMBER) hook = HOOK_NAMES[reader.u32Be()];
    else if (reader.type === NFTA_HOOK.PRIORITY) priority = reader.u32Be() | 0;
  }
  return hook === undefined ? undefined : { hook, priority };
}

/**
 * Reads a rule.
 *
 * @returns Nothing if it is of another family than those of `NFT_FAMILY`.
 * @throws {NetlinkError} `bad_message`
 */
export function decodeNftRule(body: Uint8Array): NftRule | undefined {
  const family = familyIn(body);
  let table = "";
  let chain = "";
  let expressions: readonly NftExpression[] = [];
  const reader = new AttributeReader(body, HEADER_BYTES);
  while (reader.next()) {
    if (reader.type === NFTA_RULE.TABLE) table = reader.text();
    else if (reader.type === NFTA_RULE.CHAIN) chain = reader.text();
    else if (reader.type === NFTA_RULE.EXPRESSIONS) expressions = readExpressions(reader.nested());
  }
  return family === undefined ? undefined : { family, table, chain, expressions };
}

/**
 * Reads which generation of rules the kernel has: each batch makes a new one.
 *
 * @throws {NetlinkError} `bad_message`
 */
export function decodeGeneration(body: Uint8Array): number {
  let generation = 0;
  const reader = new AttributeReader(body, HEADER_BYTES);
  while (reader.next()) if (reader.type === NFTA_GEN_ID) generation = reader.u32Be();
  return generation;
}

function familyIn(body: Uint8Array): NftFamily | undefined {
  return FAMILY_NAMES.get(body[0] ?? 0);
}
