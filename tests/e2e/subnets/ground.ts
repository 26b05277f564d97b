/** SpiderSubnets for all scenarios, and what applications are given of them. */
import assert from "node:assert/strict";
import { type Corner, networkOf, type PodWish } from "../ipam/corner.ts";
import { type Installation, LIMIT } from "../ipam/installation.ts";
import { addressesInUse, eventually, type ObservedPod, versionOf } from "../ipam/observed.ts";

/**
 * A SpiderSubnet of each family. `office` is on the underlay; the others have addresses inside one
 * node only, of which `tight` has three.
 */
export type SubnetName = "office" | "annex" | "tight";

const SUBNETS = { office: { number: 6, last: 200 }, annex: { number: 8, last: 50 } } as const;
const ALL = { ...SUBNETS, tight: { number: 9, last: 13 } } as const;
/** Last part of the first address of each. */
const FIRST = 11;

/** Both families of every SpiderSubnet. */
export function subnets({ versions }: Installation): readonly unknown[] {
  return Object.entries(ALL).flatMap(([name, { number, last }]) =>
    versions.map((version) => ({
      apiVersion: "spiderpool.spidernet.io/v2beta1",
      kind: "SpiderSubnet",
      metadata: { name: `${name}-v${version}` },
      spec: { subnet: networkOf(version, number), ips: [rangeOf(version, { number, last })] },
    }))
  );
}

function rangeOf(
  version: 4 | 6,
  { number, last }: { readonly number: number; readonly last: number },
): string {
  if (version === 4) return `10.${number}.20.${FIRST}-10.${number}.20.${last}`;
  return `fd00:${number}::20:${FIRST.toString(16)}-fd00:${number}::20:${last.toString(16)}`;
}

/** What a pod's annotations say of its pool. */
export interface LendingWish {
  readonly subnet?: SubnetName | string;
  /** Another one for IPv6. */
  readonly ofIpv6?: SubnetName | string;
  readonly nic?: string;
  /** Value of `ippool-ip-number`; absent: the installation's. */
  readonly number?: string;
  readonly reclaim?: boolean;
}

/** The subnets of a NIC, as annotations list them. */
export function lenders(
  { site: { versions } }: Corner,
  { subnet = "office", ofIpv6 = subnet, nic = "net1" }: LendingWish = {},
): Readonly<Record<string, unknown>> {
  const lists = versions.map((version) => {
    return [`ipv${version}`, [`${version === 4 ? subnet : ofIpv6}-v${version}`]];
  });
  return { interface: nic, ...Object.fromEntries(lists) };
}

/** A pod that asks for a pool of its application. */
export function lent(corner: Corner, wish: LendingWish = {}): PodWish {
  const { number, reclaim } = wish;
  return {
    annotations: {
      "ipam.spidernet.io/subnet": JSON.stringify(lenders(corner, wish)),
      ...(number !== undefined && { "ipam.spidernet.io/ippool-ip-number": number }),
      ...(reclaim !== undefined && { "ipam.spidernet.io/ippool-reclaim": String(reclaim) }),
    },
  };
}

/** An automatic pool. */
export interface LentPool {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
  readonly status?: { readonly totalIPCount?: number };
}

const OWNER = "ipam.spidernet.io/owner-application";

/** The pools of an application of the corner that are not being deleted. */
export async function poolsFor(
  { site: { kubectl }, name }: Corner,
  application: string,
): Promise<readonly LentPool[]> {
  const selector = `${OWNER}-namespace=${name},${OWNER}-name=${application}`;
  const text = await kubectl.run("get", "spiderippools", "-l", selector, "-o", "json");
  const items: readonly LentPool[] = JSON.parse(text).items;
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** Waits until the pools of each family of an application are as they should be. */
export async function untilPoolsFor(
  corner: Corner,
  application: string,
  { what, isSo }: { readonly what: string; readonly isSo: (pool: LentPool) => boolean },
): Promise<readonly LentPool[]> {
  const { versions } = corner.site;
  let pools: readonly LentPool[] = [];
  try {
    await eventually(`the pools of ${application} ${what}`, async () => {
      pools = await poolsFor(corner, application);
      return pools.length === versions.length && pools.every(isSo);
    });
  } catch (cause) {
    throw new Error(`The pools of ${application} are ${JSON.stringify(pools)}`, { cause });
  }
  return pools;
}

/** Waits until an application has so many addresses, of each family. */
export function untilSize(
  corner: Corner,
  application: string,
  size: number,
): Promise<readonly LentPool[]> {
  const isSo = ({ status }: LentPool): boolean => status?.totalIPCount === size;
  return untilPoolsFor(corner, application, { what: `to have ${size} addresses`, isSo });
}

/**
 * Fails unless each pod's NIC has one address of each family out of the application's pools, and no
 * address has two pods. Gives the addresses in the order of the pods.
 */
export async function assertLent(
  corner: Corner,
  pods: readonly ObservedPod[],
  { application, nic = "net1" }: { readonly application: string; readonly nic?: string },
): Promise<readonly string[]> {
  const [inUse, pools] = await Promise.all([
    addressesInUse(corner.site),
    poolsFor(corner, application),
  ]);
  const names = new Set(pools.map(({ metadata }) => metadata.name));
  const all: string[] = [];
  for (const pod of pods) {
    const addresses = pod.nics.get(nic) ?? [];
    const versions = addresses.map(versionOf).toSorted();
    assert.deepEqual(versions, corner.site.versions, `${pod.name} has one address a family`);
    for (const ip of addresses) {
      const record = inUse.get(ip);
      assert.equal(record?.podUID, pod.uid, `${ip} is recorded as that of ${pod.name}`);
      assert.ok(names.has(record?.pool ?? ""), `${ip} is of ${record?.pool}, not ${[...names]}`);
    }
    all.push(...addresses);
  }
  assert.equal(new Set(all).size, all.length, `no address has two pods: ${all}`);
  return all;
}

/** Once no application is left, every pool is gone and every address is back. */
export async function everythingIsBack({ kubectl }: Installation): Promise<void> {
  let left = "";
  try {
    await eventually("every automatic pool to be gone", async () => {
      left = await kubectl.run("get", "spiderippools", "-l", `${OWNER}-name`, "-o", "yaml");
      return !left.includes("kind: SpiderIPPool\n");
    });
    await eventually("every SpiderSubnet to lend nothing", async () => {
      left = await kubectl.run("get", "spidersubnets", "-o", "json");
      const items: readonly { readonly status?: { readonly allocatedIPCount?: number } }[] =
        JSON.parse(left).items;
      return items.every(({ status }) => status?.allocatedIPCount === 0);
    });
  } catch (cause) {
    throw new Error(left.split("\n").slice(-200).join("\n"), { cause });
  }
  await kubectl.run("delete", "spidersubnets", "--all", `--timeout=${LIMIT}`);
}
