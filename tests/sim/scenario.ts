/** One world, drawn from a seed: nodes, pools, workloads, and what goes wrong in it. */
import { Dice } from "./dice.ts";
import { CALM, drawFaults, type Faults } from "./faults.ts";
import type { KubeletHabits } from "./kubelet.ts";
import type { ControllerHabits } from "./controller_settings.ts";
import { planLending, type SubnetPlan } from "./lending.ts";
import type { PluginHabits } from "./plugin.ts";
import type { NicWant, PodTemplatePlan, PoolsMode } from "./pods.ts";
import { drawHappenings, type Happening, hasTwoAgents, type Profile } from "./happening_kinds.ts";
import { addressesOf, type PoolPlan } from "./pools.ts";

/** Kinds of worlds that are about controllers. */
const CONTROLLED: ReadonlySet<Profile> = new Set<Profile>([
  "leaders",
  "outage",
  "wiped",
  "lending",
]);

/** Kinds of worlds that may have controllers. */
const SHARED: ReadonlySet<Profile> = new Set<Profile>(["any", "upgrade", "sticky"]);

/** A node. */
export interface NodePlan {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** How far its wall clock is off, milliseconds. */
  readonly skewMs: number;
  /** Whether the reference's agent runs on it at first. */
  readonly isReference: boolean;
}

/** The controllers. */
export interface ControllersPlan {
  /** Of each replica: how far its wall clock is off, milliseconds. */
  readonly skewsMs: readonly number[];
  readonly habits: ControllerHabits;
}

/** A workload. */
export interface WorkloadPlan {
  readonly kind: "deployment" | "stateful_set" | "job" | "bare";
  readonly namespace: string;
  readonly name: string;
  readonly replicas: number;
  readonly template: PodTemplatePlan;
}

/** A whole world. */
export interface Scenario {
  readonly faults: Faults;
  readonly nodes: readonly NodePlan[];
  /** Absent: there are none, and agents look after themselves. */
  readonly controllers: ControllersPlan | undefined;
  readonly pools: readonly PoolPlan[];
  /** SpiderSubnets that lend to the pools; absent: there are none. */
  readonly subnets?: readonly SubnetPlan[] | undefined;
  /** Addresses that nobody may have, as a SpiderReservedIP. */
  readonly reserved: readonly string[];
  readonly namespaces: readonly string[];
  readonly workloads: readonly WorkloadPlan[];
  readonly happenings: readonly (readonly [weight: number, happening: Happening])[];
  /** Milliseconds between two happenings, on average. */
  readonly happeningMs: number;
  /** Whether pools are marked from the start, or adopted first. */
  readonly isMarked: boolean;
  readonly kubelet: KubeletHabits;
  readonly plugin: PluginHabits;
  readonly activeMs: number;
}

/** Draws a world. */
export function drawScenario(dice: Dice, profile: Profile = "any"): Scenario {
  const isUpgrade = dice.chance(profile === "upgrade" ? 1 : profile === "any" ? 0.15 : 0);
  const families = dice.pick([[4], [4], [6], [4, 6]] as const);
  const hasZones = dice.chance(0.15);
  const nodes = drawNodes(dice, { isUpgrade, hasZones, isOutage: profile === "outage" });
  const overlaps = dice.chance(profile === "overlap" ? 1 : 0.15);
  // The reference gives an address of two pools twice.
  const shares = { overlaps: overlaps && !isUpgrade && profile !== "lending" };
  const { pools, reserved } = drawPools(dice, { families, isUpgrade, hasZones, ...shares });
  const namespaces = ["one", "two"].slice(0, dice.between(1, 2));
  const controllers = drawControllers(dice, profile);
  const hasControllers = controllers !== undefined;
  const happenings = drawHappenings(dice, { isUpgrade, profile, hasControllers });
  const workloads = drawWorkloads(dice, { pools, namespaces, hasZones, profile });
  const ready = sized(pools, { workloads, reserved, dice });
  const isLending = profile === "lending";
  return {
    faults: faultsOf(profile, dice),
    nodes,
    controllers,
    pools: ready,
    ...(isLending && planLending(ready, dice)),
    reserved: isLending ? [] : reserved,
    namespaces,
    workloads,
    happenings,
    // Where nodes fail all the time, nothing lives for long enough to be missed.
    happeningMs: profile === "outage" ? dice.pick([2_000, 6_000]) : dice.pick([300, 1_000, 3_000]),
    isMarked: !isUpgrade && dice.chance(0.7),
    kubelet: drawKubelet(dice, profile),
    plugin: {
      killed: dice.pick([0, 0, 0.05, 0.3]),
      // Beside another agent of the node, an ADD that outlives its plugin would race with the next.
      unnoticed: hasTwoAgents(happenings) ? 0 : dice.pick([0, 0.2, 1]),
      withoutUid: dice.pick([0, 0, 0, 0.5]),
    },
    activeMs: profile === "outage" ? 150_000 : dice.pick([30_000, 60_000, 150_000]),
  };
}

