import assert from "node:assert/strict";
import { SPIDER_MULTUS_CONFIGS, type SpiderMultusConfig } from "../../api/multus_config.ts";
import {
  NETWORK_ATTACHMENT_DEFINITIONS,
  type NetworkAttachmentDefinition,
} from "../../api/network_attachment.ts";
import type { ObjectStore, StoreError } from "../../base/object_store.ts";
import { err } from "../../base/result.ts";
import { change, remove } from "../../../tests/support/discovery_world.ts";
import { ControllerRig } from "../../../tests/support/controller_rig.ts";
import { forwardingStore } from "../../../tests/support/forwarding_store.ts";

const NETWORKS = { isOn: true, resyncMs: 60_000 };
const KEY = { namespace: "default", name: "net" };
const MACVLAN = { cniType: "macvlan", macvlan: { master: ["ens1"] } };

/** A server that counts what is written of definitions. */
class Server {
  writes = 0;
  /** What answers lists and writes of definitions instead. */
  refusal: StoreError | undefined;

  readonly wrap = (store: ObjectStore): ObjectStore => ({
    ...forwardingStore(store),
    list: (resource, options) => {
      return this.#refused(resource) ? this.#refuse() : store.list(resource, options);
    },
    create: (resource, ...rest) => {
      return this.#refused(resource, 1) ? this.#refuse() : store.create(resource, ...rest);
    },
    replace: (resource, ...rest) => {
      return this.#refused(resource, 1) ? this.#refuse() : store.replace(resource, ...rest);
    },
  });

  #refused({ plural }: { readonly plural: string }, writes = 0): boolean {
    const isOne = plural === "network-attachment-definitions";
    if (isOne) this.writes += writes;
    return isOne && this.refusal !== undefined;
  }

  #refuse(): Promise<{ readonly ok: false; readonly error: StoreError }> {
    assert.ok(this.refusal !== undefined);
    return Promise.resolve(err(this.refusal));
  }
}

async function started(server: Server, networks: Partial<typeof NETWORKS> = {}) {
  const settings = { networks: { ...NETWORKS, ...networks } };
  return await ControllerRig.start({ settings, wrap: server.wrap });
}

/** Makes a network; a second passes. */
async function network(
  rig: ControllerRig,
  { spec = MACVLAN, ...metadata }: {
    readonly spec?: unknown;
    readonly name?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  } = {},
): Promise<SpiderMultusConfig> {
  const made = await rig.make(SPIDER_MULTUS_CONFIGS, { metadata: { ...KEY, ...metadata }, spec });
  await rig.clock.advance(1_000);
  return made;
}

async function read(rig: ControllerRig, name = "net"): Promise<NetworkAttachmentDefinition> {
  return await rig.read(NETWORK_ATTACHMENT_DEFINITIONS, { ...KEY, name });
}

async function isThere(rig: ControllerRig, name = "net"): Promise<boolean> {
  const { store, signal } = rig;
  return (await store.get(NETWORK_ATTACHMENT_DEFINITIONS, { ...KEY, name }, { signal })).ok;
}

function masterOf({ spec }: NetworkAttachmentDefinition): unknown {
  return JSON.parse(spec?.config ?? "").plugins[0].master;
}

/** Edits the definition as a person does; a second passes. */
async function edit(
  rig: ControllerRig,
  edit: (attachment: NetworkAttachmentDefinition) => NetworkAttachmentDefinition,
): Promise<void> {
  await change(rig, { resource: NETWORK_ATTACHMENT_DEFINITIONS, key: KEY, edit });
}

/** Changes the network as a person does; a second passes. */
async function editNetwork(
  rig: ControllerRig,
  edit: (network: SpiderMultusConfig) => SpiderMultusConfig,
): Promise<void> {
  await change(rig, { resource: SPIDER_MULTUS_CONFIGS, key: KEY, edit });
}

function annotated<T extends NetworkAttachmentDefinition | SpiderMultusConfig>(
  object: T,
  annotations: Readonly<Record<string, string>> | undefined,
): T {
  return { ...object, metadata: { ...object.metadata, annotations } };
}

/** Reasons and sentences of the Events about networks. */
async function told(rig: ControllerRig): Promise<readonly string[]> {
  const events = await rig.events();
  return events.filter(({ regarding }) => regarding?.kind === "SpiderMultusConfig")
    .map(({ type, reason, note }) => `${type} ${reason}: ${note}`);
}

Deno.test("a network gets a definition that belongs to it", async () => {
  const server = new Server();
  await using rig = await started(server);
  const { metadata: { uid } } = await network(rig, { annotations: { team: "storage" } });
  const { metadata, spec } = await read(rig);
  assert.equal(masterOf({ ...await read(rig), spec }), "ens1");
  assert.deepEqual(metadata.annotations, { team: "storage" });
  const owner = { kind: "SpiderMultusConfig", name: "net", uid, controller: true };
  const apiVersion = "spiderpool.spidernet.io/v2beta1";
  assert.deepEqual(metadata.ownerReferences, [{ apiVersion, ...owner }]);
  assert.deepEqual(await told(rig), [
    'Normal Created: NetworkAttachmentDefinition "net" was made',
  ]);
  await rig.clock.advance(600_000);
  assert.equal(server.writes, 1);
});

