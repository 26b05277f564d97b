/** Set-ups that cannot work, and what a person reads of each in `kubectl describe pod`. */
import {
  ask,
  type Corner,
  namespaceOf,
  networkOf,
  pod,
  type PodWish,
  poolName,
  pools,
  type PoolWish,
  type Scenario,
  UNDERLAY,
} from "./corner.ts";
import { assertDescribed } from "./observed.ts";

/** One mistake. */
interface Mistake {
  /** Name of the pod, and of its pool where it has one of its own. */
  readonly name: string;
  readonly pool?: (corner: Corner) => Partial<PoolWish>;
  /** Absent: the pod asks for the pool of its name. */
  readonly pod?: (corner: Corner) => PodWish;
  readonly says: RegExp;
}

/** First family of the cluster, as annotations spell it. */
function familyKey({ site: { versions: [version = 4] } }: Corner): string {
  return `ipv${version}`;
}

/** A pool of the family that the cluster's pods are not asking for. */
function otherFamily(corner: Corner): string {
  const version = corner.site.versions[0] === 4 ? 6 : 4;
  return poolName(corner, { name: "good", version });
}

const ANNOTATIONS: readonly Mistake[] = [
  {
    name: "no-json",
    pod: () => ({ annotations: { "ipam.spidernet.io/ippool": '{"ipv4": [' } }),
    says: /wrong input on pod "broken\/no-json": .*ipam\.spidernet\.io\/ippool/,
  },
  {
    name: "duplicate-pool",
    pod: (corner) => ({ ippool: ask(corner, "good", "good") }),
    says: /wrong input on pod "broken\/duplicate-pool": .*"broken-good-v[46]": it is listed twice/,
  },
  {
    name: "unknown-nic",
    pod: (corner) => ({
      ippools: [
        { interface: "net1", ...ask(corner, "good") },
        { interface: "net7", ...ask(corner, "good") },
      ],
    }),
    says: /wrong input: annotation "ipam\.spidernet\.io\/ippools" is for NIC "net7"/,
  },
  {
    name: "missing-nic",
    pod: (corner) => ({
      networks: [UNDERLAY, UNDERLAY],
      ippools: [{ interface: "net2", ...ask(corner, "good") }],
    }),
    says: /wrong input: .*interface "net1" must be specified/,
  },
  {
    name: "nic-twice",
    pod: (corner) => ({
      ippools: [
        { interface: "net1", ...ask(corner, "good") },
        { interface: "net1", ...ask(corner, "good") },
      ],
    }),
    says: /wrong input on pod "broken\/nic-twice": .*net1/,
  },
  {
    name: "half-named",
    pod: (corner) => ({
      ippools: [{ interface: "net1", ...ask(corner, "good") }, ask(corner, "good")],
    }),
    says: /wrong input on pod "broken\/half-named": .*interface/,
  },
  {
    name: "bad-route",
    pod: (corner) => ({
      ippool: ask(corner, "good"),
      annotations: { "ipam.spidernet.io/routes": '[{"dst":"10.78.0.0","gw":"10.6.0.1"}]' },
    }),
    says: /wrong input on pod "broken\/bad-route": .*ipam\.spidernet\.io\/routes/,
  },
  {
    name: "subnet",
    pod: () => ({ annotations: { "ipam.spidernet.io/subnet": '{"ipv4":["s"],"ipv6":["s"]}' } }),
    says: /ipam\.spidernet\.io\/subnet.*nothing controls the pod/,
  },
];

