/** The ledgers of the pools that this agent gives addresses from, and the lists that feed them. */
import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { type ObjectStore, StoreFailure } from "../base/object_store.ts";
import { type Address, type Ipv4, type Ipv6, parseObjectName } from "../ip/mod.ts";
import { LABEL_IP_POOL, labelValue } from "../api/labels.ts";
import { SPIDER_IPS, type SpiderIp } from "../api/spider_ip.ts";
import { addressOfClaim } from "../ipam/claim.ts";
import { type LedgerCounts, PoolLedger } from "../ipam/ledger.ts";
import type { PoolFacts } from "../ipam/pool_facts.ts";
import type { Reserved } from "../ipam/reserved.ts";
import type { SeenVersions } from "./seen_versions.ts";
import { LIST_MS_MAX, type Settler } from "../kube/settler.ts";
import { Bell, orAborted, Rings } from "../base/waiting.ts";

/** Milliseconds between two lists of one pool, at least. */
const LIST_GAP_MS = 200;
/** Milliseconds for which "this pool is full" stands. */
const VERDICT_MS = 1_000;
/** Milliseconds between two looks at full pools; `costly`: where a list costs `LIST_COSTLY_MS`. */
const LOOK_MS = { ordinary: 1_000, costly: 5_000 };
const LIST_COSTLY_MS = 250;

/** What a book needs. */
export interface PoolBookOptions {
  readonly store: ObjectStore;
  readonly settler: Settler;
  readonly clock: Clock;
  readonly log: Log;
  readonly versions: SeenVersions;
  readonly nodeName: string;
  /** Claims of this node: taken in every ledger, whatever lists say. */
  readonly ownClaims: () => readonly SpiderIp[];
  readonly lifetime: AbortSignal;
}

type Ledger = PoolLedger<Ipv4> | PoolLedger<Ipv6>;

interface Page {
  readonly uid: string;
  readonly ledger: Ledger;
  /** When it was last found full; minus infinity: never, or something came free since. */
  fullMs: number;
  listing: { readonly begunMs: number; readonly done: Promise<void> } | undefined;
}

/** One page for each pool in use. A hint throughout: creating a SpiderIP decides. */
export class PoolBook {
  readonly #options: PoolBookOptions;
  readonly #pages = new Map<string, Page>();
  readonly #freed = new Bell();

  constructor(options: PoolBookOptions) {
    this.#options = options;
  }

  /** The ledger of a pool, with what the pool and the reserved addresses now say. */
  open(facts: PoolFacts, reserved: Reserved): Ledger {
    const page = this.#pages.get(facts.name);
    if (page?.uid !== facts.uid || page === undefined) return this.#newPage(facts, reserved).ledger;
    const { ledger } = page;
    if (facts.version === 4) {
      space4(ledger)?.setSpace({ addresses: facts.addresses, reserved: reserved.ipv4 });
    } else space6(ledger)?.setSpace({ addresses: facts.addresses, reserved: reserved.ipv6 });
    return ledger;
  }

  /**
   * Whether a list said moments ago that nothing is left, and nothing came free since. Who asks
   * sees to it that the ledger says so too.
   */
  isFull({ name }: PoolFacts): boolean {
    const page = this.#pages.get(name);
    if (page === undefined) return false;
    const lastsMs = Math.max(VERDICT_MS, 5 * page.ledger.listCostMs);
    return this.#options.clock.monotonicMs() - page.fullMs < lastsMs;
  }

  /** A list that began late enough leaves nothing: for a moment that serves all who ask. */
  noteFull({ name }: PoolFacts): void {
    const page = this.#pages.get(name);
    if (page !== undefined) page.fullMs = this.#options.clock.monotonicMs();
  }

  /** Sizes for messages. */
  counts({ name }: PoolFacts): LedgerCounts | undefined {
    return this.#pages.get(name)?.ledger.counts();
  }

