/** What a SpiderSubnet has to lend and who has what of it, read from the objects. */
import { ANNOTATION_IP_NUMBER } from "../../api/annotations.ts";
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import { isAutomaticPool } from "../../api/labels.ts";
import { controllerOf, isTerminating } from "../../api/metadata.ts";
import { readIpNumber } from "../../api/pod_annotations.ts";
import type { SpiderIp } from "../../api/spider_ip.ts";
import type { SpiderSubnet } from "../../api/subnet.ts";
import { readControlledIpPools } from "../../api/subnet_records.ts";
import { err, ok, type Result } from "../../base/result.ts";
import {
  type Address,
  type Cidr,
  type Count,
  describeRefusal,
  type Family,
  formatCidr,
  guessVersion,
  IPV4,
  type Ipv4,
  IPV6,
  type Ipv6,
  parseAddressInCidr,
  parseAnyAddressInCidr,
  parseRangeSet,
  RangeSet,
  type Version,
} from "../../ip/mod.ts";
import { applicationText } from "../applications.ts";
import { quoted } from "../brief.ts";
import { addressOfClaim } from "../claim.ts";
import type { Reserved } from "../reserved.ts";
import {
  applicationOfPool,
  type ApplicationWish,
  recordedApplication,
  type WishMatch,
} from "./wishes.ts";

/** What one pool is lent. */
export interface Loan<A extends Address> {
  readonly addresses: RangeSet<A>;
  /** Of an automatic pool: its application, as the record has it. */
  readonly application?: string | undefined;
}

/** What is lent, by pool. */
export type Loans<A extends Address> = ReadonlyMap<string, Loan<A>>;

/** A pool that is lent addresses. */
export interface Borrower<A extends Address> {
  readonly name: string;
  /** How messages call it. */
  readonly called: string;
  /** What its `spec.ips` has; less `excludeIPs` where a person wrote them. */
  readonly addresses: RangeSet<A>;
  /** Whether the leader writes its `spec.ips`. */
  readonly isAutomatic: boolean;
  readonly isTerminating: boolean;
  /** Whether the leader has to make it. */
  readonly isNew: boolean;
  /** Of an automatic pool: its application, as the record has it. */
  readonly application?: string | undefined;
  /** How many addresses it should have; absent: those that it has. */
  readonly wanted?: Count<A> | undefined;
  /**
   * The wish of an application that it fulfils: by the name that a pool for it has if it is made
   * now. It is lent more only with all others that the application needs.
   */
  readonly wish?: string | undefined;
}

/** Addresses of one pool that cannot be given back, and those that wait to be. */
export interface Use<A extends Address> {
  /** Of pods. */
  readonly used: RangeSet<A>;
  /** Held back for a shrink that was begun. */
  readonly held: RangeSet<A>;
}

/** One Subnet, and what decides about its loans. */
export interface LendingFacts<A extends Address> {
  readonly version: Version<A>;
  readonly family: Family<A>;
  readonly cidr: Cidr<A>;
  /** `ips` less `excludeIPs`. */
  readonly total: RangeSet<A>;
  /** What the record says. */
  readonly loans: Loans<A>;
  /** Whether this term has written the record before: none before it can any more. */
  readonly isOurs: boolean;
  /** Why not all of the record can be read. */
  readonly recordProblem?: string | undefined;
  /** In the order of their names. */
  readonly borrowers: readonly Borrower<A>[];
  /** Whether nothing more is lent. */
  readonly isTerminating: boolean;
  /** Whether a pool with a record certainly does not exist and will not. */
  readonly isGone: (pool: string) => boolean;
  /**
   * Addresses of nobody's record that are not lent all the same; costs as much as there are.
   *
   * @param to A pool whose own SpiderIPs do not stand against that.
   */
  readonly unlendable: (to?: string) => RangeSet<A>;
  readonly useOf: (pool: string) => Use<A>;
}

/** One Subnet of either family; `version` tells which. */
export type AnyLendingFacts = LendingFacts<Ipv4> | LendingFacts<Ipv6>;

/** What facts are read from beside the Subnet. */
export interface LendingSources {
  readonly pools: Iterable<SpiderIpPool>;
  readonly wishes: WishMatch;
  /** Pools of applications that do not want them any more: they keep what they have. */
  readonly unwanted: ReadonlySet<string>;
  readonly reserved: Reserved;
  /** Every SpiderIP there is. */
  readonly claims: () => Iterable<SpiderIp>;
  /** The SpiderIPs of a pool. */
  readonly claimsOf: (pool: string) => Iterable<SpiderIp>;
  readonly isGone: (pool: string) => boolean;
  /** Ranges that people took out of their pools a moment ago. */
  readonly resting: readonly string[];
  /** This term, as `status.lender` names it. */
  readonly lender: string;
}

