/** The lent sum is exact: what Subnets record, and what their pools have (design.md 2.6). */
import { ANNOTATION_IP_NUMBER, ANNOTATION_SUBNET } from "../../../src/api/annotations.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../../src/api/ip_pool.ts";
import { DEPLOYMENTS } from "../../../src/api/kubernetes/workload.ts";
import { isAutomaticPool, LABEL_OWNER_APPLICATION_UID } from "../../../src/api/labels.ts";
import type { SpiderIp } from "../../../src/api/spider_ip.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../../src/api/subnet.ts";
import { readControlledIpPools } from "../../../src/api/subnet_records.ts";
import { expectOk } from "../../../src/base/result.ts";
import { formatObjectName, parseAddress } from "../../../src/ip/mod.ts";
import { kindId } from "../../../src/store/backend.ts";
import type { Commit } from "../api_server.ts";
import { addressesOf } from "../pools.ts";
import type { Referee } from "../referee.ts";
import type { Facts } from "./facts.ts";
import type { Unrest } from "./unrest.ts";

/** What applications want in the end. */
const FAMILIES = 2;

type Records = ReadonlyMap<string, ReadonlySet<string>>;

/** Looks at every write of a Subnet and of a pool. */
export class LoanChecker {
  readonly #facts: Facts;
  readonly #referee: Referee;
  /** Subnets whose record was taken away, and that no controller wrote since. */
  readonly #lost = new Set<string>();
  /** By UID of a pool: who wrote its `spec.ips` last. */
  readonly #writers = new Map<string, string>();
  /** Pools that were gone once since their record was dropped: there may be others of the name. */
  readonly #gone = new Set<string>();

  constructor({ facts, referee }: { readonly facts: Facts; readonly referee: Referee }) {
    this.#facts = facts;
    this.#referee = referee;
    facts.control.server.onCommit((commit) => this.#look(commit));
  }

  #look(commit: Commit): void {
    if (commit.change.kind === kindId(SPIDER_SUBNETS)) this.#lookAtSubnet(commit);
    if (commit.change.kind === kindId(SPIDER_IP_POOLS)) this.#lookAtPool(commit);
  }

  #lookAtSubnet({ change, actor }: Commit): void {
    const subnet = change.object as SpiderSubnet | undefined;
    const before = change.previous as SpiderSubnet | undefined;
    if (subnet === undefined) return;
    const { name } = subnet.metadata;
    const isController = actor.startsWith("controller-");
    const had = before?.status?.controlledIPPools;
    const has = subnet.status?.controlledIPPools;
    if (had === has) return;
    if (!isController) this.#lost.add(name);
    else {
      if (before !== undefined && !this.#lost.has(name)) this.#checkTrimmed(before, subnet, actor);
      this.#lost.delete(name);
    }
    const records = recordsOf(subnet);
    this.#checkRecords(subnet, records);
    for (const pool of this.#borrowersOf(subnet)) this.#checkCovered(pool, { subnet, records });
  }

  #checkRecords({ metadata: { name }, spec }: SpiderSubnet, records: Records): void {
    const all = new Set(addressesOf(spec.ips ?? []));
    const lent = new Map<string, string>();
    for (const [pool, addresses] of records) {
      for (const address of addresses) {
        const other = lent.get(address);
        lent.set(address, pool);
        if (other !== undefined) this.#report(`${name} lends ${address} to ${other} and ${pool}`);
        if (!all.has(address)) this.#report(`${name} lends ${address}, which it does not have`);
      }
    }
  }

  /** The record of a pool covers what it has, whatever happens. */
  #checkCovered(
    pool: SpiderIpPool,
    { subnet, records }: { readonly subnet: SpiderSubnet; readonly records: Records },
  ): void {
    if (this.#lost.has(subnet.metadata.name)) return;
    const { name } = pool.metadata;
    const lent = records.get(name);
    for (const address of addressesOf(pool.spec.ips ?? [])) {
      if (lent?.has(address)) continue;
      this.#report(`${name} has ${address}, which ${subnet.metadata.name} does not lend to it`);
    }
  }

  /**
   * Only who has just made a pool smaller takes addresses out of its record: a write of somebody
   * else that is under way could bring them back into the pool.
   */
  #checkTrimmed(...[before, after, actor]: readonly [SpiderSubnet, SpiderSubnet, string]): void {
    const records = recordsOf(after);
    for (const [name, addresses] of recordsOf(before)) {
      const pool = this.#facts.control.get(SPIDER_IP_POOLS, { name });
      if (pool === undefined || !isAutomaticPool(pool)) continue;
      const less = [...addresses].filter((address) => records.get(name)?.has(address) !== true);
      const isLess = less.length > 0;
      for (const address of less) {
        const claim = claimOf(this.#facts, address)?.spec;
        if (claim === undefined || claim.hold !== undefined || claim.pool !== name) continue;
        this.#referee.report(
          "taken_in_use",
          `${actor} lends ${address} to ${name} no more, and ${claim.podName} has it there`,
        );
      }
      const writer = this.#writers.get(pool.metadata.uid ?? "");
      if (!isLess || writer === actor || this.#gone.delete(name)) continue;
      this.#report(`${actor} took addresses out of the record of ${name}, written by ${writer}`);
    }
  }

  #lookAtPool({ change, actor }: Commit): void {
    const pool = change.object as SpiderIpPool | undefined;
    const before = change.previous as SpiderIpPool | undefined;
    if (pool === undefined) {
      this.#gone.add(change.key);
      return;
    }
    const has = new Set(addressesOf(pool.spec.ips ?? []));
    const had = addressesOf(before?.spec.ips ?? []);
    if (had.length === has.size && had.every((one) => has.has(one)) && before) return;
    this.#writers.set(pool.metadata.uid ?? "", actor);
    if (!isAutomaticPool(pool)) return;
    for (const subnet of this.#facts.control.list(SPIDER_SUBNETS)) {
      if (!isOf(subnet, pool)) continue;
      this.#checkCovered(pool, { subnet, records: recordsOf(subnet) });
    }
    const { name } = pool.metadata;
    for (const address of had.filter((one) => !has.has(one))) {
      const claim = claimOf(this.#facts, address)?.spec;
      const took = `${actor} took ${address} from ${name}`;
      if (claim === undefined) {
        this.#referee.report("not_held", `${took}, and a pod may still get it there`);
      } else if (claim.hold === undefined && claim.pool === name) {
        this.#referee.report("taken_in_use", `${took}, which ${claim.podName} has`);
      }
    }
  }

  #borrowersOf(subnet: SpiderSubnet): readonly SpiderIpPool[] {
    return this.#facts.control.list(SPIDER_IP_POOLS).filter((pool) => {
      return isAutomaticPool(pool) && isOf(subnet, pool);
    });
  }

  #report(message: string): void {
    this.#referee.report("lent_sum", message);
  }
}