Deno.test("a definition follows its network", async () => {
  await using rig = await started(new Server());
  await network(rig, { annotations: { "multus.spidernet.io/cni-version": "1.0.0", team: "a" } });
  await editNetwork(rig, (stored) => {
    const spec = { ...stored.spec, macvlan: { master: ["ens2"], mtu: 0 } };
    return { ...annotated(stored, { team: "b" }), spec };
  });
  const { metadata, spec } = await read(rig);
  assert.equal(masterOf(await read(rig)), "ens2");
  assert.match(spec?.config ?? "", /"cniVersion":"0\.3\.1"/);
  assert.deepEqual(metadata.annotations, { team: "b" });
});

Deno.test("a definition that is edited or deleted is put right at once", async () => {
  const server = new Server();
  await using rig = await started(server, { resyncMs: 0 });
  await network(rig);
  const before = await read(rig);
  await edit(rig, (stored) => ({ ...stored, spec: { config: '{"type":"bridge"}' } }));
  assert.deepEqual((await read(rig)).spec, before.spec);
  await edit(rig, (stored) => ({ ...stored, spec: { config: "{" } }));
  assert.deepEqual((await read(rig)).spec, before.spec);
  await edit(rig, (stored) => annotated(stored, { "k8s.v1.cni.cncf.io/resourceName": "a.b/c" }));
  assert.equal((await read(rig)).metadata.annotations, undefined);
  await remove(rig, NETWORK_ATTACHMENT_DEFINITIONS, KEY);
  assert.deepEqual((await read(rig)).spec, before.spec);
  assert.equal(server.writes, 5);
});

Deno.test("the order of keys, and what others add, is no reason to write", async () => {
  const server = new Server();
  await using rig = await started(server);
  await network(rig);
  const { spec } = await read(rig);
  const { cniVersion, name, plugins } = JSON.parse(spec?.config ?? "");
  const config = JSON.stringify({ plugins, name, cniVersion }, undefined, 2);
  const metadata = { labels: { tier: "one" }, finalizers: ["a.person/holds"] };
  await edit(rig, (stored) => ({
    ...annotated(stored, { note: "mine" }),
    metadata: { ...annotated(stored, { note: "mine" }).metadata, ...metadata },
    spec: { config },
  }));
  await rig.clock.advance(120_000);
  assert.equal(server.writes, 1);
  assert.equal((await read(rig)).spec?.config, config);
  await editNetwork(rig, (stored) => annotated(stored, { team: "a" }));
  assert.deepEqual((await read(rig)).metadata.annotations, { note: "mine", team: "a" });
  assert.deepEqual((await read(rig)).metadata.labels, { tier: "one" });
});

Deno.test("a definition that somebody else made stays as it is until it is deleted", async () => {
  const owners = [{ apiVersion: "a.b/v1", kind: "Fabric", name: "f", uid: "u", controller: true }];
  for (const ownerReferences of [undefined, owners]) {
    await using rig = await started(new Server());
    const spec = { config: '{"type":"bridge"}' };
    await rig.make(NETWORK_ATTACHMENT_DEFINITIONS, {
      metadata: { ...KEY, ownerReferences },
      spec,
    });
    await network(rig);
    await rig.clock.advance(120_000);
    assert.deepEqual((await read(rig)).spec, spec);
    const who = ownerReferences === undefined
      ? "somebody else made it"
      : 'it belongs to Fabric "f"';
    assert.deepEqual((await told(rig)).slice(0, 1), [
      `Warning NameTaken: NetworkAttachmentDefinition "net" stays as it is: ${who}; delete it, ` +
      "and it is made anew, or delete this SpiderMultusConfig",
    ]);
    await remove(rig, NETWORK_ATTACHMENT_DEFINITIONS, KEY);
    assert.equal(masterOf(await read(rig)), "ens1");
  }
});

Deno.test("a network that is made again under its name keeps its definition", async () => {
  await using rig = await started(new Server());
  await network(rig);
  await remove(rig, SPIDER_MULTUS_CONFIGS, KEY);
  assert.equal(await isThere(rig), true, "the garbage collector's work");
  const { metadata: { uid } } = await network(rig);
  assert.deepEqual((await read(rig)).metadata.ownerReferences?.map((owner) => owner.uid), [uid]);
});