function drawNodes(
  dice: Dice,
  { isUpgrade, hasZones, isOutage }: {
    readonly isUpgrade: boolean;
    readonly hasZones: boolean;
    readonly isOutage: boolean;
  },
): readonly NodePlan[] {
  const count = dice.between(hasZones || isOutage ? 2 : 1, 4);
  return Array.from({ length: count }, (_, index) => ({
    name: `n${index + 1}`,
    labels: { zone: hasZones && index % 2 === 1 ? "b" : "a" },
    skewMs: dice.pick([0, 0, -7_200_000, 40_000]),
    isReference: isUpgrade && (index === 0 || dice.chance(0.7)),
  }));
}

/** Agents are to be right without controllers too. */
function drawControllers(dice: Dice, profile: Profile): ControllersPlan | undefined {
  const share = CONTROLLED.has(profile) ? 1 : SHARED.has(profile) ? 0.6 : 0;
  const skewMs = (): number => dice.pick([0, 0, -7_200_000, 40_000]);
  const isOn = (): boolean => dice.chance(0.6);
  const plan = {
    skewsMs: [skewMs(), skewMs()],
    habits: {
      lends: profile === "lending",
      scanMs: dice.pick([60_000, 300_000]),
      resyncMs: dice.pick([0, 300_000]),
      switches: { readyNode: isOn(), notReadyNode: isOn() },
    },
  };
  return dice.chance(share) ? plan : undefined;
}

function faultsOf(profile: Profile, dice: Dice): Faults {
  const drawn = drawFaults(dice);
  if (profile === "calm" || profile === "overlap" || profile === "outage") return CALM;
  if (profile === "wiped") return CALM;
  if (profile === "leaders") return { ...CALM, lateCommit: 0.1, lateMsMax: 58_000 };
  if (profile === "blind") return { ...CALM, watchStalls: 0.2, watchMsMin: 600_000 };
  if (profile === "refusing") {
    return { ...CALM, lateCommit: 0.3, lateMsMax: 58_000, invalid: 0.3 };
  }
  if (profile === "reborn") {
    const slow = { leastMs: 1, mostMs: 500, slow: 0.2, slowestMs: 4_000 };
    return { ...CALM, latency: slow, watchDelay: { ...slow, slowestMs: 20_000 } };
  }
  if (profile !== "lossy") return drawn;
  return { ...drawn, lostAnswer: 0.1, lateCommit: 0.1, lateMsMax: 58_000 };
}

function drawKubelet(dice: Dice, profile: Profile): KubeletHabits {
  const often = profile === "unruly" ? 1 : 0.3;
  const rarely = (): number => dice.pick([0, 0, 0.05, often]);
  return {
    release: [[1, "done"], [rarely(), "lost"], [rarely(), "late"], [rarely(), "repeated"]],
    lateMsMax: dice.pick([5_000, 90_000]),
    retryMsMax: dice.pick([2_000, 15_000]),
    seesMsMax: dice.pick([100, 3_000]),
    sandboxUnknown: profile === "blind" ? 1 : dice.pick([0, 0, 0.2]),
    folderMsMax: dice.pick([500, 20_000]),
  };
}

/** Pools before anyone counted how many addresses they need. */
function drawPools(
  dice: Dice,
  { families, isUpgrade, hasZones, overlaps }: {
    readonly families: readonly (4 | 6)[];
    readonly isUpgrade: boolean;
    readonly hasZones: boolean;
    readonly overlaps: boolean;
  },
): { readonly pools: readonly PoolPlan[]; readonly reserved: readonly string[] } {
  const pools: PoolPlan[] = [];
  const reserved: string[] = [];
  for (const version of families) {
    const count = hasZones ? 2 : dice.between(1, 3);
    for (let index = 0; index < count; index++) {
      // Overlapping pools begin inside the one before.
      const block = overlaps ? 0 : index;
      const at = (host: number): string => addressAt(version, { block, host });
      const first = overlaps ? 16 + index * 3 : 16;
      const excluded = dice.between(0, 2);
      if (!isUpgrade && dice.chance(0.3)) reserved.push(at(first + excluded));
      pools.push({
        name: `v${version}-${"abc"[index]}`,
        subnet: version === 4 ? `10.6.${block}.0/24` : `fd00:6:${block}::/64`,
        // Ends are set by `sized`; the first ones are never given.
        ips: [`${at(first)}-${at(first + excluded)}`],
        excludeIPs: excluded === 0 ? [] : [`${at(first)}-${at(first + excluded - 1)}`],
        gateway: at(1),
        isDefault: dice.chance(0.4),
        ...(hasZones && { nodeLabels: { zone: index === 0 ? "a" : "b" } }),
      });
    }
  }
  return { pools, reserved };
}

function addressAt(
  version: 4 | 6,
  { block, host }: { readonly block: number; readonly host: number },
): string {
  return version === 4 ? `10.6.${block}.${host}` : `fd00:6:${block}::${host.toString(16)}`;
}