/** Records that are not what pools have, wishes that are not met, holds that are left. */
export function findUnlent(facts: Facts): readonly Unrest[] {
  const problems: string[] = [];
  for (const subnet of facts.control.list(SPIDER_SUBNETS)) {
    const { name } = subnet.metadata;
    const records = recordsOf(subnet);
    const pools = facts.control.list(SPIDER_IP_POOLS).filter((pool) => isOf(subnet, pool));
    for (const pool of pools) {
      const has = addressesOf(pool.spec.ips ?? []);
      const lent = records.get(pool.metadata.name) ?? new Set();
      // Two people, or a person and the leader, may have written at the same instant.
      const isCovered = has.every((one) => lent.has(one) || isLentElsewhere(records, one));
      if (!isCovered || lent.size > has.length) {
        problems.push(`${name} lends ${[...lent]} to ${pool.metadata.name}, which has ${has}`);
      }
      const number = pool.metadata.annotations?.[ANNOTATION_IP_NUMBER];
      const unused = has.filter((address) => !isClaimed(facts, address));
      // What pods use is not taken from them.
      const isInUse = has.length > Number(number) && unused.length === 0;
      if (isAutomaticPool(pool) && number !== String(has.length) && !isInUse) {
        const { name } = pool.metadata;
        problems.push(`${name} should have ${number} addresses, and has ${has}, unused: ${unused}`);
      }
    }
    const names = new Set(pools.map(({ metadata }) => metadata.name));
    for (const pool of records.keys()) {
      if (!names.has(pool)) problems.push(`${name} lends to ${pool}, which is gone`);
    }
    const count = [...records.values()].reduce((sum, { size }) => sum + size, 0);
    if (subnet.status?.allocatedIPCount !== count) {
      problems.push(`${name} tells ${subnet.status?.allocatedIPCount} addresses, not ${count}`);
    }
  }
  problems.push(...unmadeProblems(facts));
  for (const { metadata, spec } of facts.claims()) {
    if (spec.hold !== undefined) problems.push(`${metadata.name} is held for ${spec.pool} still`);
  }
  return problems.map((message) => ({ rule: "unlent", message }));
}

/** Applications without their pool, and pools whose application is gone. */
function unmadeProblems(facts: Facts): readonly string[] {
  const uids = new Map(
    facts.control.list(DEPLOYMENTS).filter(({ spec }) =>
      isLent(spec.template.metadata?.annotations)
    )
      .map(({ metadata: { uid = "", name } }) => [uid, name]),
  );
  const had = facts.control.list(SPIDER_IP_POOLS)
    .flatMap(({ metadata }) => metadata.labels?.[LABEL_OWNER_APPLICATION_UID] ?? []);
  return [
    ...[...uids].filter(([uid]) => had.filter((one) => one === uid).length !== FAMILIES)
      .map(([uid, name]) => `${name} (${uid}) has not one pool of each family`),
    ...had.filter((uid) => !uids.has(uid)).map((uid) => `a pool is left of application ${uid}`),
  ];
}

function isLent(annotations: Readonly<Record<string, string>> = {}): boolean {
  return annotations[ANNOTATION_SUBNET] !== undefined;
}

function isClaimed(facts: Facts, address: string): boolean {
  return claimOf(facts, address) !== undefined;
}

function claimOf(facts: Facts, address: string): SpiderIp | undefined {
  return facts.claim(
    formatObjectName(expectOk(parseAddress(address), "pools have addresses")),
  );
}

function isLentElsewhere(records: Records, address: string): boolean {
  return [...records.values()].some((addresses) => addresses.has(address));
}

function recordsOf({ status }: SpiderSubnet): Records {
  const read = expectOk(readControlledIpPools(status?.controlledIPPools), "records can be read");
  return new Map(
    Object.entries(read).map(([name, { ips }]) => [name, new Set(addressesOf(ips))]),
  );
}

function isOf(subnet: SpiderSubnet, pool: SpiderIpPool): boolean {
  return pool.spec.subnet === subnet.spec.subnet;
}
