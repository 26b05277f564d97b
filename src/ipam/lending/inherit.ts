/** What pools have of their Subnet beside addresses. */
import type { SpiderIpPool } from "../../api/ip_pool.ts";
import { isAutomaticPool } from "../../api/labels.ts";
import type { SpiderSubnet } from "../../api/subnet.ts";

/**
 * The pool with gateway and routes of its Subnet: where it says nothing of them itself, an empty
 * list of routes being something; an automatic pool has always those of the Subnet.
 *
 * @returns The same object if nothing changes.
 */
export function withInherited(pool: SpiderIpPool, subnet: SpiderSubnet): SpiderIpPool {
  const { gateway, routes, ...others } = pool.spec;
  const own = isAutomaticPool(pool) ? {} : { gateway, routes };
  const wanted = {
    gateway: own.gateway ?? subnet.spec.gateway,
    routes: own.routes ?? subnet.spec.routes,
  };
  const isSame = wanted.gateway === gateway &&
    JSON.stringify(wanted.routes) === JSON.stringify(routes);
  if (isSame) return pool;
  return {
    ...pool,
    spec: {
      ...others,
      ...(wanted.gateway !== undefined && { gateway: wanted.gateway }),
      ...(wanted.routes !== undefined && { routes: wanted.routes }),
    },
  };
}
