/** What every pool of a Subnet has of it. */
import { LABEL_OWNER_SUBNET, labelValue } from "../../api/labels.ts";
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import type { SpiderSubnet } from "../../api/subnet.ts";
import { borrowsFrom } from "../../ipam/lending/facts.ts";
import { withInherited } from "../../ipam/lending/inherit.ts";
import { withLabels } from "../admission/rules/mutation.ts";
import { withSubnet } from "../admission/rules/pool_rules.ts";

/**
 * The pool as the Subnet's own: controller, label, gateway and routes.
 *
 * @returns The same object if nothing changes, or something else controls the pool.
 */
export function ownPool(pool: SpiderIpPool, subnet: SpiderSubnet): SpiderIpPool {
  const owned = withSubnet(pool, [subnet]);
  if (!borrowsFrom(subnet, owned)) return pool;
  const label = labelValue(subnet.metadata.name);
  const isLabelled = owned.metadata.labels?.[LABEL_OWNER_SUBNET] === label;
  const labelled = isLabelled ? owned : withLabels(owned, { [LABEL_OWNER_SUBNET]: label });
  return withInherited(labelled, subnet);
}
