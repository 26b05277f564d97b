/** Good objects: what admission makes of them, as `kubectl get -o yaml` shows it. */
import assert from "node:assert/strict";
import { parse } from "yaml";
import type { Kubectl } from "../kubectl.ts";
import { networkOf } from "../ipam/corner.ts";
import type { Ground } from "./ground.ts";

/** An object as it is written, and what of it is there afterwards. */
interface Accepted {
  readonly kind: string;
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string };
  readonly body: Readonly<Record<string, unknown>>;
  /** Fields of `metadata`; `undefined` for one that is not there. */
  readonly becomes: Readonly<Record<string, unknown>>;
  /** The whole `spec`, or `status` of a SpiderEndpoint. */
  readonly bodyBecomes: Readonly<Record<string, unknown>>;
  /** What kubectl warns of; absent: nothing. */
  readonly warns?: RegExp;
}

const FINALIZER = "spiderpool.spidernet.io";

function spaces({ version, subnet, at, range, router, called }: Ground): readonly Accepted[] {
  const labelled = version === 4 ? "10-6-0-0-16" : "fd00-6---64";
  const own = networkOf(version, 10);
  return [{
    kind: "SpiderIPPool",
    metadata: { name: called("good"), labels: { a: "b" } },
    body: {
      subnet,
      ips: [range(66, 69), at(65), range(61, 63)],
      excludeIPs: [at(62), at(61)],
      gateway: router,
    },
    becomes: {
      labels: { a: "b", "ipam.spidernet.io/ippool-cidr": labelled },
      finalizers: [FINALIZER],
    },
    bodyBecomes: {
      subnet,
      ips: [range(61, 63), range(65, 69)],
      excludeIPs: [range(61, 62)],
      gateway: router,
      ipVersion: version,
      default: false,
      disable: false,
    },
  }, {
    kind: "SpiderSubnet",
    metadata: { name: called("good") },
    body: { subnet: own, ips: version === 4 ? ["10.10.0.3", "10.10.0.2"] : ["fd00:10::3"] },
    becomes: {
      labels: {
        "ipam.spidernet.io/subnet-cidr": version === 4 ? "10-10-0-0-16" : "fd00-10---64",
      },
      finalizers: [FINALIZER],
    },
    bodyBecomes: {
      subnet: own,
      ips: version === 4 ? ["10.10.0.2-10.10.0.3"] : ["fd00:10::3"],
      ipVersion: version,
    },
  }, {
    kind: "SpiderReservedIP",
    metadata: { name: called("good") },
    body: { ips: [at(72), range(70, 71)] },
    becomes: { finalizers: undefined },
    bodyBecomes: { ips: [range(70, 72)], ipVersion: version },
  }, {
    kind: "SpiderReservedIP",
    metadata: { name: called("used") },
    body: { ips: [at(100)] },
    becomes: { finalizers: undefined },
    bodyBecomes: { ips: [at(100)], ipVersion: version },
    warns: new RegExp(
      `Warning: in use are "${at(100).replaceAll(".", "\\.")}" of pod "[^"]*holder" ` +
        '\\(NIC "net1"\\): pods keep what they have until they end',
    ),
  }, {
    kind: "SpiderCoordinator",
    metadata: { name: called("second"), finalizers: [FINALIZER] },
    body: { podCIDRType: "none", hijackCIDR: [at(1), own] },
    becomes: { finalizers: undefined },
    bodyBecomes: {
      ...{ mode: "auto", podCIDRType: "none", tunePodRoutes: true, hostRuleTable: 500 },
      ...{ podRPFilter: 0, txQueueLen: 0, vethLinkAddress: "", vethMTU: 1500 },
      hijackCIDR: [`${at(1)}/${version === 4 ? 32 : 128}`, own],
    },
    warns: /SpiderCoordinator "second-v[46]" is not looked at: only "default" is kept up to date/,
  }];
}

const NETWORK: Accepted = {
  kind: "SpiderMultusConfig",
  metadata: {
    name: "good",
    namespace: "default",
    annotations: { "cni.spidernet.io/network-resource-inject": "rail" },
  },
  body: { cniType: "macvlan", customCNI: "", macvlan: { master: ["eth1"], vlanID: 100 } },
  becomes: { labels: { "cni.spidernet.io/network-resource-inject": "rail" } },
  bodyBecomes: {
    cniType: "macvlan",
    ...{ chainCNIJsonData: [], disableIPAM: false, enableCoordinator: true },
    macvlan: { master: ["eth1"], vlanID: 100, mtu: 0, rdmaResourceName: "" },
  },
};

const CURRENT = { uid: "u", node: "n", ips: [{ interface: "eth0", vlan: 0 }] };
const ENDPOINT: Accepted = {
  kind: "SpiderEndpoint",
  metadata: { name: "good", namespace: "default", finalizers: [FINALIZER] },
  body: { current: CURRENT, ownerControllerType: "Pod", ownerControllerName: "good" },
  becomes: { finalizers: undefined },
  bodyBecomes: { current: CURRENT, ownerControllerType: "Pod", ownerControllerName: "good" },
};

/** Applies good objects of all kinds, and looks what was made of them. */
export async function assertAccepted(kubectl: Kubectl, grounds: readonly Ground[]): Promise<void> {
  const all = [...grounds.flatMap(spaces), NETWORK, ENDPOINT];
  const objects = all.map(({ kind, metadata, body }) => ({
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind,
    metadata,
    [kind === "SpiderEndpoint" ? "status" : "spec"]: body,
  }));
  const applied = await kubectl.attempt(["apply"], objects);
  assert.equal(applied.code, 0, applied.stderr);
  for (const { warns } of all) if (warns !== undefined) assert.match(applied.stderr, warns);
  for (const { kind, metadata, becomes, bodyBecomes } of all) {
    const place = ["-n", String(metadata["namespace"] ?? "default")];
    const text = await kubectl.run("get", kind, metadata.name, ...place, "-o", "yaml");
    const found = parse(text);
    for (const [field, value] of Object.entries(becomes)) {
      assert.deepEqual(found.metadata[field], value, `${field} of ${kind} ${metadata.name}`);
    }
    const body = kind === "SpiderEndpoint" ? found.status : found.spec;
    assert.deepEqual(body, bodyBecomes, `${kind} ${metadata.name}`);
  }
  // A finalizer that is written again is stored: nobody is asked where spec and status stay.
  const plain = objects.filter(({ metadata }) => metadata["finalizers"] === undefined);
  const again = await kubectl.attempt(["diff"], plain);
  assert.equal(again.code, 0, `applied again they change nothing: ${again.stdout}`);
  await kubectl.attempt(["delete", "--wait=false"], objects);
}
