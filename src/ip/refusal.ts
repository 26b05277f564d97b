/**
 * Why a text is no address, CIDR or range: closed unions, and the one sentence a person reads.
 */
import { unreachable } from "../base/assert.ts";

/** Why a text is not an address. `text` is always what was given. */
export type AddressRefusal =
  /** Nothing more precise can be said. `version` is the family that was asked for. */
  | { readonly code: "not_address"; readonly text: string; readonly version: 4 | 6 | undefined }
  /** `010.0.0.1`: octal to some programs, decimal to others. */
  | { readonly code: "leading_zero"; readonly text: string; readonly without: string }
  /** `10.1`, `10`, `1.2.3.4.5`. */
  | { readonly code: "number_count"; readonly text: string; readonly count: number }
  /** `10.0.0.256`. */
  | { readonly code: "number_too_large"; readonly text: string; readonly number: string }
  /** `fe80::1%eth0`. */
  | { readonly code: "zone"; readonly text: string; readonly without: string }
  /** `::ffff:10.0.0.1`, in any spelling. */
  | { readonly code: "mapped"; readonly text: string; readonly ipv4: string }
  /** `10.0.0.1/24` where a bare address belongs. */
  | { readonly code: "has_prefix_length"; readonly text: string; readonly without: string }
  /** `10.0.0.1 `. */
  | { readonly code: "white_space"; readonly text: string; readonly without: string }
  /** A good address, but not of the family `version` that was asked for. */
  | { readonly code: "other_family"; readonly text: string; readonly version: 4 | 6 };

/** Why a text is not a CIDR, or not one in canonical form. */
export type CidrRefusal =
  | { readonly code: "bad_address"; readonly text: string; readonly address: AddressRefusal }
  /** `10.0.0.0`. */
  | { readonly code: "no_prefix_length"; readonly text: string; readonly version: 4 | 6 }
  /** `10.0.0.0/33`, `/08`, `/`, `/+8`. */
  | {
    readonly code: "bad_prefix_length";
    readonly text: string;
    readonly prefixLength: string;
    readonly bits: number;
  }
  /** `10.0.0.0/255.255.255.0`; `meant` is the same with a prefix length. */
  | { readonly code: "netmask"; readonly text: string; readonly meant: string }
  /** `10.0.0.1/24`; `network` is the one meant. */
  | { readonly code: "host_bits"; readonly text: string; readonly network: string }
  /** The right network, written in another way: `FD00::/64`. */
  | { readonly code: "not_canonical"; readonly text: string; readonly canonical: string };

/** Why a text is not a range `a` or `a-b` of the family and subnet asked for. */
export type RangeRefusal =
  | {
    readonly code: "bad_end";
    readonly text: string;
    readonly end: "only" | "start" | "end";
    readonly address: AddressRefusal;
  }
  /** `10.0.0.1-10.0.0.2-10.0.0.3`. */
  | { readonly code: "many_dashes"; readonly text: string; readonly dashes: number }
  /** `10.0.0.0/24`; `range` are its addresses in range syntax. */
  | { readonly code: "cidr"; readonly text: string; readonly range: string }
  /** `10.0.0.1-9`; `range` is the same in full. */
  | { readonly code: "short_end"; readonly text: string; readonly range: string }
  /** `10.0.0.9-10.0.0.1`; `range` is the right way round. */
  | { readonly code: "reversed"; readonly text: string; readonly range: string }
  /** `10.0.0.1-fd00::1`. */
  | { readonly code: "mixed_families"; readonly text: string }
  /** Not wholly inside the subnet; `subnetRange` is what the subnet has. */
  | {
    readonly code: "outside_subnet";
    readonly text: string;
    readonly outside: string;
    readonly subnet: string;
    readonly subnetRange: string;
  };

/** Anything this directory refuses. */
export type IpRefusal = AddressRefusal | CidrRefusal | RangeRefusal;

/** Characters of a refused value that a message shows. */
const SHOWN_CHARACTERS_MAX = 100;

/**
 * Says in one sentence what is wrong with a field and what to write instead:
 * `Cannot use spec.ips[3] "10.0.0.9-10.0.0.1": it is reversed; write "10.0.0.1-10.0.0.9"`.
 *
 * @param path The field as its user knows it, such as `spec.ips[3]`.
 */