/** The network of a pool or a Subnet, in canonical form. */
export function networkOf({ spec }: SpiderIpPool | SpiderSubnet): string | undefined {
  const parsed = parseAnyAddressInCidr(spec.subnet);
  return parsed.ok ? formatCidr(parsed.value.cidr) : undefined;
}

/** Whether a pool is the Subnet's own. */
export function borrowsFrom(subnet: SpiderSubnet, pool: SpiderIpPool): boolean {
  return controllerOf(pool)?.uid === subnet.metadata.uid;
}

/**
 * Reads a Subnet.
 *
 * @returns Or one sentence about its spec: nothing is lent until that is corrected.
 */
export function readLending(
  subnet: SpiderSubnet,
  sources: LendingSources,
): Result<AnyLendingFacts, string> {
  const { ipv4, ipv6 } = sources.reserved;
  return guessVersion(subnet.spec.subnet) === 6
    ? readOf(IPV6, { ...sources, subnet, reserved: ipv6 })
    : readOf(IPV4, { ...sources, subnet, reserved: ipv4 });
}

function readOf<A extends Address>(
  family: Family<A>,
  { subnet, reserved, ...sources }: Omit<LendingSources, "reserved"> & {
    readonly subnet: SpiderSubnet;
    readonly reserved: RangeSet<A>;
  },
): Result<LendingFacts<A>, string> {
  const { spec } = subnet;
  const parsed = parseAddressInCidr(family, spec.subnet);
  if (!parsed.ok) return err(describeRefusal(parsed.error, "spec.subnet"));
  const { cidr } = parsed.value;
  const listed = rangesOf(cidr, { texts: spec.ips, path: "spec.ips" });
  if (!listed.ok) return listed;
  const excluded = rangesOf(cidr, { texts: spec.excludeIPs, path: "spec.excludeIPs" });
  if (!excluded.ok) return excluded;
  const resting = rangesOf(cidr, { texts: sources.resting, path: "resting" });
  if (!resting.ok) return resting;
  const record = readRecord(cidr, subnet);
  const { borrowers, others, unadopted } = readPools(cidr, { ...sources, subnet });
  const { version } = family;
  return ok({
    version,
    family,
    cidr,
    total: listed.value.subtract(excluded.value),
    ...record,
    isOurs: subnet.status?.lender === sources.lender,
    borrowers,
    isTerminating: isTerminating(subnet),
    isGone: sources.isGone,
    unlendable: (to) => {
      const taken = RangeSet.ofAddresses(family, addressesOf(family, sources.claims(), { to }));
      const gateway = family.parse(spec.gateway ?? "");
      const closed = reserved.union(others).union(taken).union(resting.value);
      return gateway.ok ? closed.with(gateway.value) : closed;
    },
    useOf: (pool) => {
      // Nothing else tells what pods have of a pool that is not taken over.
      const all = unadopted.get(pool);
      const nothing = RangeSet.empty(family);
      if (all !== undefined) {
        const lent = record.loans.get(pool)?.addresses ?? nothing;
        return { used: all.union(lent), held: nothing };
      }
      const claims = [...sources.claimsOf(pool)];
      const set = (some: readonly SpiderIp[]): RangeSet<A> =>
        RangeSet.ofAddresses(family, addressesOf(family, some));
      return {
        used: set(claims.filter(({ spec: { hold } }) => hold === undefined)),
        held: set(claims.filter(({ spec: { hold } }) => hold !== undefined)),
      };
    },
  });
}

/** An entry that cannot be read is as one that was lost: what its pool has counts. */
function readRecord<A extends Address>(
  cidr: Cidr<A>,
  { status }: SpiderSubnet,
): Pick<LendingFacts<A>, "loans" | "recordProblem"> {
  const loans = new Map<string, Loan<A>>();
  const read = readControlledIpPools(status?.controlledIPPools);
  if (!read.ok) return { loans, recordProblem: read.error };
  let recordProblem: string | undefined;
  for (const [name, { ips, application }] of Object.entries(read.value)) {
    const path = `status.controlledIPPools.${name}.ips`;
    const ranges = rangesOf(cidr, { texts: ips, path });
    if (!ranges.ok) recordProblem ??= ranges.error;
    const addresses = ranges.ok ? ranges.value : RangeSet.empty(cidr.family);
    loans.set(name, { addresses, application });
  }
  return { loans, recordProblem };
}

