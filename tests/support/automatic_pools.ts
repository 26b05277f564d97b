/** What the leader makes for applications, put into an agent's world by a test. */
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import { readIpNumber } from "../../src/api/pod_annotations.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../src/api/subnet.ts";
import { expectOk } from "../../src/base/result.ts";
import { automaticPool, type PoolIdentity } from "../../src/ipam/applications.ts";

/** How a pool differs from one with a fixed number that goes with its application. */
export interface AutomaticPoolWish {
  readonly ips: readonly string[];
  readonly number?: string;
  readonly reclaim?: boolean;
  readonly disable?: boolean;
}

/** An automatic pool of `10.6.0.0/16` or `fd00:6::/64`, its records taken over. */
export function automaticPoolObject(
  identity: PoolIdentity,
  { ips, number = "2", reclaim = true, disable = false }: AutomaticPoolWish,
): SpiderIpPool {
  const wished = expectOk(readIpNumber(number), "a number of a test");
  const { podAffinity, ...metadata } = automaticPool(identity, { number: wished, reclaim });
  const subnet = identity.version === 4 ? "10.6.0.0/16" : "fd00:6::/64";
  const spec = { subnet, ips, podAffinity, disable };
  const object = { metadata, spec, status: { truth: "SpiderIP" } };
  return expectOk(SPIDER_IP_POOLS.parse(object), "a pool of a test");
}

/** A SpiderSubnet of `10.6.0.0/16`. */
export function subnetObject(name: string, status: unknown = {}): SpiderSubnet {
  const spec = { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.99"] };
  return expectOk(SPIDER_SUBNETS.parse({ metadata: { name }, spec, status }), "a subnet of a test");
}
