/** Which pools a wish comes to, once the pools that there are can be looked at. */
import { expectOk } from "../base/result.ts";
import { globMatches, isPattern, parseGlob } from "./glob.ts";
import type { PoolReading } from "./pool_facts.ts";
import type { PoolRule } from "./refusal.ts";
import type { NicWish, Wish } from "./wish.ts";

/** Names to read, or that all pools must be. */
export type PoolNames =
  | { readonly kind: "named"; readonly names: readonly string[] }
  | { readonly kind: "all" };

/** What a pod's user asked for, and the pools that it may mean. */
export interface ReadWish {
  readonly wish: Wish;
  readonly pools: ReadonlyMap<string, PoolReading>;
}

/** The pools that a NIC may keep addresses of. */
export interface AllowedPools {
  readonly nic: string;
  readonly position?: number | undefined;
  readonly names: ReadonlySet<string>;
}

/**
 * Names the pools to read for a wish, each once, in the order in which they are wished.
 *
 * @param poolNames Of all pools that there are: patterns are compared with them.
 */
export function poolsOf(wish: Wish, poolNames: Iterable<string>): PoolNames {
  if (wish.rule === "default") return { kind: "all" };
  const known = [...poolNames].sort();
  const names = wish.nics.flatMap(({ ipv4 = [], ipv6 = [] }) =>
    expandNames([...ipv4, ...ipv6], known)
  );
  return { kind: "named", names: [...new Set(names)] };
}

/**
 * Says which pools each NIC may have by name, whatever the pools themselves allow: an address that
 * is kept for a pod is given up if its pool is not among them.
 *
 * @param pools What `poolsOf` asked for. A pool of unknown family counts for both.
 */
export function allowedPools(
  wish: Wish,
  pools: ReadonlyMap<string, PoolReading>,
): readonly AllowedPools[] {
  return wish.nics.map((nic) => {
    const names = ([4, 6] as const).flatMap((version) =>
      candidatesOf(nic, { rule: wish.rule, version, pools })
    );
    const { position } = nic;
    const place = position === undefined ? { nic: nic.nic } : { nic: nic.nic, position };
    return { ...place, names: new Set(names) };
  });
}

/** The pools that a NIC wishes of one family, in the user's order. `undefined`: none is wished. */
export function candidatesOf(
  nic: NicWish,
  { rule, version, pools }: {
    readonly rule: PoolRule;
    readonly version: 4 | 6;
    readonly pools: ReadonlyMap<string, PoolReading>;
  },
): readonly string[] {
  const existing = [...pools].filter(([, reading]) => mayBeOf(reading, version));
  if (rule === "default") {
    return existing.filter(([, reading]) => isDefault(reading)).map(([name]) => name).sort();
  }
  const known = existing.map(([name]) => name).sort();
  const wished = (version === 4 ? nic.ipv4 : nic.ipv6) ?? [];
  return expandNames(wished, known);
}

/** Whether a NIC is to have an address of a family, as far as pools tell by now. */
export function isWished(
  nic: NicWish,
  { wish, version, pools }: {
    readonly wish: Wish;
    readonly version: 4 | 6;
    readonly pools: ReadonlyMap<string, PoolReading>;
  },
): boolean {
  const { rule, automatic } = wish;
  if (automatic !== undefined) return automatic.pools.some((pool) => pool.version === version);
  return candidatesOf(nic, { rule, version, pools }).length > 0;
}

/** Whether there is such a pool and it is of a family, as far as its object tells. */
function mayBeOf(reading: PoolReading, version: 4 | 6): boolean {
  switch (reading.kind) {
    case "absent":
      return false;
    case "broken":
      return reading.version === undefined || reading.version === version;
    case "facts":
      return reading.facts.version === version;
  }
}

function isDefault(reading: PoolReading): boolean {
  switch (reading.kind) {
    case "absent":
      return false;
    case "broken":
      return reading.isDefault;
    case "facts":
      return reading.facts.isDefault;
  }
}

/**
 * Puts the names that a pattern matches at its place, in byte order. A name keeps its first place.
 *
 * @param known Sorted.
 */
function expandNames(wished: readonly string[], known: readonly string[]): readonly string[] {
  const names = new Set<string>();
  for (const entry of wished) {
    if (!isPattern(entry)) {
      names.add(entry);
      continue;
    }
    const glob = expectOk(parseGlob(entry), "readWish() refused patterns that cannot be read");
    for (const name of known) if (globMatches(glob, name)) names.add(name);
  }
  return [...names];
}