function drawWorkloads(
  dice: Dice,
  { pools, namespaces, hasZones, profile }: {
    readonly pools: readonly PoolPlan[];
    readonly namespaces: readonly string[];
    readonly hasZones: boolean;
    readonly profile: Profile;
  },
): readonly WorkloadPlan[] {
  const isOutage = profile === "outage";
  return Array.from({ length: dice.between(1, 5) }, (_, index) => {
    const kind = dice.weighted(
      [
        [3, "deployment"],
        [profile === "sticky" || profile === "reborn" ? 30 : isOutage ? 8 : 3, "stateful_set"],
        [2, "job"],
        [profile === "reborn" ? 20 : 2, "bare"],
      ] as const,
    );
    const nicCount = dice.chance(0.25) ? 2 : 1;
    const wants: NicWant[] = Array.from({ length: nicCount }, (_, nic) => ({
      nic: nic === 0 ? "eth0" : `net${nic}`,
      ipv4: chain(dice, { pools, version: 4, takesAll: hasZones }),
      ipv6: chain(dice, { pools, version: 6, takesAll: hasZones }),
    }));
    const hasDefault = [4, 6].every((version) => {
      const ofFamily = pools.filter(({ name }) => name.startsWith(`v${version}`));
      return ofFamily.length === 0 || ofFamily.some(({ isDefault }) => isDefault);
    });
    const mode: PoolsMode = nicCount > 1
      ? dice.pick(["ippools", "positional"])
      : hasDefault && !hasZones && dice.chance(0.3)
      ? "default"
      : dice.pick(["ippool", "ippool", "ippools"]);
    return {
      kind,
      namespace: dice.pick(namespaces),
      name: `w${index + 1}`,
      replicas: dice.between(1, 5),
      template: {
        wants: mode === "default" ? wants.map(({ nic }) => ({ nic, ipv4: [], ipv6: [] })) : wants,
        mode,
        runtimeMs: kind === "job" ? dice.between(500, 20_000) : undefined,
        graceSeconds: dice.pick([1, 30]),
      },
    };
  });
}

/** One or two pools of a family, in a random order; all where each is for some nodes only. */
function chain(
  dice: Dice,
  { pools, version, takesAll }: {
    readonly pools: readonly PoolPlan[];
    readonly version: 4 | 6;
    readonly takesAll: boolean;
  },
): readonly string[] {
  const names = pools.map(({ name }) => name).filter((name) => name.startsWith(`v${version}`));
  const left = [...names];
  const chosen: string[] = [];
  const count = takesAll ? names.length : Math.min(names.length, dice.between(1, 2));
  while (chosen.length < count) {
    const name = dice.pick(left);
    left.splice(left.indexOf(name), 1);
    chosen.push(name);
  }
  return chosen;
}

/** Gives each pool about as many addresses as its pods need: often exactly as many. */
function sized(
  pools: readonly PoolPlan[],
  { workloads, reserved, dice }: {
    readonly workloads: readonly WorkloadPlan[];
    readonly reserved: readonly string[];
    readonly dice: Dice;
  },
): readonly PoolPlan[] {
  const need = new Map<string, number>(pools.map(({ name }) => [name, 0]));
  for (const { template, replicas } of workloads) {
    for (const want of template.wants) {
      for (const version of [4, 6] as const) {
        const names = wantedPools(want, { version, pools });
        // Those with two pools fill the second only when the first is full.
        const share = names.length > 1 && dice.chance(0.5) ? Math.ceil(replicas / 2) : replicas;
        names.forEach((name) => need.set(name, (need.get(name) ?? 0) + share));
      }
    }
  }
  const spare = dice.pick([0, 0, 1, 3, 12]);
  return pools.map((pool) => {
    const [first = ""] = pool.ips[0]?.split("-") ?? [];
    const unusable = addressesOf(pool.excludeIPs ?? []).length +
      addressesOf(pool.ips).filter((address) => reserved.includes(address)).length;
    const count = Math.max(1, (need.get(pool.name) ?? 0) + spare) + unusable;
    return { ...pool, ips: [`${first}-${plus(first, count - 1)}`] };
  });
}

function wantedPools(
  want: NicWant,
  { version, pools }: { readonly version: 4 | 6; readonly pools: readonly PoolPlan[] },
): readonly string[] {
  const named = version === 4 ? want.ipv4 : want.ipv6;
  if (want.ipv4.length + want.ipv6.length > 0) return named;
  return pools.filter(({ name, isDefault }) => isDefault === true && name.startsWith(`v${version}`))
    .map(({ name }) => name);
}

/** An address so many further; hosts of the simulation's pools fit into the last part. */
function plus(address: string, by: number): string {
  const isIpv6 = address.includes(":");
  const at = address.lastIndexOf(isIpv6 ? ":" : ".") + 1;
  const host = Number.parseInt(address.slice(at), isIpv6 ? 16 : 10) + by;
  return `${address.slice(0, at)}${host.toString(isIpv6 ? 16 : 10)}`;
}
