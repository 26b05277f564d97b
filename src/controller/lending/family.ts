/** A Subnet and its pools: which are its own, and what they have of it. */
import { LABEL_OWNER_SUBNET, LABEL_SUBNET_CIDR, labelValue } from "../../api/labels.ts";
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import { isTerminating } from "../../api/metadata.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../api/subnet.ts";
import { formatCidrLabel, parseAnyAddressInCidr } from "../../ip/mod.ts";
import { borrowsFrom } from "../../ipam/lending/facts.ts";
import { withInherited } from "../../ipam/lending/inherit.ts";
import { allEnded } from "../../base/waiting.ts";
import { isSameJson } from "../admission/rules/json_patch.ts";
import { withFinalizer, withLabels } from "../admission/rules/mutation.ts";
import { withSubnet } from "../admission/rules/pool_rules.ts";
import type { LookWork } from "./work.ts";
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
 * Subnet. One that somebody else writes meanwhile comes again with that change.
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

function ownPool(pool: SpiderIpPool, subnet: SpiderSubnet): SpiderIpPool {
  const owned = withSubnet(pool, [subnet]);
  if (!borrowsFrom(subnet, owned)) return pool;
  const label = labelValue(subnet.metadata.name);
  const isLabelled = owned.metadata.labels?.[LABEL_OWNER_SUBNET] === label;
  const labelled = isLabelled ? owned : withLabels(owned, { [LABEL_OWNER_SUBNET]: label });
  return withInherited(labelled, subnet);
}
