/** Words of one family, so that what people get wrong is written once and tried in each. */
import type { WrongObject } from "../../support/wrong_objects.ts";
import { networkOf, routerOf } from "../ipam/corner.ts";

/** Addresses of one family. Those of `at` are in the underlay's network 6. */
export interface Ground {
  readonly version: 4 | 6;
  readonly otherVersion: 4 | 6;
  /** The network, and the same with a host's bits in it. */
  readonly subnet: string;
  readonly hostInSubnet: string;
  /** Bits of an address. */
  readonly bits: 32 | 128;
  /** First and last address of the network, as a range. */
  readonly all: string;
  readonly router: string;
  /** An address of another network, and of the other family. */
  readonly far: string;
  readonly foreign: string;
  /** An address, by its last number. */
  at(last: number): string;
  range(first: number, last: number): string;
  /** Name of an object of this family. */
  called(name: string): string;
}

/** The words of a family. */
export function groundOf(version: 4 | 6): Ground {
  const is4 = version === 4;
  function at(last: number): string {
    return is4 ? `10.6.200.${last}` : `fd00:6::200:${last.toString(16)}`;
  }
  return {
    version,
    otherVersion: is4 ? 6 : 4,
    subnet: networkOf(version, 6),
    hostInSubnet: is4 ? "10.6.0.1/16" : "fd00:6::1/64",
    bits: is4 ? 32 : 128,
    all: is4 ? "10.6.0.0-10.6.255.255" : "fd00:6::-fd00:6::ffff:ffff:ffff:ffff",
    router: routerOf(version, 6),
    far: is4 ? "10.99.0.5" : "fd00:99::5",
    foreign: is4 ? "fd00:6::200:1" : "10.6.200.1",
    at,
    range: (first, last) => `${at(first)}-${at(last)}`,
    called: (name) => `${name}-v${version}`,
  };
}

/** An object that is refused. */
export interface Wrong extends WrongObject {
  /** Name of the object that is there and would be changed; absent: the object is its own. */
  readonly of?: string;
}

/** A row of a table: what is wrong, the spec, and every sentence about it. */
export type Row = readonly [
  what: string,
  body: WrongObject["body"],
  says: readonly string[],
  more?: Partial<Wrong>,
];

/** Rows as objects of one kind. */
export function rowsOf(kind: string, rows: readonly Row[]): readonly Wrong[] {
  return rows.map(([what, body, says, more = {}]) => ({ what, kind, body, says, ...more }));
}