/** The pools of the Subnet's network: its own, and what those of others have. */
function readPools<A extends Address>(
  cidr: Cidr<A>,
  { subnet, pools, wishes, unwanted }:
    & Pick<LendingSources, "pools" | "wishes" | "unwanted">
    & { readonly subnet: SpiderSubnet },
): {
  readonly borrowers: readonly Borrower<A>[];
  readonly others: RangeSet<A>;
  /** Those that are not taken over yet, and what they have. */
  readonly unadopted: ReadonlyMap<string, RangeSet<A>>;
} {
  const network = formatCidr(cidr);
  const borrowers: Borrower<A>[] = [];
  const unadopted = new Map<string, RangeSet<A>>();
  let others = RangeSet.empty(cidr.family);
  for (const pool of pools) {
    if (networkOf(pool) !== network) continue;
    const addresses = addressesOfPool(cidr, pool);
    if (addresses === undefined) continue; // It gives nothing out; its record stays as it is.
    if (!borrowsFrom(subnet, pool)) {
      others = others.union(addresses);
      continue;
    }
    const { name } = pool.metadata;
    if (pool.status?.truth === undefined) unadopted.set(name, addresses);
    const application = applicationOfPool(pool);
    const wish = wishes.made.get(name);
    borrowers.push({
      name,
      called: `SpiderIPPool ${quoted(name)}`,
      addresses,
      isAutomatic: isAutomaticPool(pool),
      isTerminating: isTerminating(pool),
      isNew: false,
      application: application && recordedApplication(application),
      wanted: unwanted.has(name) ? undefined : wantedBy(cidr.family, { pool, wish }),
      wish: wish?.pool.name,
    });
  }
  const missing = isTerminating(subnet) ? [] : wishes.missing;
  for (const [name, wish] of missing) borrowers.push(newBorrower(cidr.family, { name, wish }));
  borrowers.sort((one, other) => one.name < other.name ? -1 : 1);
  return { borrowers, others, unadopted };
}

function addressesOfPool<A extends Address>(
  cidr: Cidr<A>,
  pool: SpiderIpPool,
): RangeSet<A> | undefined {
  const { ips, excludeIPs } = pool.spec;
  const listed = rangesOf(cidr, { texts: ips, path: "spec.ips" });
  const excluded = rangesOf(cidr, { texts: excludeIPs, path: "spec.excludeIPs" });
  if (!listed.ok || !excluded.ok) return undefined;
  return isAutomaticPool(pool) ? listed.value : listed.value.subtract(excluded.value);
}

function newBorrower<A extends Address>(
  family: Family<A>,
  { name, wish }: { readonly name: string; readonly wish: ApplicationWish },
): Borrower<A> {
  const { application, nic, version } = wish.identity;
  return {
    name,
    called: `The IPv${version} pool for NIC ${quoted(nic)} of ${applicationText(application)}`,
    addresses: RangeSet.empty(family),
    isAutomatic: true,
    isTerminating: false,
    isNew: true,
    application: recordedApplication(application),
    wanted: family.count(wish.count),
    wish: name,
  };
}

/** What its application wants; where that does not say, the fixed number of an automatic pool. */
function wantedBy<A extends Address>(
  family: Family<A>,
  { pool, wish }: { readonly pool: SpiderIpPool; readonly wish: ApplicationWish | undefined },
): Count<A> | undefined {
  if (wish !== undefined) return family.count(wish.count);
  const text = pool.metadata.annotations?.[ANNOTATION_IP_NUMBER];
  if (!isAutomaticPool(pool) || text === undefined) return undefined;
  const read = readIpNumber(text);
  if (!read.ok || read.value.kind === "flexible") return undefined;
  return family.count(read.value.count);
}

function rangesOf<A extends Address>(
  cidr: Cidr<A>,
  { texts = [], path }: { readonly texts?: readonly string[] | undefined; readonly path: string },
): Result<RangeSet<A>, string> {
  const parsed = parseRangeSet(cidr.family, texts, { subnet: cidr });
  if (parsed.ok) return parsed;
  const [first] = parsed.error;
  if (first === undefined) return ok(RangeSet.empty(cidr.family));
  return err(describeRefusal(first.refusal, `${path}[${first.index}]`));
}

function* addressesOf<A extends Address>(
  family: Family<A>,
  claims: Iterable<SpiderIp>,
  { to }: { readonly to?: string | undefined } = {},
): Generator<A> {
  for (const claim of claims) {
    if (claim.spec.pool === to && claim.spec.hold === undefined) continue;
    const address = addressOfClaim(claim);
    if (isOf(family, address)) yield address;
  }
}

function isOf<A extends Address>(family: Family<A>, address: Address | undefined): address is A {
  return typeof address === typeof family.first;
}
