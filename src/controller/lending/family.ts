/** A Subnet and its pools: which are its own, and what they have of it. */
import { LABEL_SUBNET_CIDR } from "../../api/labels.ts";
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import { isTerminating } from "../../api/metadata.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import { formatCidrLabel, parseAnyAddressInCidr } from "../../ip/mod.ts";
import { withWish } from "../../ipam/lending/wishes.ts";
import { allEnded } from "../../base/waiting.ts";
import { isSameJson } from "../admission/rules/json_patch.ts";
import { withFinalizer, withLabels } from "../admission/rules/mutation.ts";
import type { LookWork } from "./work.ts";
import { ownPool } from "./own_pool.ts";
import { writePool } from "./perform.ts";

/**
 * Gives the Subnet what a webhook that was down did not: its finalizer and its label.
 *
 * @returns False if somebody else has written it.
 */
export async function ownSubnet(work: LookWork): Promise<boolean> {
  const { subnet, parts: { settler }, signal } = work;
  if (isTerminating(subnet)) return true;
  const parsed = parseAnyAddressInCidr(subnet.spec.subnet);
  if (!parsed.ok) return true;
  const label = formatCidrLabel(parsed.value.cidr);
  const next = withFinalizer(withLabels(subnet, { [LABEL_SUBNET_CIDR]: label }));
  if (isSameJson(next.metadata, subnet.metadata)) return true;
  const isOurs = ({ metadata }: SpiderSubnet): boolean =>
    isSameJson(metadata.labels, next.metadata.labels) &&
    isSameJson(metadata.finalizers, next.metadata.finalizers);
  const written = await settler.replace(SPIDER_SUBNETS, next, { signal, isOurs });
  if (written.kind === "lost") return false;
  work.subnet = written.object;
  return true;
}

/**
 * Takes the pools of the network that nobody controls, and gives each own pool what it has of the
 * Subnet. One that somebody else writes meanwhile is looked at again: not each change brings it.
 */
export async function adoptPools(work: LookWork): Promise<void> {
  const { subnet, parts: { ports: { log } } } = work;
  if (isTerminating(subnet)) return;
  const works = Array.from(work.pools.values(), async (pool) => {
    if (isTerminating(pool)) return;
    const next = ownPool(pool, subnet);
    if (next === pool) return;
    const isOurs = ({ metadata, spec }: SpiderIpPool): boolean =>
      isSameJson(metadata.ownerReferences, next.metadata.ownerReferences) &&
      isSameJson(spec, next.spec);
    if (!await writePool(next, { work, isOurs })) return;
    const { name } = pool.metadata;
    log.info("pool belongs to its subnet", { pool: name, subnet: subnet.metadata.name });
  });
  await allEnded(works);
}

/** Has each pool say what its application wants it to. */
export async function followWishes(work: LookWork): Promise<void> {
  const works = Array.from(work.wishes.made, async ([name, wish]) => {
    const pool = work.pools.get(name);
    if (pool === undefined || isTerminating(pool)) return;
    const next = withWish(pool, wish);
    if (next === pool) return;
    const isOurs = ({ metadata }: SpiderIpPool): boolean =>
      isSameJson(metadata.labels, next.metadata.labels) &&
      isSameJson(metadata.annotations, next.metadata.annotations);
    await writePool(next, { work, isOurs });
  });
  await allEnded(works);
}
