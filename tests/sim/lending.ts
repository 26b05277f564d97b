/** SpiderSubnets of a world, and what people do to them and to the pools that borrow from them. */
import { ANNOTATION_IP_NUMBER } from "../../src/api/annotations.ts";
import { SPIDERPOOL_API_VERSION, SPIDERPOOL_FINALIZER } from "../../src/api/group.ts";
import { SPIDER_IP_POOLS } from "../../src/api/ip_pool.ts";
import { SPIDER_SUBNETS, type SpiderSubnet } from "../../src/api/subnet.ts";
import { readControlledIpPools } from "../../src/api/subnet_records.ts";
import { unreachable } from "../../src/base/assert.ts";
import type { Control } from "./control.ts";
import type { Dice } from "./dice.ts";
import { isTerminating } from "../../src/api/metadata.ts";
import type { PodTemplatePlan } from "./pods.ts";
import { addressesOf, type PoolPlan } from "./pools.ts";
import type { Workload } from "./workloads.ts";

/** Addresses of a network that only people write into pools. */
const BY_HAND = { first: 200, last: 205 };
/** The networks that only applications use, so that their Subnets can be deleted. */
const SPARE = "10.7.0";
const SPARE_POOL = "v4-spare";
const SPARE_SUBNET = "s-spare";
const SPARE_SUBNET_6 = "s-spare6";

/** Applications that have pools of those networks. */
export const APPLICATIONS = {
  namespace: "default",
  names: ["app-a", "app-b"],
  replicas: 1,
} as const;
/** What an application wants in the end: one address more, so that pods can be replaced. */
const NUMBER = APPLICATIONS.replicas + 1;
/** Addresses of the pool there that is of no application. */
const SPARE_NUMBER = 3;

/** What pods of an application ask for. */
export function applicationPlan(
  { number = String(NUMBER), families = [4, 6] }: {
    readonly number?: string;
    readonly families?: readonly (4 | 6)[];
  } = {},
): PodTemplatePlan {
  const lenders = {
    ...(families.includes(4) && { ipv4: SPARE_SUBNET }),
    ...(families.includes(6) && { ipv6: SPARE_SUBNET_6 }),
  };
  const wants = [{ nic: "eth0", ipv4: [], ipv6: [], lenders }];
  return { wants, mode: "subnet", number, graceSeconds: 1 };
}

/** A SpiderSubnet before it is stored. */
export interface SubnetPlan {
  readonly name: string;
  readonly subnet: string;
  readonly ips: readonly string[];
}

/** What happens to Subnets and their pools. */
export const LENDING_HAPPENINGS = [
  "wish_changed",
  "pool_by_hand",
  "record_lost",
  "subnet_gone",
  "application_changed",
] as const;
export type LendingHappening = typeof LENDING_HAPPENINGS[number];

/** A world's pools, when Subnets lend to them. */
export interface LendingPlan {
  readonly pools: readonly PoolPlan[];
  readonly subnets: readonly SubnetPlan[];
}

/** Lets all pools of a family borrow from one Subnet: each as many as it had. */
export function planLending(pools: readonly PoolPlan[], dice: Dice): LendingPlan {
  const lending: PoolPlan[] = [];
  const subnets: SubnetPlan[] = [];
  for (const version of [4, 6] as const) {
    const own = pools.filter(({ name }) => name.startsWith(`v${version}`));
    if (own.length === 0) continue;
    const [subnet, at] = version === 4
      ? ["10.6.0.0/24", (host: number) => `10.6.0.${host}`] as const
      : ["fd00:6::/64", (host: number) => `fd00:6::${host.toString(16)}`] as const;
    let total = 0;
    for (const { excludeIPs = [], ...pool } of own) {
      const number = addressesOf(pool.ips).length - addressesOf(excludeIPs).length;
      total += number;
      lending.push({ ...pool, subnet, ips: [], number, gateway: at(1) });
    }
    const spare = dice.pick([0, 1, 4]);
    const ips = [`${at(16)}-${at(15 + total + spare)}`, `${at(BY_HAND.first)}-${at(BY_HAND.last)}`];
    subnets.push({ name: `s${version}`, subnet, ips });
  }
  const count = NUMBER * APPLICATIONS.names.length;
  const last = 15 + count + SPARE_NUMBER;
  const spare = {
    name: SPARE_SUBNET,
    subnet: `${SPARE}.0/24`,
    ips: [`${SPARE}.16-${SPARE}.${last}`],
  };
  const ips = [`fd00:7::10-fd00:7::${(15 + count).toString(16)}`];
  const spare6 = { name: SPARE_SUBNET_6, subnet: "fd00:7::/64", ips };
  lending.push({ name: SPARE_POOL, subnet: spare.subnet, ips: [], number: SPARE_NUMBER });
  return { pools: lending, subnets: [...subnets, spare, spare6] };
}

/** The object that a person would write, as a webhook fills it in. */
export function subnetObject({ name, subnet, ips }: SubnetPlan): SpiderSubnet {
  return {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind: "SpiderSubnet",
    metadata: { name, finalizers: [SPIDERPOOL_FINALIZER] },
    spec: { subnet, ips: [...ips] },
  };
}

/** What people do. */
export class LendingPeople {
  readonly #control: Control;
  readonly #dice: Dice;
  readonly #plan: LendingPlan;
  readonly #applications: readonly Workload[];
  readonly #makePool: (plan: PoolPlan) => void;

