/** What a real API server makes of the definitions in `manifests/crds`. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { CUSTOM_KINDS, SPIDER_KINDS } from "../../src/api/kinds.ts";
import { formatAddress, formatObjectName, parseIpv6 } from "../../src/ip/mod.ts";
import { program, testWith } from "../support/require.ts";
import { apiServer, kubectl, kubectlOk, stored, type TestObject, TestObjects } from "./kubectl.ts";
import { referenceObjects } from "./reference_objects.ts";

const needs = [apiServer, program("kubectl")];
const apiVersion = "spiderpool.spidernet.io/v2beta1";
const folder = fileURLToPath(new URL("../../manifests/crds", import.meta.url));

let applied: Promise<void> | undefined;

/** Registers a test that runs with the definitions applied. */
function crdTest(name: string, run: (name: string) => Promise<void>): void {
  testWith({
    name,
    needs,
    async fn() {
      await (applied ??= apply());
      await run(`t-${crypto.randomUUID().slice(0, 8)}`);
    },
  });
}

async function apply(): Promise<void> {
  await kubectlOk(["apply", "--server-side", "--force-conflicts", "-f", folder]);
  const names = CUSTOM_KINDS.map((kind) => `crd/${kind.plural}.${kind.group}`);
  await kubectlOk(["wait", "--for=condition=Established", "--timeout=60s", ...names]);
}

function pool(name: string, spec: object): TestObject {
  return { apiVersion, kind: "SpiderIPPool", metadata: { name }, spec };
}

function spiderIp(name: string, spec: object): TestObject {
  return { apiVersion, kind: "SpiderIP", metadata: { name }, spec };
}

const HELD = { pool: "p", hold: "shrink" };

crdTest("definitions are taken, and their schemas are structural", async () => {
  for (const { plural, group } of CUSTOM_KINDS) {
    const crd = JSON.parse(await kubectlOk(["get", "crd", `${plural}.${group}`, "-o", "json"]));
    const conditions: { type: string; status: string }[] = crd.status.conditions;
    const holding = conditions.filter(({ status }) => status === "True").map(({ type }) => type);
    assert.deepEqual(holding.sort(), ["Established", "NamesAccepted"], plural);
  }
});

crdTest("every field of the reference's kinds is taken and kept", async (name) => {
  await using objects = new TestObjects();
  for (const object of referenceObjects({ name, namespace: "default" })) {
    const { status } = object;
    const kind = CUSTOM_KINDS.find((kind) => kind.kind === object.kind);
    assert.ok(kind !== undefined);
    await objects.created(object);
    if (kind.hasStatus) {
      const { resourceVersion } = (await stored(object)).metadata;
      const withVersion = { ...object, metadata: { ...object.metadata, resourceVersion } };
      await kubectlOk(["replace", "--subresource=status", "-f", "-"], withVersion);
    }
    const read = await stored(object);
    assert.deepEqual(read.spec, object.spec);
    assert.deepEqual(read.status, status);

    const parsed = kind.parse(read);
    assert.ok(parsed.ok, parsed.ok ? "" : parsed.error);
    const { managedFields: _managedFields, ...metadata } = read.metadata;
    assert.deepEqual(parsed.value, { ...read, metadata });
  }
});

crdTest("the server's defaults are those of parse()", async (name) => {
  await using objects = new TestObjects();
  const specs: readonly [string, object | undefined][] = [
    ["SpiderIPPool", { subnet: "10.6.0.0/16" }],
    ["SpiderSubnet", { subnet: "10.6.0.0/16" }],
    ["SpiderReservedIP", {}],
    ["SpiderCoordinator", undefined],
    ["SpiderMultusConfig", undefined],
    ["SpiderMultusConfig", {
      macvlan: { master: [], ippools: {} },
      vlan: { master: [] },
      sriov: { ippools: {} },
      ibsriov: {},
      ovs: { bridge: "b" },
      ipoib: {},
      coordinator: {},
    }],
  ];
  for (const [index, [kindName, spec]] of specs.entries()) {
    const kind = SPIDER_KINDS.find(({ kind }) => kind === kindName);
    assert.ok(kind !== undefined);
    const namespace = kind.namespaced ? { namespace: "default" } : {};
    const metadata = { name: `${name}-${index}`, ...namespace };
    const object = {
      apiVersion,
      kind: kindName,
      metadata,
      ...(spec === undefined ? {} : { spec }),
    };
    const created = await objects.created(object);
    const parsed = kind.parse(object);
    assert.ok(parsed.ok);
    assert.deepEqual(created.spec, JSON.parse(JSON.stringify(parsed.value)).spec, kindName);
  }
});