const POOLS: readonly Mistake[] = [
  {
    name: "unknown-pool",
    pod: (corner) => ({ ippool: { [familyKey(corner)]: ["nowhere"] } }),
    says: /no IPPool available for NIC "net1" \(IPv[46]\): pool "nowhere".*create pool "nowhere"/,
  },
  {
    name: "wrong-family",
    pod: (corner) => ({ ippool: { [familyKey(corner)]: [otherFamily(corner)] } }),
    says: /no IPPool available .*pool "broken-good-v[46]" is an IPv[46] pool .*name an IPv/,
  },
  {
    name: "no-match",
    pod: (corner) => ({ ippool: { [familyKey(corner)]: ["nowhere-*"] } }),
    says:
      /no IPPool available for NIC "net1": no IPv[46] pool has a name that matches "nowhere-\*"/,
  },
  {
    name: "disabled",
    pool: () => ({ spec: { disable: true } }),
    says: /no IPPool available for NIC "net1" .*pool "broken-disabled-v[46]" is disabled/,
  },
  {
    name: "elsewhere",
    pool: () => ({ spec: { namespaceName: ["elsewhere"] } }),
    says: /no IPPool available .*pool "broken-elsewhere-v[46]" .*"broken".*spec\.namespaceName/,
  },
  {
    name: "other-node",
    pool: () => ({ spec: { nodeName: ["elsewhere"] } }),
    says: /no IPPool available .*pool "broken-other-node-v[46]" .*elsewhere.*spec\.nodeName/,
  },
  {
    name: "other-network",
    pool: () => ({ spec: { multusName: ["default/elsewhere"] } }),
    says: /no IPPool available .*pool "broken-other-network-v[46]" .*default\/elsewhere/,
  },
];

/** Contradictions inside a pool of the cluster's first family; the API server lets them through. */
const CONTRADICTIONS: Readonly<Record<string, (corner: Corner) => object>> = {
  "far-gateway": ({ site: { versions: [version] } }) => ({
    gateway: version === 4 ? "10.99.0.1" : "fd00:99::1",
  }),
  "backwards": ({ site: { versions: [version] }, block }) => ({
    ips: version === 4
      ? [`10.6.${block}.9-10.6.${block}.1`]
      : [`fd00:6::${block.toString(16)}:9-fd00:6::${block.toString(16)}:1`],
  }),
  "far-addresses": ({ site: { versions: [version] } }) => ({
    ips: [version === 4 ? "10.99.0.5" : "fd00:99::5"],
  }),
};

const SAYS_OF_CONTRADICTIONS: readonly Mistake[] = [
  { name: "far-gateway", says: /pool "broken-far-gateway-v[46]" .*spec\.gateway/ },
  { name: "backwards", says: /pool "broken-backwards-v[46]" .*spec\.ips/ },
  { name: "far-addresses", says: /pool "broken-far-addresses-v[46]" .*spec\.ips/ },
].map((mistake) => ({
  ...mistake,
  pod: (corner: Corner) => {
    const [version = 4] = corner.site.versions;
    const name = poolName(corner, { name: mistake.name, version });
    return { ippool: { [familyKey(corner)]: [name] } };
  },
}));

const MISTAKES: readonly Mistake[] = [...ANNOTATIONS, ...POOLS, ...SAYS_OF_CONTRADICTIONS];

/** Every mistake has a pod; none of them ever gets an address. */
export const BROKEN: Scenario = {
  name: "broken",
  promise: `${MISTAKES.length} broken set-ups are explained by kubectl describe pod`,
  objects: (corner) => {
    const both: Corner = { ...corner, site: { ...corner.site, versions: [4, 6] } };
    const [version = 4] = corner.site.versions;
    const contradictory = Object.entries(CONTRADICTIONS).map(([name, spec]) => ({
      apiVersion: "spiderpool.spidernet.io/v2beta1",
      kind: "SpiderIPPool",
      metadata: { name: poolName(corner, { name, version }) },
      spec: { subnet: networkOf(version, 6), ...spec(corner) },
    }));
    return [
      namespaceOf(corner),
      ...pools(both, "good", { count: 20 }),
      ...MISTAKES.flatMap(({ name, pool }, index) => {
        const from = 100 + 4 * index; // Pools that share addresses would be another mistake.
        return pool === undefined ? [] : pools(corner, name, { count: 4, from, ...pool(corner) });
      }),
      ...contradictory,
      ...MISTAKES.map(({ name, pod: wish }) =>
        pod(corner, name, wish?.(corner) ?? { ippool: ask(corner, name) })
      ),
    ];
  },
  check: async (corner) => {
    const problems: string[] = [];
    for (const { name, says } of MISTAKES) {
      await assertDescribed(corner, { name, says }).catch((error: Error) =>
        problems.push(error.message)
      );
    }
    if (problems.length > 0) throw new Error(problems.join("\n"));
  },
};