  /** @param options.makePool Stores a pool of the plan. */
  constructor({ control, dice, plan, applications, makePool }: {
    readonly control: Control;
    readonly dice: Dice;
    readonly plan: LendingPlan;
    readonly applications: readonly Workload[];
    readonly makePool: (plan: PoolPlan) => void;
  }) {
    this.#control = control;
    this.#dice = dice;
    this.#plan = plan;
    this.#applications = applications;
    this.#makePool = makePool;
  }

  happen(happening: LendingHappening): void {
    const { subnets, pools } = this.#plan;
    if (subnets.length === 0) return;
    switch (happening) {
      case "wish_changed": {
        const { name, number = 0 } = this.#dice.pick(pools);
        return this.#wish(name, this.#dice.between(0, number + 3));
      }
      case "pool_by_hand":
        return this.#writeByHand(this.#dice.pick(subnets));
      case "application_changed":
        return this.#changeApplication(this.#dice.pick(this.#applications));
      case "record_lost": {
        const { name } = this.#dice.pick(subnets);
        this.#control.changeStatus(SPIDER_SUBNETS, { name }, ({ status, ...subnet }) => {
          const { controlledIPPools: _lost, ...rest } = status ?? {};
          return { ...subnet, status: rest };
        });
        return;
      }
      case "subnet_gone":
        this.#control.remove(SPIDER_SUBNETS, {
          name: this.#dice.pick([SPARE_SUBNET, SPARE_SUBNET_6]),
        });
        this.#control.server.scheduler.after(this.#dice.ms(1_000, 60_000), () => this.mend());
        return;
      default:
        return unreachable(happening);
    }
  }

  /** Makes again what is gone, and wants what was planned. */
  mend(): void {
    for (const subnet of this.#plan.subnets) {
      if (this.#control.get(SPIDER_SUBNETS, { name: subnet.name }) === undefined) {
        this.#control.create(SPIDER_SUBNETS, subnetObject(subnet));
      }
    }
    for (const pool of this.#plan.pools) {
      const stored = this.#control.get(SPIDER_IP_POOLS, { name: pool.name });
      if (stored === undefined) this.#makePool(pool);
    }
  }

  /** Has an application want other pools, or other sizes; scales it; deletes it for a while. */
  #changeApplication(application: Workload): void {
    const what = this.#dice.pick(["number", "number", "families", "scale", "gone"] as const);
    this.#control.note(`${application.label}: ${what}`);
    const { replicas } = application.options;
    switch (what) {
      case "number":
      case "families": {
        const number = this.#dice.pick(["0", "1", "2", "3", "+0", "+1"]);
        const families = what === "number"
          ? [4, 6] as const
          : this.#dice.pick([[4], [6], [4, 6]] as const);
        application.plan = applicationPlan({ number, families });
        return application.rollOut();
      }
      case "scale":
        application.replicas = this.#dice.between(0, replicas + 2);
        return;
      case "gone":
        application.isWanted = false;
        this.#control.server.scheduler.after(this.#dice.ms(1_000, 30_000), () => {
          application.isWanted = true;
        });
    }
  }

  /** As `mend`, until all is as it was planned. */
  settle(): void {
    this.mend();
    for (const { name, number } of this.#plan.pools) {
      const stored = this.#control.get(SPIDER_IP_POOLS, { name });
      const wished = stored?.metadata.annotations?.[ANNOTATION_IP_NUMBER];
      if (number !== undefined && wished !== String(number)) this.#wish(name, number);
    }
    if (this.#plan.subnets.length > 0) {
      const isEnding = this.#control.list(SPIDER_SUBNETS).some(isTerminating);
      for (const application of this.#applications) {
        // Only pods keep a Subnet that is being deleted.
        application.isWanted = !isEnding;
        application.replicas = application.options.replicas;
        if (application.plan === application.options.plan) continue;
        application.plan = application.options.plan;
        application.rollOut();
      }
      this.#control.server.scheduler.after(5_000, () => this.settle());
    }
  }

  #wish(name: string, number: number): void {
    this.#control.change(SPIDER_IP_POOLS, { name }, (pool) => {
      const annotations = {
        ...pool.metadata.annotations,
        [ANNOTATION_IP_NUMBER]: String(number),
      };
      return { ...pool, metadata: { ...pool.metadata, annotations } };
    });
  }

  /** Writes a pool with addresses that nobody is lent: others no webhook would let through. */
  #writeByHand({ name, subnet }: SubnetPlan): void {
    const by = `${name}-by-hand`;
    const stored = this.#control.get(SPIDER_SUBNETS, { name });
    if (stored === undefined || name.startsWith(SPARE_SUBNET)) return;
    const existing = this.#control.get(SPIDER_IP_POOLS, { name: by });
    if (existing !== undefined && this.#dice.chance(0.3)) {
      return this.#control.remove(SPIDER_IP_POOLS, { name: by });
    }
    const read = readControlledIpPools(stored.status?.controlledIPPools);
    const records = Object.entries(read.ok ? read.value : {}).filter(([pool]) => pool !== by);
    const pools = this.#control.list(SPIDER_IP_POOLS).filter(({ metadata }) =>
      metadata.name !== by
    );
    const taken = new Set([
      ...records.flatMap(([, { ips }]) => addressesOf(ips)),
      ...pools.flatMap(({ spec }) => addressesOf(spec.ips ?? [])),
    ]);
    const free = addressesOf(stored.spec.ips?.slice(-1) ?? []).filter((one) => !taken.has(one));
    const ips = free.filter(() => this.#dice.chance(0.6));
    if (existing === undefined) {
      const pool = { name: by, subnet, ips };
      return this.#makePool(pool);
    }
    this.#control.change(SPIDER_IP_POOLS, { name: by }, (pool) => {
      return { ...pool, spec: { ...pool.spec, ips } };
    });
  }
}