crdTest("kubectl get prints the reference's columns, and ours for sip", async (name) => {
  await using objects = new TestObjects();
  for (const object of referenceObjects({ name, namespace: "default" })) {
    await objects.created(object);
  }
  await objects.created(spiderIp("10.200.0.1", { ip: "10.200.0.1", ...HELD }));
  const headers: readonly [string, string][] = [
    ["sp", "NAME VERSION SUBNET ALLOCATED-IP-COUNT TOTAL-IP-COUNT DEFAULT"],
    ["ss", "NAME VERSION SUBNET ALLOCATED-IP-COUNT TOTAL-IP-COUNT"],
    ["se", "NAME INTERFACE IPV4POOL IPV4 IPV6POOL IPV6 NODE"],
    ["sr", "NAME VERSION"],
    ["smc", "NAME AGE"],
    ["scc", "NAME AGE"],
    ["sip", "NAME ADDRESS POOL NAMESPACE POD NIC NODE AGE"],
  ];
  for (const [shortName, header] of headers) {
    const printed = await kubectlOk(["get", shortName]);
    assert.equal(printed.split("\n")[0]?.trim().replaceAll(/\s+/g, " "), header);
  }
  for (const { plural, columns } of SPIDER_KINDS) {
    const printed = await kubectlOk(["get", plural, "-o", "wide"]);
    const names = columns.length === 0 ? ["Age"] : columns.map((column) => column.name);
    const header = ["NAME", ...names].join(" ").toUpperCase();
    assert.equal(printed.split("\n")[0]?.trim().replaceAll(/\s+/g, " "), header);
  }
  const wide = (await kubectlOk(["get", "sp", name, "-o", "wide"])).split("\n");
  assert.match(wide[1] ?? "", /4\s+10\.6\.0\.0\/16\s+.*true\s+true\s+\["node1"\]/);
  const rows = await kubectlOk(["get", "se", name]);
  assert.match(rows, /eth0\s+p4\s+10\.6\.0\.10\/16\s+p6\s+fd00:6::10\/64\s+node1/);
  const category = await kubectlOk(["get", "spiderpool", "-o", "name"]);
  for (const kind of SPIDER_KINDS) {
    assert.match(category, new RegExp(`^${kind.singular}\\.${kind.group}/`, "m"));
  }
});

crdTest("the subnet and family of a pool never change", async (name) => {
  await using objects = new TestObjects();
  await objects.created(pool(name, { subnet: "10.6.0.0/16", ipVersion: 4 }));
  await objects.created(pool(`${name}-2`, { subnet: "10.6.0.0/16" }));
  const patch = (of: string, spec: object) =>
    kubectl(["patch", "sp", of, "--type=merge", "-p", JSON.stringify({ spec })]);
  const subnet = await patch(name, { subnet: "10.7.0.0/16" });
  assert.match(subnet.stderr, /spec\.subnet: .* subnet never changes: create another object/);
  const family = await patch(name, { ipVersion: 6 });
  assert.match(family.stderr, /spec\.ipVersion: .* ipVersion never changes: create another object/);
  assert.ok((await patch(`${name}-2`, { ipVersion: 4 })).success, "an absent family is filled in");
  assert.ok((await patch(name, { ips: ["10.6.0.1"], gateway: "10.6.0.9" })).success);
});

