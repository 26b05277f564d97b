/** Pools as the simulation makes them: small, so that each address can be looked at. */
import { ANNOTATION_IP_NUMBER, ANNOTATION_NOT_USABLE } from "../../src/api/annotations.ts";
import { SPIDERPOOL_API_VERSION, SPIDERPOOL_FINALIZER } from "../../src/api/group.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import { LABEL_OWNER_APPLICATION_NAME } from "../../src/api/labels.ts";
import { SPIDER_RESERVED_IPS, type SpiderReservedIp } from "../../src/api/reserved_ip.ts";
import { expectOk } from "../../src/base/result.ts";
import { formatAddress, IPV4, type Ipv4, IPV6, type Ipv6, parseAddress } from "../../src/ip/mod.ts";
import { kindId } from "../../src/store/backend.ts";
import type { Commit } from "./api_server.ts";

/** Addresses of one range, at most: the simulation's pools are small. */
const RANGE_ADDRESSES_MAX = 256;

/** A pool before it is stored. */
export interface PoolPlan {
  readonly name: string;
  readonly subnet: string;
  readonly ips: readonly string[];
  readonly excludeIPs?: readonly string[];
  readonly gateway?: string;
  readonly isDefault?: boolean;
  readonly nodeLabels?: Readonly<Record<string, string>>;
  /** Of a pool that borrows from a SpiderSubnet: how many addresses it should have. */
  readonly number?: number;
}

/** The object that a person would write. */
export function poolObject(plan: PoolPlan): SpiderIpPool {
  const { name, subnet, ips, excludeIPs, gateway, isDefault, nodeLabels, number } = plan;
  const pool: SpiderIpPool = {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind: "SpiderIPPool",
    metadata: { name },
    spec: {
      subnet,
      ips: [...ips],
      ...(excludeIPs !== undefined && { excludeIPs: [...excludeIPs] }),
      ...(gateway !== undefined && { gateway }),
      ...(nodeLabels !== undefined && { nodeAffinity: { matchLabels: nodeLabels } }),
      default: isDefault ?? false,
      disable: false,
    },
  };
  return number === undefined ? pool : borrowing(pool, number);
}

/** A pool that borrows, as whoever made it for an application writes it. */
function borrowing(pool: SpiderIpPool, number: number): SpiderIpPool {
  const { name } = pool.metadata;
  return {
    ...pool,
    metadata: {
      ...pool.metadata,
      labels: { [LABEL_OWNER_APPLICATION_NAME]: name },
      annotations: { [ANNOTATION_IP_NUMBER]: String(number) },
      finalizers: [SPIDERPOOL_FINALIZER],
    },
  };
}

/** Every address of ranges, as canonical texts. */
export function addressesOf(ranges: readonly string[]): readonly string[] {
  return ranges.flatMap((range) => {
    const [first = "", last = first] = range.split("-");
    const from = expectOk(parseAddress(first), "the simulation writes addresses");
    const to = expectOk(parseAddress(last), "the simulation writes addresses");
    const texts: string[] = [];
    let at = from;
    for (let count = 0; count < RANGE_ADDRESSES_MAX; count++) {
      texts.push(formatAddress(at));
      if (at === to) break;
      at = typeof at === "number" ? IPV4.next(at as Ipv4) : IPV6.next(at as Ipv6);
    }
    return texts;
  });
}

interface Era<T> {
  readonly fromMs: number;
  readonly value: T;
}

/** What a pool may give at one time. */
export interface PoolState {
  readonly addresses: ReadonlySet<string>;
  readonly isDisabled: boolean;
  readonly subnet: string;
}

/** What every pool could give when, and what was reserved when. */
export class PoolHistory {
  readonly #pools = new Map<string, Era<PoolState | undefined>[]>();
  readonly #reserved: Era<ReadonlySet<string>>[] = [{ fromMs: 0, value: new Set() }];
  readonly #reservedNow = new Map<string, readonly string[]>();

  /** Follows the stored objects. */
  note({ change, timeMs }: Commit): void {
    if (change.kind === kindId(SPIDER_IP_POOLS)) {
      const parsed = change.object === undefined
        ? undefined
        : expectOk(SPIDER_IP_POOLS.parse(change.object), "pools are well formed");
      const value = parsed === undefined || parsed.metadata.deletionTimestamp !== undefined
        ? undefined
        : stateOf(parsed);
      const eras = this.#pools.get(change.key) ?? [];
      this.#pools.set(change.key, [...eras, { fromMs: timeMs, value }]);
    }
    if (change.kind === kindId(SPIDER_RESERVED_IPS)) {
      const object = change.object as SpiderReservedIp | undefined;
      if (object === undefined) this.#reservedNow.delete(change.key);
      else this.#reservedNow.set(change.key, addressesOf(object.spec.ips ?? []));
      const value = new Set([...this.#reservedNow.values()].flat());
      this.#reserved.push({ fromMs: timeMs, value });
    }
  }

  /** Whether a pool could give an address at any time since. */
  couldGive(
    pool: string,
    { address, sinceMs }: { readonly address: string; readonly sinceMs: number },
  ): boolean {
    const states = erasSince(this.#pools.get(pool) ?? [], sinceMs);
    const inPool = states.some((state) => {
      return state !== undefined && !state.isDisabled && state.addresses.has(address);
    });
    const free = erasSince(this.#reserved, sinceMs).some((reserved) => !reserved.has(address));
    return inPool && free;
  }

  /** Addresses that a pool could give all the time since: nothing stood against them. */
  alwaysGave(pool: string, { sinceMs }: { readonly sinceMs: number }): readonly string[] {
    const states = erasSince(this.#pools.get(pool) ?? [], sinceMs);
    const [first] = states;
    if (first === undefined || states.includes(undefined)) return [];
    if (states.some((state) => state?.isDisabled)) return [];
    const reserved = erasSince(this.#reserved, sinceMs);
    return [...first.addresses].filter((address) =>
      states.every((state) => state?.addresses.has(address)) &&
      !reserved.some((set) => set.has(address))
    );
  }

  /** The pool as it is. */
  now(pool: string): PoolState | undefined {
    return this.#pools.get(pool)?.at(-1)?.value;
  }

  /** What is reserved now. */
  reservedNow(): ReadonlySet<string> {
    return this.#reserved.at(-1)?.value ?? new Set();
  }

  /** Names of the pools there are. */
  names(): readonly string[] {
    return [...this.#pools.keys()].filter((name) => this.now(name) !== undefined);
  }
}

/** The values that held at any time since; the first of them held at that time. */
function erasSince<T>(eras: readonly Era<T>[], sinceMs: number): readonly T[] {
  const first = eras.findLastIndex(({ fromMs }) => fromMs <= sinceMs);
  return eras.slice(Math.max(0, first)).map(({ value }) => value);
}

function stateOf({ metadata, spec }: SpiderIpPool): PoolState {
  const excluded = new Set(addressesOf(spec.excludeIPs ?? []));
  const addresses = addressesOf(spec.ips ?? []).filter((address) => !excluded.has(address));
  // Of two pools that share addresses a controller lets only one be used.
  const isDisabled = spec.disable || metadata.annotations?.[ANNOTATION_NOT_USABLE] !== undefined;
  return { addresses: new Set(addresses), isDisabled, subnet: spec.subnet };
}
