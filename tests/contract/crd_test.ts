/** What a real API server makes of the definitions in `manifests/crds`. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { CUSTOM_KINDS, SPIDER_KINDS } from "../../src/api/kinds.ts";
import { formatAddress, formatObjectName, parseIpv6 } from "../../src/ip/mod.ts";
import { program, testWith } from "../support/require.ts";
import {
  apiServer,
  applyKinds,
  kubectl,
  kubectlOk,
  stored,
  type TestObject,
  TestObjects,
} from "./kubectl.ts";
import { referenceObjects } from "./reference_objects.ts";
import { RULE_CASES } from "./rule_cases.ts";

const needs = [apiServer, program("kubectl")];
const apiVersion = "spiderpool.spidernet.io/v2beta1";

let applied: Promise<void> | undefined;

/** Registers a test that runs with the definitions applied. */
function crdTest(name: string, run: (name: string) => Promise<void>): void {
  testWith({
    name,
    needs,
    async fn() {
      await (applied ??= applyKinds());
      await run(`t-${crypto.randomUUID().slice(0, 8)}`);
    },
  });
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

crdTest("rules take and refuse the cases, each with its sentence", async (prefix) => {
  await using objects = new TestObjects();
  for (const [index, ruleCase] of RULE_CASES.entries()) {
    const { kind, name = `${prefix}-${index}`, before, spec, refusal, byPattern } = ruleCase;
    const namespace = kind === "SpiderMultusConfig" ? { namespace: "default" } : {};
    const object = { apiVersion, kind, metadata: { name, ...namespace }, spec };
    if (before !== undefined) await objects.created({ ...object, spec: before });
    const patch = ["patch", `${kind.toLowerCase()}.${apiVersion.split("/")[0]}`, name];
    const { success, stderr } = before === undefined
      ? await objects.create(object)
      : await kubectl([...patch, "--type=merge", "-p", JSON.stringify({ spec })]);
    const shown = `${JSON.stringify(ruleCase)}: ${stderr}`;
    assert.equal(success, refusal === undefined && byPattern !== true, shown);
    if (refusal !== undefined) assert.ok(stderr.includes(refusal), shown);
    if (byPattern === true) assert.match(stderr, /metadata\.name in body should match/);
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

crdTest("an endpoint whose truth is SpiderIPs refuses every write without it", async (name) => {
  await using objects = new TestObjects();
  const status = {
    current: { uid: "u", node: "n1", ips: [] },
    ownerControllerType: "StatefulSet",
    ownerControllerName: "web",
  };
  const created = await objects.created({
    apiVersion: "spiderpool.spidernet.io/v2beta1",
    kind: "SpiderEndpoint",
    metadata: { namespace: "default", name },
    status,
  });
  const write = async (changes: object) => {
    const { resourceVersion } = (await stored(created)).metadata;
    const metadata = { namespace: "default", name, resourceVersion };
    return await kubectl(["replace", "-f", "-"], {
      ...created,
      metadata,
      status: { ...status, ...changes },
    });
  };
  assert.ok((await write({ ownerControllerName: "web-a" })).success, "the reference's own write");
  assert.ok((await write({ truth: "SpiderIP" })).success);
  const refused = await write({ ownerControllerName: "web-b" });
  assert.match(refused.stderr, /status\.truth is never taken away: this writer is too old/);
  assert.ok((await write({ truth: "SpiderIP", ownerControllerName: "web-b" })).success);
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
