/** Set-ups that the coordinator refuses, and what a person reads of each. */
import { ask, type Corner, namespaceOf, pod, pools, type Scenario } from "../ipam/corner.ts";
import { assertDescribed, rolledOut } from "../ipam/observed.ts";
import { underlayWeb } from "./first_nic.ts";
import { COORDINATED, coordinatedNetwork, tellNetworks } from "./networks.ts";

/** One mistake, in the configuration or in the pod's annotation. */
interface Mistake {
  readonly name: string;
  readonly coordinator?: Readonly<Record<string, unknown>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly says: RegExp;
}

const MISTAKES: readonly Mistake[] = [
  {
    name: "bad-mode",
    coordinator: { mode: "sideways" },
    says: /Cannot use mode of the CNI configuration "sideways": write "auto", /,
  },
  {
    name: "bad-table",
    coordinator: { hostRuleTable: 254 },
    says: /hostRuleTable of the CNI configuration 254: /,
  },
  {
    name: "bad-cidr",
    coordinator: { hijackCIDR: ["10.1.1.0/33"] },
    says: /Cannot use hijackCIDR\[0\] of the CNI configuration "10\.1\.1\.0\/33": /,
  },
  {
    name: "overlay-first",
    coordinator: { mode: "overlay" },
    says: /Cannot coordinate NIC "eth0" in overlay mode: it is the pod's first NIC/,
  },
  {
    name: "no-such-nic",
    annotations: { "ipam.spidernet.io/default-route-nic": "net9" },
    says: /podDefaultRouteNIC "net9"/,
  },
];

/** Pods that cannot be connected say why, and leave no address behind. */
export const BROKEN: Scenario = {
  name: "refused",
  promise: `${MISTAKES.length} broken set-ups are explained by kubectl describe pod`,
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "some", { count: MISTAKES.length * 2, gateway: true }),
    ...MISTAKES.flatMap(({ name, coordinator, annotations }) => [
      ...(coordinator === undefined ? [] : [coordinatedNetwork(name, coordinator)]),
      pod(corner, name, {
        firstNetwork: coordinator === undefined ? COORDINATED : `default/${name}`,
        networks: [],
        ippool: ask(corner, "some"),
        ...(annotations !== undefined && { annotations }),
      }),
    ]),
  ],
  check: async (corner) => {
    for (const { name, says } of MISTAKES) await assertDescribed(corner, { name, says });
  },
};

const NOT_READY =
  /\(add\): Cannot use SpiderCoordinator "default": it is not ready, its phase is "NotReady"/;

/** Fails unless a pod of `NOT_SYNCED` says what it waits for; then the networks are known. */
export async function becomeSynced(corner: Corner): Promise<void> {
  await assertDescribed(corner, { name: "early", says: NOT_READY });
  await tellNetworks(corner.site);
}

/** Pods of a cluster whose networks are not known yet: they go on by themselves. */
export const NOT_SYNCED: Scenario = {
  name: "not-synced",
  promise: "a pod that waited for its SpiderCoordinator starts when that is Synced",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "web", { count: 3, gateway: true }),
    underlayWeb(corner, "web"),
    pod(corner, "early", {
      firstNetwork: COORDINATED,
      networks: [],
      ippool: ask(corner, "web"),
    }),
  ],
  check: async (corner: Corner) => {
    await rolledOut(corner, "deployment/web");
  },
};

/** A cluster without a SpiderCoordinator. */
export const MISSING: Scenario = {
  name: "missing",
  promise: "a pod says which SpiderCoordinator is missing",
  objects: (corner) => [
    namespaceOf(corner),
    ...pools(corner, "some", { count: 2, gateway: true }),
    pod(corner, "lost", { firstNetwork: COORDINATED, networks: [], ippool: ask(corner, "some") }),
  ],
  check: async (corner) => {
    const says =
      /\(add\): coordinator config not found: create a SpiderCoordinator named "default"/;
    await assertDescribed(corner, { name: "lost", says });
  },
};
