/** The end of SpiderIPs that hold addresses back: a while after the record, or at once if stale. */
import { SPIDER_IPS, type SpiderIp } from "../../api/spider_ip.ts";
import type { SpiderSubnet } from "../../api/subnet.ts";
import { errorText } from "../../base/log.ts";
import { StoreFailure } from "../../base/object_store.ts";
import {
  type Address,
  type AnyCidr,
  cidrContains,
  parseAnyAddressInCidr,
  parseObjectName,
} from "../../ip/mod.ts";
import { addressOfClaim } from "../../ipam/claim.ts";
import type { LendingFacts, Loans } from "../../ipam/lending/facts.ts";
import { HOLD_MS } from "../../ipam/lending/holds.ts";
import { mayChange } from "../../ipam/lending/plan.ts";
import type { LenderParts, LookWork } from "./work.ts";

/** A Subnet, and what it lends now. */
interface Lent<A extends Address> {
  readonly facts: LendingFacts<A>;
  readonly loans: Loans<A>;
}

/**
 * Deletes the holds of a Subnet's addresses whose time has come. Those that this term did not see
 * before have all of their time before them: when the record was written, nothing says.
 *
 * @returns Milliseconds until the next may go; infinite if there is none.
 */
export async function endHolds<A extends Address>(
  lent: Lent<A>,
  work: LookWork,
): Promise<number> {
  const { memory, parts: { view, ports: { clock } } } = work;
  const nowMs = clock.monotonicMs();
  let waitMs = Infinity;
  for (const [name, pool] of work.held) {
    if (isLent(lent, { name, pool })) continue;
    memory.holdEndsMs.set(name, nowMs + HOLD_MS);
    waitMs = HOLD_MS;
  }
  for (const claim of view.heldClaims()) {
    const { metadata: { name }, spec: { pool } } = claim;
    const address = addressOfClaim(claim);
    if (!isOf(lent, address) || !cidrContains(lent.facts.cidr, address)) continue;
    if (isLent(lent, { name, pool })) {
      if (isShrinking(lent, pool)) continue; // It is taken first when the rest can be.
    } else {
      const endMs = memory.holdEndsMs.get(name) ?? nowMs + HOLD_MS;
      memory.holdEndsMs.set(name, endMs);
      if (endMs > nowMs) {
        waitMs = Math.min(waitMs, endMs - nowMs);
        continue;
      }
    }
    if (await remove(claim, work)) memory.holdEndsMs.delete(name);
    else waitMs = Math.min(waitMs, HOLD_MS);
  }
  return waitMs;
}

/**
 * Deletes what is held for no Subnet that there is: nobody else would, and no pod could have it.
 *
 * @param options.subnets All there are; none where nobody lends.
 */
export async function endOrphans(
  { settler, view, ports: { log } }: LenderParts,
  { subnets, signal }: { readonly subnets: Iterable<SpiderSubnet>; readonly signal: AbortSignal },
): Promise<void> {
  const networks = Array.from(subnets, ({ spec }) => parseAnyAddressInCidr(spec.subnet))
    .flatMap((parsed) => parsed.ok ? [parsed.value.cidr] : []);
  for (const claim of view.heldClaims()) {
    const address = addressOfClaim(claim);
    if (address === undefined || networks.some((network) => isInside(network, address))) continue;
    const { ip } = claim.spec;
    try {
      await settler.remove(SPIDER_IPS, claim, { signal });
      log.info("address of no subnet held no longer", { address: ip });
    } catch (error) {
      if (!(error instanceof StoreFailure)) throw error;
      log.warn("address held still", { address: ip, problem: errorText(error) });
    }
  }
}

function isInside(network: AnyCidr, address: Address): boolean {
  if (network.version === 4) return typeof address === "number" && cidrContains(network, address);
  return typeof address === "bigint" && cidrContains(network, address);
}

function isOf<A extends Address>(
  { facts: { family } }: Lent<A>,
  address: Address | undefined,
): address is A {
  return typeof address === typeof family.first;
}

function isLent<A extends Address>(
  lent: Lent<A>,
  { name, pool }: { readonly name: string; readonly pool: string },
): boolean {
  const address = parseObjectName(name);
  return isOf(lent, address) && lent.loans.get(pool)?.addresses.has(address) === true;
}

function isShrinking<A extends Address>({ facts, loans }: Lent<A>, pool: string): boolean {
  const borrower = facts.borrowers.find(({ name }) => name === pool);
  const size = loans.get(pool)?.addresses.size;
  if (borrower?.wanted === undefined || size === undefined) return false;
  return mayChange(borrower) && size > borrower.wanted;
}

/** @returns Whether it is gone. */
async function remove(claim: SpiderIp, { parts: { settler }, signal }: LookWork): Promise<boolean> {
  return await settler.remove(SPIDER_IPS, claim, { signal }) === "gone";
}
