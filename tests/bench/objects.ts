/** The objects of a bench, as kubelets, controllers and agents make them. */
import type { EndpointNic } from "../../src/api/endpoint.ts";
import { SPIDER_IP_POOLS } from "../../src/api/ip_pool.ts";
import { type Pod, PODS } from "../../src/api/kubernetes/pod.ts";
import { SPIDERPOOL_API_VERSION } from "../../src/api/group.ts";
import { expectOk } from "../../src/base/result.ts";
import { type Address, formatObjectName, parseAddress } from "../../src/ip/mod.ts";
import { type Keeper, newClaim } from "../../src/ipam/claim.ts";
import { endpointNics, newEndpoint } from "../../src/ipam/endpoint.ts";
import { type PoolFacts, readPoolFacts } from "../../src/ipam/pool_facts.ts";
import type { TopController } from "../../src/ipam/top_controller.ts";
import type { BareCall } from "./bare_api.ts";

/** Namespace of the pods. */
export const NAMESPACE = "bench";
/** Where the custom resources are. */
export const SPIDERPOOL_PATH = `/apis/${SPIDERPOOL_API_VERSION}`;

/** Addresses of one family: `10.<block>.0.0/16` or `fd00:<block>::/112`. */
export interface PoolPlan {
  readonly name: string;
  readonly version: 4 | 6;
  /** Differs between all pools of a run. */
  readonly block: number;
  readonly size: number;
}

/** Texts of a pool's addresses, from the first on. */
export function addressText({ version, block }: PoolPlan, index: number): string {
  const at = index + 1;
  if (version === 6) return `fd00:${block.toString(16)}::${at.toString(16)}`;
  return `10.${block}.${at >> 8}.${at & 255}`;
}

/** The pool. */
export function poolObject(plan: PoolPlan): Record<string, unknown> {
  const { name, version, block, size } = plan;
  return {
    apiVersion: SPIDERPOOL_API_VERSION,
    kind: "SpiderIPPool",
    metadata: { name },
    spec: {
      ipVersion: version,
      subnet: version === 4 ? `10.${block}.0.0/16` : `fd00:${block.toString(16)}::/112`,
      ips: [`${addressText(plan, 0)}-${addressText(plan, size - 1)}`],
    },
  };
}

const factsByName = new Map<string, PoolFacts>();

/** What is known of a pool. */
function poolFacts(plan: PoolPlan): PoolFacts {
  const known = factsByName.get(plan.name);
  if (known !== undefined) return known;
  const pool = expectOk(SPIDER_IP_POOLS.parse(poolObject(plan)), plan.name);
  const facts = expectOk(readPoolFacts(pool), plan.name);
  factsByName.set(plan.name, facts);
  return facts;
}

/** Node `n<index>`, Ready. */
export function nodeName(index: number): string {
  return `n${index}`;
}

/** A node as a kubelet registers it. */
export function nodeObject(index: number): unknown {
  const name = nodeName(index);
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux" } },
    status: { conditions: [{ type: "Ready", status: "True" }] },
  };
}

/** Who makes the pods: a ReplicaSet of a Deployment, or a StatefulSet, each with its UID. */
export interface Owner {
  readonly apiVersion: "apps/v1";
  readonly kind: "ReplicaSet" | "StatefulSet";
  readonly name: string;
  readonly uid: string;
}

/** A pod that a scheduler has bound to a node: about 2 kB. */
export function podObject(
  name: string,
  { node, owner, pools, annotations }: {
    readonly node: string;
    readonly owner: Owner;
    readonly pools: readonly PoolPlan[];
    /** In the place of one that names the pools. */
    readonly annotations?: Readonly<Record<string, string>>;
  },
): unknown {
  const named = (version: 4 | 6): readonly string[] =>
    pools.filter((pool) => pool.version === version).map((pool) => pool.name);
  const wish = { ipv4: named(4), ...(named(6).length > 0 && { ipv6: named(6) }) };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: NAMESPACE,
      labels: { app: "web", "pod-template-hash": "7d4b9c6f5d" },
      annotations: annotations ?? { "ipam.spidernet.io/ippool": JSON.stringify(wish) },
      ownerReferences: [{ ...owner, controller: true, blockOwnerDeletion: true }],
    },
    spec: {
      nodeName: node,
      automountServiceAccountToken: false,
      containers: [{
        name: "web",
        image: "registry.test/team/web:1.2.3",
        env: Array.from({ length: 8 }, (_, item) => ({
          name: `SETTING_${item}`,
          value: `value of setting ${item}`,
        })),
        ports: [{ containerPort: 8080, name: "http", protocol: "TCP" }],
        readinessProbe: { httpGet: { path: "/ready", port: "http" } },
      }],
    },
  };
}