crdTest("addresses of another family than the subnet's are refused", async (name) => {
  await using objects = new TestObjects();
  const v4 = "10.6.0.0/16";
  const v6 = "fd00:6::/64";
  const cases: readonly [object, RegExp | undefined][] = [
    [{ subnet: v4, ipVersion: 6 }, /spec\.ipVersion: .*not the family of subnet/],
    [{ subnet: v6, ipVersion: 4 }, /spec\.ipVersion: .*not the family of subnet/],
    [{ subnet: v4, ips: ["fd00:6::1"] }, /spec\.ips: .*an entry that is not of the family/],
    [{ subnet: v4, ips: ["10.6.0.1", "fd00:6::1"] }, /spec\.ips: /],
    [{ subnet: v6, ips: ["10.6.0.1"] }, /spec\.ips: /],
    [{ subnet: v6, ips: ["fd00:6::1", "10.6.0.1"] }, /spec\.ips: /],
    [{ subnet: v6, excludeIPs: ["10.6.0.1"] }, /spec\.excludeIPs: /],
    [{ subnet: v4, gateway: "fd00:6::1" }, /spec\.gateway: .*not of the family of subnet/],
    [{ subnet: v4, routes: [{ dst: "::/1", gw: "10.6.0.1" }] }, /spec\.routes: /],
    [{ subnet: v4, routes: [{ dst: "10.7.0.0/16", gw: "fd00:6::1" }] }, /spec\.routes: /],
    [{ subnet: v4, ips: [], routes: [], excludeIPs: [], gateway: "" }, undefined],
    [{ subnet: v6, ips: ["fd00:6::1-fd00:6::2", "fd00:6::4"], gateway: "fd00:6::1" }, undefined],
    [{ subnet: "64:ff9b::/64", ips: ["64:ff9b::10.0.0.1"] }, undefined],
  ];
  for (const [index, [spec, refusal]] of cases.entries()) {
    const { success, stderr } = await objects.create(pool(`${name}-${index}`, spec));
    assert.equal(success, refusal === undefined, JSON.stringify(spec) + stderr);
    if (refusal !== undefined) assert.match(stderr, refusal);
  }
});

crdTest("a pool of 65,536 ranges is taken, and so is each write of its status", async (name) => {
  await using objects = new TestObjects();
  const ips = Array.from({ length: 65_536 }, (_, index) => {
    return `10.${index >> 12 & 255}.${index >> 4 & 255}.${(index & 15) * 2}`;
  });
  await objects.created(pool(name, { subnet: "10.0.0.0/8", ips }));
  for (const allocatedIPCount of [1, 2, 3]) {
    const patch = JSON.stringify({ status: { allocatedIPCount } });
    await kubectlOk(["patch", "sp", name, "--subresource=status", "--type=merge", "-p", patch]);
  }
});

crdTest("a pool whose truth is its SpiderIPs refuses every status without it", async (name) => {
  await using objects = new TestObjects();
  const created = await objects.created(pool(name, { subnet: "10.6.0.0/16" }));
  const writeStatus = async (status: object | undefined) => {
    const { resourceVersion } = (await stored(created)).metadata;
    const metadata = { name, resourceVersion };
    const object = { ...created, metadata, ...(status === undefined ? {} : { status }) };
    return await kubectl(["replace", "--subresource=status", "-f", "-"], object);
  };
  assert.ok((await writeStatus({ allocatedIPCount: 1 })).success, "the reference's own write");
  assert.match((await writeStatus({ truth: "Status" })).stderr, /supported values: "SpiderIP"/);
  assert.ok((await writeStatus({ allocatedIPCount: 1, truth: "SpiderIP" })).success);

  const refused = await writeStatus({ allocatedIPCount: 2 });
  assert.match(refused.stderr, /status\.truth is never taken away: this writer is too old/);
  assert.equal((await writeStatus(undefined)).success, false);
  assert.ok((await writeStatus({ allocatedIPCount: 3, truth: "SpiderIP" })).success);
  const patch = ["patch", "sp", name, "--type=merge", "-p", '{"spec":{"disable":true}}'];
  assert.ok((await kubectl(patch)).success, "a write of the spec is none of the fence's business");
});

crdTest("a SpiderIP is named as its address, in one way only", async () => {
  await using objects = new TestObjects();
  const cases: readonly [string, string, RegExp | undefined][] = [
    ["10.201.0.1", "10.201.0.1", undefined],
    ["10.201.0.2", "10.201.0.3", /the name is not that of spec\.ip/],
    ["10.201.0.04", "10.201.0.04", /metadata\.name in body should match/],
    ["10.201.0.256", "10.201.0.256", /metadata\.name in body should match/],
    ["10-201-0-1", "10.201.0.1", /metadata\.name in body should match/],
    ["web", "10.201.0.5", /metadata\.name in body should match/],
    [ipv6Name("fd00", "1"), "fd00::1", undefined],
    [ipv6Name("fd00", "2"), "FD00::2", /the name is not that of spec\.ip/],
    [ipv6Name("fd00", "2"), "fd00:0:0:0:0:0:0:2", /the name is not that of spec\.ip/],
    [ipv6Name("fd00", "2"), "fd00::0002", /the name is not that of spec\.ip/],
    [ipv6Name("fd00", "2"), "fd00::3", /the name is not that of spec\.ip/],
    ["0000-0000-0000-0000-0000-ffff-0ac9-0001", "::ffff:ac9:1", /write the IPv4 address/],
  ];
  for (const [name, ip, refusal] of cases) {
    const { success, stderr } = await objects.create(spiderIp(name, { ip, ...HELD }));
    assert.equal(success, refusal === undefined, `${name} ${ip} ${stderr}`);
    if (refusal !== undefined) assert.match(stderr, refusal);
  }
});

