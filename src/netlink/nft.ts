/** nf_tables of a network namespace: as much of it as marks of packets and connections need. */
import { unreachable } from "../base/assert.ts";
import { err, ok, type Result } from "../base/result.ts";
import { ERRNO } from "./errno.ts";
import { type KernelRefusal, refusalError } from "./kernel_refusal.ts";
import { NetlinkError } from "./netlink_error.ts";
import { NetlinkSocket, type SocketOptions } from "./socket.ts";
import { type Message, NLM_F } from "./wire/header.ts";
import {
  decodeChain,
  decodeGeneration,
  decodeNftRule,
  decodeTable,
  encodeBatchMark,
  encodeChain,
  encodeNftList,
  encodeNftRule,
  encodeTable,
  NFT_MSG,
  type NftChain,
  type NftFamily,
  type NftRule,
  type NftTable,
} from "./wire/nft.ts";

/** One step of a change. */
export type NftChange =
  /** `nft add table FAMILY NAME`: one that is there stays as it is. */
  | { readonly kind: "add_table"; readonly table: NftTable }
  /** `nft create table FAMILY NAME`: refused if it is there. */
  | { readonly kind: "create_table"; readonly table: NftTable }
  /** `nft delete table FAMILY NAME`: with everything in it; refused if it is not there. */
  | { readonly kind: "remove_table"; readonly table: NftTable }
  /** `nft add chain FAMILY TABLE NAME { type T hook H priority P; }`: one that is there stays. */
  | { readonly kind: "add_chain"; readonly chain: NftChain }
  /** `nft add rule FAMILY TABLE CHAIN ...`: behind those that are there, be one the same. */
  | { readonly kind: "add_rule"; readonly rule: NftRule };

/** A step that was refused, and so all of the change. */
export interface NftRefusal {
  /** `changed`: somebody changed rules since the generation was read. */
  readonly code: KernelRefusal["code"] | "changed";
  /** Which step; nothing if it is the change as a whole. */
  readonly index: number | undefined;
  readonly refusal: KernelRefusal;
}

/** All that there is, or all of one family. */
export interface Ruleset {
  readonly tables: readonly NftTable[];
  /** Chains at a place of the kernel; those that are only jumped to are left out. */
  readonly chains: readonly NftChain[];
  /** In the order of each chain. */
  readonly rules: readonly NftRule[];
}

const ERESTART = 85;

/**
 * Opens a socket for nf_tables, and makes sure that the kernel has them.
 *
 * @throws {NetlinkError} `no_nf_tables`, and all of `NetlinkSocket.openNetfilter`.
 */
export function openNfTables(options: SocketOptions = {}): NetlinkSocket {
  const socket = openNetfilter(options);
  const answer = socket.ask(generationQuestion());
  if (answer.ok) return socket;
  socket[Symbol.dispose]();
  const { name, errno } = answer.error;
  if (errno === ERRNO.EPERM) throw refusalError("ask for nf_tables", answer.error);
  throw noNfTables({ reason: ` (${name})` });
}

function openNetfilter(options: SocketOptions): NetlinkSocket {
  try {
    return NetlinkSocket.openNetfilter(options);
  } catch (error) {
    const isMissing = error instanceof NetlinkError && error.code === "no_socket" &&
      error.message.includes("EPROTONOSUPPORT");
    throw isMissing ? noNfTables({ reason: "", cause: error }) : error;
  }
}

function noNfTables(
  { reason, cause }: { readonly reason: string; readonly cause?: unknown },
): NetlinkError {
  const message = `Cannot use nf_tables${reason}: this kernel lacks them, load or build the ` +
    `modules nf_tables and nft_ct (CONFIG_NF_TABLES, CONFIG_NFT_CT)`;
  return new NetlinkError("no_nf_tables", { message, cause });
}

/**
 * Reads which generation of rules there is, to be told by `changeNfTables` if it was the last one.
 *
 * @throws {NetlinkError} `refused`, and all of `NetlinkSocket`.
 */
export function readGeneration(socket: NetlinkSocket): number {
  const answer = socket.ask(generationQuestion());
  if (answer.ok) return decodeGeneration(answer.value.body);
  throw refusalError("ask for the generation of nf_tables", answer.error);
}

function generationQuestion(): Message {
  return { type: NFT_MSG.GETGEN, flags: 0, body: encodeNftList() };
}

/**
 * Lists tables, chains and rules.
 *
 * Equivalent: `nft list ruleset [FAMILY]`.
 *
 * @throws {NetlinkError} `inconsistent`, and all of `NetlinkSocket`.
 */
export function listRuleset(
  socket: NetlinkSocket,
  { family }: { readonly family?: NftFamily } = {},
): Ruleset {
  const list = <T>(type: number, decode: (body: Uint8Array) => T | undefined): readonly T[] => {
    const messages = socket.dump({ type, flags: 0, body: encodeNftList(family) });
    return messages.flatMap(({ body }) => decode(body) ?? []);
  };
  return {
    tables: list(NFT_MSG.GETTABLE, decodeTable),
    chains: list(NFT_MSG.GETCHAIN, decodeChain),
    rules: list(NFT_MSG.GETRULE, decodeNftRule),
  };
}

/**
 * Makes a change, all of it or nothing; at most 126 steps.
 *
 * Equivalent: `nft -f FILE`.
 *
 * @param options.generation What `readGeneration` gave: if somebody changed rules since, nothing is
 *   done.
 * @outcome `changed`
 * @outcome `not_found` A table or chain that a step names is not there, or the kernel lacks an
 *   expression of a rule.
 * @outcome `exists`, `refused`
 */
export function changeNfTables(
  socket: NetlinkSocket,
  changes: readonly NftChange[],
  { generation }: { readonly generation?: number } = {},
): Result<undefined, NftRefusal> {
  const begin = encodeBatchMark({ generation });
  const sent = socket.batch([
    { type: NFT_MSG.BEGIN, flags: NLM_F.REQUEST, body: begin },
    ...changes.map(messageOf),
    { type: NFT_MSG.END, flags: NLM_F.REQUEST, body: encodeBatchMark() },
  ]);
  if (sent.ok) return sent;
  const [first] = sent.error;
  if (first === undefined) return ok(undefined);
  const { index, refusal } = first;
  return err({
    code: refusal.errno === ERESTART ? "changed" : refusal.code,
    index: index === 0 || index > changes.length ? undefined : index - 1,
    refusal,
  });
}

function messageOf(change: NftChange): Message {
  const flags = NLM_F.REQUEST | NLM_F.ACK;
  switch (change.kind) {
    case "add_table":
      return {
        type: NFT_MSG.NEWTABLE,
        flags: flags | NLM_F.CREATE,
        body: encodeTable(change.table),
      };
    case "create_table":
      return {
        type: NFT_MSG.NEWTABLE,
        flags: flags | NLM_F.CREATE | NLM_F.EXCL,
        body: encodeTable(change.table),
      };
    case "remove_table":
      return { type: NFT_MSG.DELTABLE, flags, body: encodeTable(change.table) };
    case "add_chain":
      return {
        type: NFT_MSG.NEWCHAIN,
        flags: flags | NLM_F.CREATE,
        body: encodeChain(change.chain),
      };
    case "add_rule":
      return {
        type: NFT_MSG.NEWRULE,
        flags: flags | NLM_F.CREATE | NLM_F.APPEND,
        body: encodeNftRule(change.rule),
      };
    default:
      return unreachable(change);
  }
}