Deno.test("a network that takes another name leaves no definition behind", async () => {
  await using rig = await started(new Server());
  await network(rig, { annotations: { "multus.spidernet.io/cr-name": "first" } });
  assert.deepEqual([await isThere(rig, "first"), await isThere(rig)], [true, false]);
  await editNetwork(rig, (stored) => annotated(stored, undefined));
  assert.deepEqual([await isThere(rig, "first"), await isThere(rig)], [false, true]);
  assert.ok((await told(rig)).includes(
    'Normal Removed: NetworkAttachmentDefinition "first" was deleted: it is "net" now',
  ));
});

Deno.test("a network whose new name is taken keeps its old definition", async () => {
  await using rig = await started(new Server());
  await rig.make(NETWORK_ATTACHMENT_DEFINITIONS, { metadata: KEY });
  await network(rig, { annotations: { "multus.spidernet.io/cr-name": "first" } });
  await editNetwork(rig, (stored) => annotated(stored, undefined));
  assert.equal(await isThere(rig, "first"), true);
});

Deno.test("of two networks with one name the other gets it when the first goes", async () => {
  await using rig = await started(new Server());
  await network(rig, { annotations: { "multus.spidernet.io/cr-name": "shared" } });
  const spec = { cniType: "macvlan", macvlan: { master: ["ens2"] } };
  const annotations = { "multus.spidernet.io/cr-name": "shared" };
  await network(rig, { name: "second", spec, annotations });
  assert.equal(masterOf(await read(rig, "shared")), "ens1");
  assert.ok((await told(rig)).some((text) => text.includes('SpiderMultusConfig "net"; delete')));
  await remove(rig, SPIDER_MULTUS_CONFIGS, KEY);
  await remove(rig, NETWORK_ATTACHMENT_DEFINITIONS, { ...KEY, name: "shared" });
  assert.equal(masterOf(await read(rig, "shared")), "ens2");
});

Deno.test("a network that cannot be rendered is told why, and what there was stays", async () => {
  await using rig = await started(new Server());
  await network(rig);
  await editNetwork(rig, (stored) => {
    return { ...stored, spec: { ...stored.spec, chainCNIJsonData: ["{"] } };
  });
  assert.equal(masterOf(await read(rig)), "ens1");
  assert.ok((await told(rig)).includes(
    'Warning NotRendered: Cannot use spec.chainCNIJsonData[0] "{": it is not JSON; write the ' +
      "configuration of one plugin. Until then its NetworkAttachmentDefinition stays as it is",
  ));
  await editNetwork(rig, (stored) => {
    return { ...stored, spec: { ...stored.spec, macvlan: { master: ["ens3"], mtu: 0 } } };
  });
  await editNetwork(rig, (stored) => {
    return { ...stored, spec: { ...stored.spec, chainCNIJsonData: [] } };
  });
  assert.equal(masterOf(await read(rig)), "ens3");
});

Deno.test("a server without Multus' kind is told of, and used as soon as it has it", async () => {
  const server = new Server();
  const message = "Cannot list network-attachment-definitions: the server does not serve it";
  server.refusal = { code: "unavailable", message, outcomeUnknown: false, isUnserved: true };
  await using rig = await started(server);
  await network(rig);
  await rig.clock.advance(60_000);
  assert.ok((await told(rig)).includes(
    `Warning NotWritten: ${message}: it becomes a NetworkAttachmentDefinition as soon as these ` +
      "can be listed; install Multus if it is missing",
  ));
  server.refusal = undefined;
  await rig.clock.advance(60_000);
  assert.equal(masterOf(await read(rig)), "ens1");
});

Deno.test("a refused write is told, and tried again", async () => {
  const server = new Server();
  await using rig = await started(server, { resyncMs: 0 });
  const message = "Cannot create: forbidden";
  server.refusal = { code: "forbidden", message, namespaceTerminating: false };
  await network(rig);
  await rig.clock.advance(10_000);
  const asked = server.writes;
  assert.ok(asked > 3 && asked < 15, `${asked} times`);
  assert.ok((await told(rig)).includes(`Warning NotWritten: ${message}`));
  server.refusal = undefined;
  await rig.clock.advance(60_000);
  assert.equal(masterOf(await read(rig)), "ens1");
});

Deno.test("who always changes a definition back meets no flood of writes", async () => {
  const server = new Server();
  await using rig = await started(server);
  await network(rig);
  const { signal } = rig;
  for (let step = 0; step < 100; step++) {
    const stored = await read(rig);
    const theirs = { ...stored, spec: { config: "{}" } };
    await rig.store.replace(NETWORK_ATTACHMENT_DEFINITIONS, theirs, { signal });
    await rig.clock.advance(100);
  }
  assert.ok(server.writes > 5 && server.writes < 14, `${server.writes} writes in ten seconds`);
});

Deno.test("a controller that is not to keep networks makes none", async () => {
  await using rig = await started(new Server(), { isOn: false });
  await network(rig);
  await rig.clock.advance(120_000);
  assert.equal(await isThere(rig), false);
});