  /**
   * Waits until a list that began at or after `sinceMs` (monotonic) is in. Lists are shared by all
   * who ask, and keep a distance.
   */
  async refresh(
    { name }: PoolFacts,
    { sinceMs, signal }: { readonly sinceMs: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { clock } = this.#options;
    const page = this.#pages.get(name);
    if (page === undefined) return;
    while (page.ledger.listBegunMs < sinceMs) {
      const sinceListMs = clock.monotonicMs() - page.ledger.listBegunMs;
      if (page.listing === undefined && sinceListMs < LIST_GAP_MS) {
        await clock.sleep(LIST_GAP_MS - sinceListMs, { signal });
      }
      page.listing ??= this.#beginList(name, page);
      await orAborted(page.listing.done, { signal });
    }
  }

  /** Rings when an address of one of these pools is given back here, or the pool is changed. */
  follow(pools: readonly PoolFacts[]): Rings {
    return new Rings(this.#freed, pools.map(({ name }) => name));
  }

  /** Waits until it rings, or it is time to look whether others have given addresses back. */
  async waitForFree(
    pools: readonly PoolFacts[],
    { rings, atMostMs, signal }: {
      /** Of `follow`. */
      readonly rings: Rings;
      readonly atMostMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<void> {
    const costMs = Math.max(
      ...pools.map(({ name }) => this.#pages.get(name)?.ledger.listCostMs ?? 0),
    );
    const lookMs = costMs > LIST_COSTLY_MS ? LOOK_MS.costly : LOOK_MS.ordinary;
    await rings.next(this.#options.clock, { atMostMs: Math.min(lookMs, atMostMs), signal });
  }

  /** A pool's ranges may be others now. */
  changed(name: string): void {
    const page = this.#pages.get(name);
    if (page === undefined) return;
    page.fullMs = -Infinity;
    this.#freed.ring(name);
  }

  /** An address of this node is in use. */
  claimed(claim: SpiderIp): void {
    const address = addressOfClaim(claim);
    const page = this.#pages.get(claim.spec.pool);
    if (address !== undefined) page?.ledger.claimed(address);
  }

  /** An address of this node was given back. */
  released(claim: SpiderIp): void {
    const address = addressOfClaim(claim);
    const page = this.#pages.get(claim.spec.pool);
    if (address === undefined || page === undefined) return;
    page.ledger.released(address, this.#options.clock.monotonicMs());
    page.fullMs = -Infinity;
    this.#freed.ring(claim.spec.pool);
  }

  /** Leaves an address alone for so long while others are free. */
  avoid(claim: SpiderIp, { forMs }: { readonly forMs: number }): void {
    const address = addressOfClaim(claim);
    const untilMs = this.#options.clock.monotonicMs() + forMs;
    if (address !== undefined) this.#pages.get(claim.spec.pool)?.ledger.avoid(address, untilMs);
  }

  /** Forgets pools that are no more. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#pages.keys()) if (!names.has(name)) this.#pages.delete(name);
  }

  #newPage(facts: PoolFacts, reserved: Reserved): Page {
    const page: Page = {
      uid: facts.uid,
      ledger: newLedger(facts, { reserved, node: this.#options.nodeName }),
      fullMs: -Infinity,
      listing: undefined,
    };
    for (const claim of this.#options.ownClaims()) {
      const address = addressOfClaim(claim);
      if (claim.spec.pool === facts.name && address !== undefined) page.ledger.claimed(address);
    }
    this.#pages.set(facts.name, page);
    return page;
  }

  #beginList(name: string, page: Page): NonNullable<Page["listing"]> {
    const begunMs = this.#options.clock.monotonicMs();
    const done = this.#list(name, { page, begunMs }).finally(() => page.listing = undefined);
    done.catch(() => {}); // Whoever waits for it is told; nobody may.
    return { begunMs, done };
  }

  /** Names and columns of a pool's SpiderIPs; of all where other pools' ranges overlap this one. */
  async #list(
    name: string,
    { page, begunMs }: { readonly page: Page; readonly begunMs: number },
  ): Promise<void> {
    const { store, settler, clock, versions, lifetime, log } = this.#options;
    const { needsFullList } = page.ledger;
    const listed = await settler.read((options) =>
      store.listRows(SPIDER_IPS, {
        ...options,
        notOlderThan: versions.newest,
        columns: ["POOL", "NODE"],
        ...(needsFullList ? {} : { labelSelector: `${LABEL_IP_POOL}=${labelValue(name)}` }),
      }), { signal: lifetime, timeoutMs: LIST_MS_MAX });
    if (!listed.ok) throw new StoreFailure(listed.error);
    const addresses: Address[] = [];
    const foreign: Address[] = [];
    const nodes = new Set<string>();
    for (const { key, cells } of listed.value.rows) {
      const address = parseObjectName(key.name);
      if (address === undefined) continue;
      if (cells["POOL"] !== name) {
        foreign.push(address);
        continue;
      }
      addresses.push(address);
      nodes.add(cells["NODE"] ?? "");
    }
    nodes.delete("");
    const costMs = clock.monotonicMs() - begunMs;
    const found = { addresses, nodes, ...(needsFullList ? { foreign } : {}) };
    page.ledger.listed({ begunMs, costMs, ...found });
    log.debug("pool listed", { pool: name, addresses: addresses.length, needsFullList, costMs });
  }
}

function newLedger(
  facts: PoolFacts,
  { reserved, node }: { readonly reserved: Reserved; readonly node: string },
): Ledger {
  if (facts.version === 4) {
    const space = { addresses: facts.addresses, reserved: reserved.ipv4 };
    return new PoolLedger(facts.family, { space, node });
  }
  const space = { addresses: facts.addresses, reserved: reserved.ipv6 };
  return new PoolLedger(facts.family, { space, node });
}

function space4(ledger: Ledger): PoolLedger<Ipv4> | undefined {
  return ledger.version === 4 ? ledger : undefined;
}

function space6(ledger: Ledger): PoolLedger<Ipv6> | undefined {
  return ledger.version === 6 ? ledger : undefined;
}
