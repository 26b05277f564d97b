/** Sets of addresses of both families. */
import {
  type Address,
  type AnyCidr,
  type Cidr,
  cidrsOverlap,
  IPV4,
  type Ipv4,
  IPV6,
  type Ipv6,
  parseRangeSet,
  RangeSet,
} from "../../../ip/mod.ts";

/** Ranges of a set that a sentence shows. */
const RANGES_SHOWN = 3;

/** An immutable set of addresses of whatever family: in practice of one. */
export class AddressSet {
  /** No address. */
  static readonly empty = new AddressSet(RangeSet.empty(IPV4), RangeSet.empty(IPV6));

  readonly #ipv4: RangeSet<Ipv4>;
  readonly #ipv6: RangeSet<Ipv6>;

  private constructor(ipv4: RangeSet<Ipv4>, ipv6: RangeSet<Ipv6>) {
    this.#ipv4 = ipv4;
    this.#ipv6 = ipv6;
  }

  /** Ranges inside a network; `undefined` if one of them is wrong. */
  static parse(cidr: AnyCidr, texts: readonly string[] = []): AddressSet | undefined {
    if (texts.length === 0) return AddressSet.empty;
    if (cidr.version === 4) {
      const parsed = parseRangeSet(IPV4, texts, { subnet: cidr });
      return parsed.ok ? new AddressSet(parsed.value, RangeSet.empty(IPV6)) : undefined;
    }
    const parsed = parseRangeSet(IPV6, texts, { subnet: cidr });
    return parsed.ok ? new AddressSet(RangeSet.empty(IPV4), parsed.value) : undefined;
  }

  /** Whether there is no address. */
  get isEmpty(): boolean {
    return this.#ipv4.isEmpty && this.#ipv6.isEmpty;
  }

  /** How many addresses. */
  get size(): bigint {
    return BigInt(this.#ipv4.size) + this.#ipv6.size;
  }

  /** Whether an address is a member. */
  has(address: Address): boolean {
    return typeof address === "number" ? this.#ipv4.has(address) : this.#ipv6.has(address);
  }

  /** Members that are not in `other`. */
  subtract(other: AddressSet): AddressSet {
    return new AddressSet(this.#ipv4.subtract(other.#ipv4), this.#ipv6.subtract(other.#ipv6));
  }

  /** Members of both sets. */
  intersect(other: AddressSet): AddressSet {
    return new AddressSet(this.#ipv4.intersect(other.#ipv4), this.#ipv6.intersect(other.#ipv6));
  }

  /** Whether two sets have the same members. */
  equals(other: AddressSet): boolean {
    return this.#ipv4.equals(other.#ipv4) && this.#ipv6.equals(other.#ipv6);
  }

  /** The members one by one, in ascending order: only for sets that are known to be small. */
  *addresses(): Generator<Address> {
    for (const { first, last } of this.#ipv4) {
      for (let one = first; one < last; one = IPV4.next(one)) yield one;
      yield last;
    }
    for (const { first, last } of this.#ipv6) {
      for (let one = first; one < last; one = IPV6.next(one)) yield one;
      yield last;
    }
  }

  /** The ranges as a sentence shows them: `10.0.0.1-10.0.0.9, 10.0.0.20 and 2 more ranges`. */
  toString(): string {
    const texts = [...this.#ipv4.toTexts(), ...this.#ipv6.toTexts()];
    const more = texts.length - RANGES_SHOWN;
    const shown = texts.slice(0, RANGES_SHOWN).join(", ");
    return more <= 0 ? shown : `${shown} and ${more} more ${more === 1 ? "range" : "ranges"}`;
  }
}

/** Whether two networks share an address; those of different families never do. */
export function networksOverlap(...[one, other]: readonly [one: AnyCidr, other: AnyCidr]): boolean {
  if (isIpv4(one) && isIpv4(other)) return cidrsOverlap(one, other);
  return !isIpv4(one) && !isIpv4(other) && cidrsOverlap(one, other);
}

function isIpv4(cidr: AnyCidr): cidr is Cidr<Ipv4> {
  return cidr.version === 4;
}
