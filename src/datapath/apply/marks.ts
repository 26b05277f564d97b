/** The nf_tables tables by which a pod's replies leave the way their requests came. */
import { err, type Result } from "../../base/result.ts";
import { NetlinkError } from "../../netlink/netlink_error.ts";
import type { Netns } from "../../netlink/netns.ts";
import {
  changeNfTables,
  listRuleset,
  type NftChange,
  type NftRefusal,
  openNfTables,
} from "../../netlink/nft.ts";
import type { NftChain, NftFamily, NftRule } from "../../netlink/wire/nft.ts";
import {
  hasConnectionMark,
  hasMark,
  isFromLink,
  isInState,
  restoreMark,
  saveMark,
  setMark,
} from "../../netlink/wire/nft_statement.ts";
import type { MarksFact } from "../facts.ts";
import { POD_VETH } from "../place.ts";
import { REPLY_MARK } from "../tables.ts";

const TABLE = "spiderpool";
/** Where iptables has its table `mangle`: behind conntrack, before routing. */
const PRIORITY = -150;

/** What a pod's tables mark. */
export interface MarkedLink {
  readonly device: string;
  readonly mark: number;
}

interface Content {
  readonly chains: readonly NftChain[];
  readonly rules: readonly NftRule[];
}

/**
 * What is in the table of one family: a connection that begins at the link is marked with its first
 * packet, and what the pod sends of it gets the mark, and by that another route.
 *
 * A mark that the connection does not have is left alone: the pod's own programs may use others.
 */
function contentOf(family: NftFamily, { device, mark }: MarkedLink): Content {
  const base = { family, table: TABLE };
  const prerouting = { ...base, chain: "prerouting" };
  return {
    chains: [
      { ...base, name: "prerouting", type: "filter", hook: "prerouting", priority: PRIORITY },
      { ...base, name: "output", type: "route", hook: "output", priority: PRIORITY },
    ],
    rules: [
      { ...prerouting, expressions: [...isFromLink(device), ...isInState(), ...setMark({ mark })] },
      { ...prerouting, expressions: [...hasMark({ mark }), ...saveMark()] },
      { ...base, chain: "output", expressions: [...hasConnectionMark({ mark }), ...restoreMark()] },
    ],
  };
}

function familiesOf({ hasIpv6 }: { readonly hasIpv6: boolean }): readonly NftFamily[] {
  return hasIpv6 ? ["ip", "ip6"] : ["ip"];
}

/** Looks at a pod's tables. Equivalent: `nft list table ip spiderpool`, and `ip6`. */
export function readMarks(netns: Netns, kernel: { readonly hasIpv6: boolean }): MarksFact {
  try {
    using socket = openNfTables({ netns });
    const facts = familiesOf(kernel).map((family): MarksFact => {
      const { tables, chains, rules } = listRuleset(socket, { family });
      if (!tables.some(({ name }) => name === TABLE)) return "absent";
      const own: Content = {
        chains: chains.filter(({ table }) => table === TABLE),
        rules: rules.filter(({ table }) => table === TABLE),
      };
      const wished = contentOf(family, { device: POD_VETH, mark: REPLY_MARK });
      return contentText(own) === contentText(wished) ? "set" : "other";
    });
    const [first = "absent"] = facts;
    return facts.every((fact) => fact === first) ? first : "other";
  } catch (error) {
    if (error instanceof NetlinkError && error.code === "no_nf_tables") return "no_nf_tables";
    throw error;
  }
}

/** Chains by name, for the kernel may list them in any order; the rules of each in theirs. */
function contentText({ chains, rules }: Content): string {
  const sorted = chains.toSorted((a, b) => a.name < b.name ? -1 : 1);
  return JSON.stringify(sorted.map(({ name, type, hook, priority }) => [
    [name, type, hook, priority],
    rules.filter(({ chain }) => chain === name).map(({ expressions }) =>
      expressions.map((one) =>
        Object.entries(one).map(([key, value]) => `${key} ${String(value)}`).toSorted()
      )
    ),
  ]));
}

/**
 * Makes a pod's tables, in the place of what is there. Equivalent: `nft -f FILE`.
 *
 * Who removes a table waits, when the socket closes, for every processor to have done with it (11
 * of the 12 ms that this takes): what is not there is not removed first.
 *
 * @outcome `not_found` The kernel has nf_tables without their `ct`.
 * @outcome `changed`, `refused`
 */
export function setMarks(
  netns: Netns,
  { link, hasIpv6 }: { readonly link: MarkedLink; readonly hasIpv6: boolean },
): Result<undefined, NftRefusal> {
  using socket = openNfTables({ netns });
  const families = familiesOf({ hasIpv6 });
  const made = changeNfTables(socket, families.flatMap((family) => creation(family, link)));
  if (made.ok || made.error.code !== "exists") return withRemedy(made);
  const changes = families.flatMap((family) => [...removal(family), ...creation(family, link)]);
  return withRemedy(changeNfTables(socket, changes));
}

/** Tables and chains come with the change: what is not there can only be what rules are made of. */
function withRemedy(made: Result<undefined, NftRefusal>): Result<undefined, NftRefusal> {
  if (made.ok || made.error.code !== "not_found") return made;
  const text = "the kernel of this node cannot mark connections, load the module nft_ct";
  return err({ ...made.error, refusal: { ...made.error.refusal, text } });
}

function creation(family: NftFamily, link: MarkedLink): readonly NftChange[] {
  const { chains, rules } = contentOf(family, link);
  return [
    { kind: "create_table", table: { family, name: TABLE } },
    ...chains.map((chain) => ({ kind: "add_chain", chain } as const)),
    ...rules.map((rule) => ({ kind: "add_rule", rule } as const)),
  ];
}

/** Removes a pod's tables. Equivalent: `nft delete table ip spiderpool`, and `ip6`. */
export function removeMarks(
  netns: Netns,
  kernel: { readonly hasIpv6: boolean },
): Result<undefined, NftRefusal> {
  using socket = openNfTables({ netns });
  return changeNfTables(socket, familiesOf(kernel).flatMap(removal));
}

/** A table that is not there cannot be removed, so it is made first. */
function removal(family: NftFamily): readonly NftChange[] {
  const table = { family, name: TABLE };
  return [{ kind: "add_table", table }, { kind: "remove_table", table }];
}