export function describeRefusal(refusal: IpRefusal, path: string): string {
  return `Cannot use ${path} ${quoted(refusal.text)}: ${explainRefusal(refusal)}`;
}

/**
 * Says the reason and the remedy only, for callers with a frame of their own (a Kubernetes status
 * cause names field and value itself).
 */
export function explainRefusal(refusal: IpRefusal): string {
  switch (refusal.code) {
    case "bad_address":
      return explainAddress(refusal.address, `its address ${quoted(refusal.address.text)}`);
    case "no_prefix_length":
      return `it has no prefix length; write one after the address, as in ` +
        (refusal.version === 4 ? `"10.6.0.0/16"` : `"fd00:6::/64"`);
    case "bad_prefix_length":
      return `its prefix length ${quoted(refusal.prefixLength)} is not a plain number from 0 to ` +
        `${refusal.bits}; write one after the slash`;
    case "netmask":
      return `it has a netmask; write ${quoted(refusal.meant)}`;
    case "host_bits":
      return `it has host bits set; write its network ${quoted(refusal.network)}`;
    case "not_canonical":
      return `it is not in canonical form; write ${quoted(refusal.canonical)}`;
    case "bad_end":
      return explainAddress(
        refusal.address,
        refusal.end === "only" ? "it" : `its ${refusal.end} ${quoted(refusal.address.text)}`,
      );
    case "many_dashes":
      return `it has ${refusal.dashes} dashes; write one range "first-last" per entry`;
    case "cidr":
      return `it is a CIDR, not a range; write ${quoted(refusal.range)}`;
    case "short_end":
      return `its end is abbreviated; write ${quoted(refusal.range)}`;
    case "reversed":
      return `it is reversed; write ${quoted(refusal.range)}`;
    case "mixed_families":
      return `it mixes IPv4 and IPv6; write both ends in one family`;
    case "outside_subnet":
      return `${quoted(refusal.outside)} is outside the subnet ${quoted(refusal.subnet)}; ` +
        `stay within ${quoted(refusal.subnetRange)}`;
    default:
      return explainAddress(refusal, "it");
  }
}

/** @param subject Who is wrong: "it", or a quoted part of the value. */
function explainAddress(refusal: AddressRefusal, subject: string): string {
  switch (refusal.code) {
    case "not_address":
      return `${subject} is not an ${familyName(refusal.version)} address; write one such as ` +
        (refusal.version === 6 ? `"fd00:6::17"` : `"10.6.0.17"`);
    case "leading_zero":
      return `${subject} has a number with a leading zero, octal to some programs; ` +
        `write ${quoted(refusal.without)} if decimal is meant`;
    case "number_count":
      return `${subject} has ${refusal.count} ${
        refusal.count === 1 ? "number" : "numbers"
      } instead of 4; write an IPv4 address in full, such as "10.6.0.17"`;
    case "number_too_large":
      return `${subject} has the number ${shown(refusal.number)}; ` +
        `write numbers from 0 to 255`;
    case "zone":
      return `${subject} has a zone, which means nothing on other hosts; ` +
        `write ${quoted(refusal.without)}`;
    case "mapped":
      return `${subject} is IPv4-mapped, which some programs read as IPv4 and some as IPv6; ` +
        `write the IPv4 address ${quoted(refusal.ipv4)}`;
    case "has_prefix_length":
      return `${subject} has a prefix length; write the bare address ${quoted(refusal.without)}`;
    case "white_space":
      return `${subject} contains white space; write ${quoted(refusal.without)}`;
    case "other_family":
      return `${subject} is an IPv${refusal.version === 4 ? 6 : 4} address; ` +
        `write an IPv${refusal.version} one`;
    default:
      return unreachable(refusal);
  }
}

function familyName(version: 4 | 6 | undefined): string {
  return version === undefined ? "IP" : `IPv${version}`;
}

function quoted(text: string): string {
  return JSON.stringify(shown(text));
}

function shown(text: string): string {
  return text.length <= SHOWN_CHARACTERS_MAX ? text : `${text.slice(0, SHOWN_CHARACTERS_MAX)}…`;
}