/** A pod out of a reply of the API server. */
export function readPod(value: unknown): Pod {
  return expectOk(PODS.parse(value), "the API server's pod is a pod");
}

/** What an agent writes to give a pod an address of each pool: claims, then the endpoint. */
export function allocationCalls(
  pod: Pod,
  { places, controller, keeper }: {
    readonly places: readonly { readonly plan: PoolPlan; readonly index: number }[];
    readonly controller: TopController;
    readonly keeper?: Keeper | undefined;
  },
): readonly BareCall[] {
  const { namespace = "", name, uid = "" } = pod.metadata;
  const holder = {
    podNamespace: namespace,
    podName: name,
    podUID: uid,
    containerID: containerId(uid),
    nic: "eth0",
    node: pod.spec.nodeName ?? "",
    keeper,
    endpointName: name,
  };
  const claims = places.map(({ plan, index }) =>
    newClaim({ pool: plan.name, address: addressOf(plan, index) }, holder)
  );
  const families = places.map(({ plan, index }) => ({
    facts: poolFacts(plan),
    address: addressOf(plan, index),
  }));
  const { nics } = endpointNics([{ nic: "eth0", cleanGateway: false, families }], []);
  return [
    ...claims.map((body): BareCall => ({ method: "POST", path: CLAIMS_PATH, body })),
    endpointCall(pod, { nics, controller, keeper }),
  ];
}

function endpointCall(
  pod: Pod,
  more: {
    readonly nics: readonly EndpointNic[];
    readonly controller: TopController;
    readonly keeper?: Keeper | undefined;
  },
): BareCall {
  const body = newEndpoint({ pod, keeper: undefined, ...more, endpointName: pod.metadata.name });
  return { method: "POST", path: ENDPOINTS_PATH, body };
}

/** Collection of all SpiderIPs. */
export const CLAIMS_PATH = `${SPIDERPOOL_PATH}/spiderips`;
/** Collection of the bench's SpiderEndpoints. */
export const ENDPOINTS_PATH = `${SPIDERPOOL_PATH}/namespaces/${NAMESPACE}/spiderendpoints`;
/** Collection of the bench's pods. */
export const PODS_PATH = `/api/v1/namespaces/${NAMESPACE}/pods`;

/** Path of the claim of a pool's address. */
export function claimPath(plan: PoolPlan, index: number): string {
  return `${CLAIMS_PATH}/${formatObjectName(addressOf(plan, index))}`;
}

/** The claim of a pool's address by a pod of a node that nobody stored. */
export function strangersClaim(
  plan: PoolPlan,
  { index, node }: { readonly index: number; readonly node: string },
): unknown {
  const podUID = crypto.randomUUID();
  const podName = `record-${index}`;
  const holder = { podNamespace: NAMESPACE, podName, podUID, nic: "eth0", node };
  return newClaim({ pool: plan.name, address: addressOf(plan, index) }, {
    ...holder,
    containerID: containerId(podUID),
    endpointName: podName,
  });
}

/** A sandbox of a pod: 64 hexadecimal digits, as container runtimes have it. */
export function containerId(uid: string, { generation = 0 } = {}): string {
  const digits = `${uid.replaceAll("-", "")}${generation.toString(16)}`;
  return digits.padEnd(64, "0").slice(0, 64);
}

function addressOf(plan: PoolPlan, index: number): Address {
  return expectOk(parseAddress(addressText(plan, index)), "an address of a plan");
}
