/** Applications that want pools of SpiderSubnets, for tests of the controller. */
import {
  ANNOTATION_IP_NUMBER,
  ANNOTATION_IP_POOL_RECLAIM,
  ANNOTATION_SUBNET,
} from "../../src/api/annotations.ts";
import { SPIDER_IP_POOLS, type SpiderIpPool } from "../../src/api/ip_pool.ts";
import { type Deployment, DEPLOYMENTS } from "../../src/api/kubernetes/workload.ts";
import { SPIDER_IPS, type SpiderIp } from "../../src/api/spider_ip.ts";
import { SPIDER_SUBNETS } from "../../src/api/subnet.ts";
import type { Resource, StoredObject } from "../../src/base/object_store.ts";
import { expectOk } from "../../src/base/result.ts";
import { parseAddress } from "../../src/ip/mod.ts";
import { newClaim } from "../../src/ipam/claim.ts";
import { CONTROLLER_SETTINGS, ControllerRig } from "./controller_rig.ts";

/** Nobody has the addresses of these tests: reclaim would free them. */
export const WITHOUT_PODS = {
  settings: { reclaim: { ...CONTROLLER_SETTINGS.reclaim, isOn: false } },
};
/** Milliseconds in which everything comes to rest. */
export const LATER_MS = 1_000;

/** A Subnet of ten addresses. */
export function subnetObject(name: string, spec: object = {}): object {
  return {
    metadata: { name },
    spec: { subnet: "10.6.0.0/16", ips: ["10.6.0.10-10.6.0.19"], gateway: "10.6.0.1", ...spec },
  };
}

/** Annotations of a pod template. */
export function asking(number?: string, { subnet = "s", reclaim }: {
  readonly subnet?: string;
  readonly reclaim?: string;
} = {}): Readonly<Record<string, string>> {
  return {
    [ANNOTATION_SUBNET]: JSON.stringify({ ipv4: [subnet] }),
    ...(number !== undefined && { [ANNOTATION_IP_NUMBER]: number }),
    ...(reclaim !== undefined && { [ANNOTATION_IP_POOL_RECLAIM]: reclaim }),
  };
}

/** A pod template. */
export function template(annotations: Readonly<Record<string, string>>, spec: object = {}): object {
  return { metadata: { annotations }, spec };
}

/** A Deployment of two pods. */
export function deployment(
  name: string,
  annotations: Readonly<Record<string, string>>,
  { replicas = 2 }: { readonly replicas?: number } = {},
): object {
  const metadata = { name, namespace: "default" };
  return { metadata, spec: { replicas, template: template(annotations) } };
}

/** Every pool. */
export async function pools(rig: ControllerRig): Promise<readonly SpiderIpPool[]> {
  const listed = await rig.store.list(SPIDER_IP_POOLS, { signal: rig.signal });
  return expectOk(listed, "pools are listed").items;
}

/** What pools there are: how their names begin, and their addresses. */
export async function told(rig: ControllerRig): Promise<readonly string[]> {
  return (await pools(rig)).map(({ metadata: { name }, spec: { ips = [] } }) => {
    return `${name.replace(/-[^-]*$/, "")} ${ips.join(",")}`;
  }).sort();
}

/** What the record of a Subnet says, likewise. */
export async function record(rig: ControllerRig, name = "s"): Promise<readonly string[]> {
  const { status } = await rig.read(SPIDER_SUBNETS, { name });
  const entries = Object.entries<{ ips: readonly string[]; application?: string }>(
    JSON.parse(status?.controlledIPPools ?? "{}"),
  );
  return entries.map(([, { ips, application }]) => `${application} ${ips.join(",")}`).sort();
}

/** Edits the spec of a Deployment. */
export async function change(
  rig: ControllerRig,
  name: string,
  edit: (spec: Deployment["spec"]) => object,
): Promise<void> {
  const key = { name, namespace: "default" };
  const stored = await rig.read(DEPLOYMENTS, key);
  const next = expectOk(DEPLOYMENTS.parse({ ...stored, spec: edit(stored.spec) }), "a Deployment");
  expectOk(await rig.store.replace(DEPLOYMENTS, next, { signal: rig.signal }), "changed");
}

/** Deletes an object. */
export async function remove<T extends StoredObject>(
  rig: ControllerRig,
  resource: Resource<T>,
  key: { readonly name: string; readonly namespace?: string },
): Promise<void> {
  expectOk(await rig.store.remove(resource, key, { signal: rig.signal }), "removed");
}

/** A pod has an address of the only pool that there is. */
export async function use(rig: ControllerRig, ip: string): Promise<void> {
  const address = expectOk(parseAddress(ip), "an address");
  const owner = (await pools(rig)).find(({ spec: { ips = [] } }) => ips.length > 0);
  const who = { podNamespace: "default", podName: "a", podUID: "u", endpointName: "a" };
  const claim: SpiderIp = newClaim(
    { pool: owner?.metadata.name ?? "", address },
    { ...who, containerID: "c", nic: "eth0", node: "n1" },
  );
  await rig.make(SPIDER_IPS, claim);
}

/** What Deployments were told. */
export async function events(rig: ControllerRig): Promise<readonly string[]> {
  return (await rig.events())
    .filter(({ regarding }) => regarding?.kind === "Deployment")
    .map(({ regarding, reason, note }) => `${regarding?.name} ${reason}: ${note}`);
}