crdTest("property: a SpiderIP named by src/ip is taken, whatever its IPv6 address", async () => {
  const group = fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 1, max: 0xffff }));
  const addresses = fc.array(group, { minLength: 8, maxLength: 8 });
  const seed = crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
  const items = new Map<string, TestObject>();
  for (const groups of fc.sample(addresses, { seed, numRuns: 300 })) {
    const parsed = parseIpv6(groups.map((group) => group.toString(16)).join(":"));
    if (!parsed.ok) continue; // IPv4-mapped: neither takes it.
    const name = formatObjectName(parsed.value);
    items.set(name, spiderIp(name, { ip: formatAddress(parsed.value), ...HELD }));
  }
  assert.ok(items.size > 200, `seed ${seed}`);
  const list = { apiVersion: "v1", kind: "List", items: [...items.values()] };
  const { success, stderr } = await kubectl(["create", "--dry-run=server", "-f", "-"], list);
  assert.ok(success, `with seed ${seed}: ${stderr}`);
});

crdTest("a SpiderIP changes hands, but never its address or pool", async () => {
  await using objects = new TestObjects();
  const name = "10.202.0.1";
  const pod = { podNamespace: "d", podName: "web-0", podUID: "u1", nic: "eth0", node: "n1" };
  const none = await objects.create(spiderIp(name, { ip: name, pool: "p" }));
  assert.match(none.stderr, /belongs to a pod \(podNamespace, podName, podUID\) or is held back/);
  await objects.created(spiderIp(name, { ip: name, pool: "p", ...pod }));
  const patch = (spec: object) =>
    kubectl(["patch", "sip", name, "--type=merge", "-p", JSON.stringify({ spec })]);
  assert.match((await patch({ pool: "q" })).stderr, /pool never changes: delete the object/);
  assert.match((await patch({ ip: "10.202.0.2" })).stderr, /ip never changes: delete the object/);
  assert.ok((await patch({ podUID: "u2", node: "n2", containerID: "c" })).success);
});

crdTest("a SpiderMultusConfig without the configuration of its type is refused", async (name) => {
  await using objects = new TestObjects();
  const metadata = { name, namespace: "default" };
  const config = (spec: object) => ({ apiVersion, kind: "SpiderMultusConfig", metadata, spec });
  const refused = await objects.create(config({ cniType: "ib-sriov" }));
  assert.match(refused.stderr, /cniType "ib-sriov" needs its configuration: write ibsriov/);
  await objects.created(config({ cniType: "ib-sriov", ibsriov: {} }));
});

crdTest("fields that nobody knows are pruned, and a typing error is named", async (name) => {
  await using objects = new TestObjects();
  const misspelt = pool(name, { subnet: "10.6.0.0/16", gatway: "10.6.0.1" });
  assert.match((await objects.create(misspelt)).stderr, /unknown field "spec\.gatway"/);
  await kubectlOk(["create", "--validate=false", "-f", "-"], misspelt);
  const read = await stored(misspelt);
  await kubectlOk(["delete", "sp", name]);
  assert.deepEqual(read.spec, { subnet: "10.6.0.0/16", default: false, disable: false });
});

crdTest("a write without managedFields leaves the server's alone", async (name) => {
  await using objects = new TestObjects();
  const created = await objects.created(pool(name, { subnet: "10.6.0.0/16" }));
  const { managedFields: _managedFields, ...metadata } = created.metadata;
  const changed = { ...created, metadata: { ...metadata, labels: { a: "b" } } };
  await kubectlOk(["replace", "-f", "-"], changed);
  const read = JSON.parse(
    await kubectlOk(["get", "sp", name, "-o", "json", "--show-managed-fields"]),
  );
  assert.ok(read.metadata.managedFields.length >= 2, "the creator's entry and the replacement's");
});

/** A name of eight groups: the first, zeros, the last. */
function ipv6Name(first: string, last: string): string {
  return [first, ...Array<string>(6).fill("0000"), last.padStart(4, "0")].join("-");
}
