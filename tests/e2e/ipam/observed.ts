/** What the cluster says: pods with the addresses of their NICs, and who has which address. */
import assert from "node:assert/strict";
import { waitFor } from "../../../scripts/cluster/process.ts";
import { type Corner, poolName } from "./corner.ts";
import { type Installation, LIMIT, LIMIT_MS } from "./installation.ts";

/** A living pod. */
export interface ObservedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly node: string;
  readonly restarts: number;
  /** Addresses by NIC, as Multus reports what its plugins answered. */
  readonly nics: ReadonlyMap<string, readonly string[]>;
  /** Addresses that the kubelet reports, which are those of eth0. */
  readonly podIps: readonly string[];
}

/** A SpiderIP: the truth about one address. */
export interface ObservedAddress {
  readonly ip: string;
  readonly pool: string;
  readonly podUID: string;
  readonly nic: string;
  readonly node: string;
}

/** Waits until a Deployment or StatefulSet has all its pods. */
export async function rolledOut({ site, name }: Corner, workload: string): Promise<void> {
  await site.kubectl.run("rollout", "status", "-n", name, workload, `--timeout=${LIMIT}`);
}

/** Pods of one `app` label (of the whole corner where absent) that are not being deleted. */
export async function podsOf(corner: Corner, app?: string): Promise<readonly ObservedPod[]> {
  const selector = app === undefined ? [] : ["-l", `app=${app}`];
  const text = await corner.site.kubectl.run(
    ...["get", "pods", "-n", corner.name, "-o", "json"],
    ...selector,
  );
  const items: readonly PodOnWire[] = JSON.parse(text).items;
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined).map(observe);
}

interface PodOnWire {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly nodeName?: string };
  readonly status: {
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly containerStatuses?: readonly { readonly restartCount: number }[];
  };
}

function observe({ metadata, spec, status }: PodOnWire): ObservedPod {
  const networks: readonly { readonly interface?: string; readonly ips?: readonly string[] }[] =
    JSON.parse(metadata.annotations?.["k8s.v1.cni.cncf.io/network-status"] ?? "[]");
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    node: spec.nodeName ?? "",
    restarts: (status.containerStatuses ?? []).reduce(
      (sum, { restartCount }) => sum + restartCount,
      0,
    ),
    nics: new Map(networks.map((nic) => [nic.interface ?? "", nic.ips ?? []])),
    podIps: (status.podIPs ?? []).map(({ ip }) => ip),
  };
}

/** Every address in use in the cluster, by its text. */
export async function addressesInUse(
  { kubectl }: Installation,
): Promise<ReadonlyMap<string, ObservedAddress>> {
  const text = await kubectl.run("get", "spiderips", "-o", "json");
  const items: readonly { readonly spec: ObservedAddress }[] = JSON.parse(text).items;
  return new Map(items.map(({ spec }) => [spec.ip, spec]));
}

/** Addresses of some pods' NIC, in the order of the pods. */
export function addressesOf(pods: readonly ObservedPod[], nic: string): readonly string[] {
  return pods.flatMap((pod) => pod.nics.get(nic) ?? []);
}

/**
 * Fails unless each pod's NIC has one address of each family, no address has two pods, and each is
 * recorded as the pod's own, out of one of the pools. Gives the addresses in the order of the pods.
 *
 * @param options.from Names of pools, without the family.
 */
export async function assertAddresses(
  corner: Corner,
  pods: readonly ObservedPod[],
  { nic, from }: { readonly nic: string; readonly from: readonly string[] },
): Promise<readonly string[]> {
  const inUse = await addressesInUse(corner.site);
  for (const pod of pods) {
    const addresses = pod.nics.get(nic) ?? [];
    const versions = addresses.map(versionOf).toSorted();
    assert.deepEqual(versions, corner.site.versions, `${pod.name} has one address a family`);
    for (const ip of addresses) {
      const record = inUse.get(ip);
      assert.ok(record !== undefined, `${ip} of ${pod.name} is recorded`);
      const { podUID, nic: recordedNic, node } = record;
      assert.deepEqual(
        { podUID, nic: recordedNic, node },
        { podUID: pod.uid, nic, node: pod.node },
        `${ip} is recorded as that of ${pod.name}`,
      );
      const allowed = from.map((name) => poolName(corner, { name, version: versionOf(ip) }));
      assert.ok(allowed.includes(record.pool), `${ip} is of ${record.pool}, not ${allowed}`);
    }
  }
  const all = addressesOf(pods, nic);
  assert.equal(new Set(all).size, all.length, `no address has two pods: ${all}`);
  return all;
}

/** The family of an address. */
export function versionOf(address: string): 4 | 6 {
  return address.includes(":") ? 6 : 4;
}

/**
 * Asks again for a while: an IPv6 address is of no use until the kernel has looked for another that
 * has it, and the main plugins wait for that only where the NIC has a default route.
 */
const REACH = "reach() { tries=0; until ping -c 1 -W 1 $1 >/dev/null 2>&1; do " +
  "tries=$((tries + 1)); [ $tries -lt 30 ] || { echo $1; return; }; sleep 0.2; done; }";

/** Fails unless every pod reaches every address, its own included. */
export async function assertReachable(
  corner: Corner,
  pods: readonly ObservedPod[],
  addresses: readonly string[],
): Promise<void> {
  const line = [REACH, ...addresses.map((address) => `reach ${address}`)].join("; ");
  await Promise.all(pods.map(async ({ name }) => {
    const { code, stdout, stderr } = await shell(corner, { name, line });
    const seen = { code, lost: stdout, stderr };
    assert.deepEqual(seen, { code: 0, lost: "", stderr: "" }, `${name} reaches all`);
  }));
}

/** Runs a shell line in a pod of the corner. */
export function shell(
  corner: Corner,
  { name, line }: { readonly name: string; readonly line: string },
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  return corner.site.kubectl.shell(name, line, { namespace: corner.name });
}

/** Waits until `kubectl describe pod` tells why a pod does not start, in the kubelet's event. */
export async function assertDescribed(
  corner: Corner,
  { name, says }: { readonly name: string; readonly says: RegExp },
): Promise<void> {
  let events: readonly string[] = [];
  try {
    await eventually(`${says} in the description of ${name}`, async () => {
      const text = await corner.site.kubectl.run("describe", "pod", "-n", corner.name, name);
      events = text.split("\n").filter((line) => line.includes("FailedCreatePodSandBox"));
      return events.some((line) => says.test(line));
    });
  } catch (cause) {
    const told = events.at(-1) ?? "there is no such event";
    throw new Error(`The description of ${name} does not say ${says}: ${told}`, { cause });
  }
}

/** Waits until something is so. */
export async function eventually(
  what: string,
  ask: () => Promise<boolean>,
): Promise<void> {
  await waitFor(async () => await ask() ? true : undefined, {
    what,
    timeoutMs: LIMIT_MS,
    everyMs: 500,
  });
}
