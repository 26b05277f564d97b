import assert from "node:assert/strict";
import {
  ANSWER,
  coordinatorCall,
  type CoordinatorWorld,
  coordinatorWorld,
  NETNS,
} from "../../tests/support/coordinator_world.ts";
import { add } from "./add.ts";
import { check } from "./check.ts";
import { del } from "./del.ts";
import { gc } from "./gc.ts";
import { status } from "./status.ts";

const RECORD = "/var/run/spidernet/coordinator/abcdef0123456789@eth0.json";

/** A pod after its ADD, and how all was before. */
async function added(): Promise<CoordinatorWorld & { readonly before: unknown }> {
  const steps = [1, 2].map(() => ({ status: 200, body: ANSWER }));
  const world = coordinatorWorld({ steps });
  const before = world.kernel.snapshot();
  assert.ok((await add(coordinatorCall(), world.ports)).ok);
  assert.notDeepEqual(world.kernel.snapshot(), before);
  return { ...world, before };
}

Deno.test("del() brings back what was before the ADD, and asks nobody", async () => {
  const { ports, kernel, records, outside, before } = await added();
  assert.deepEqual(await del(coordinatorCall(), ports), { ok: true, value: undefined });
  assert.deepEqual(kernel.snapshot(), before);
  assert.deepEqual([...records.texts.keys()], []);
  assert.equal(outside.connected.length, 1, "only the ADD asked");
});

Deno.test("del() twice, and of what was never added, succeeds", async () => {
  const { ports, kernel, before } = await added();
  for (let time = 0; time < 2; time++) assert.ok((await del(coordinatorCall(), ports)).ok);
  assert.deepEqual(kernel.snapshot(), before);
  const never = coordinatorWorld();
  const untouched = never.kernel.snapshot();
  assert.ok((await del(coordinatorCall(), never.ports)).ok);
  assert.deepEqual(never.kernel.snapshot(), untouched);
});

Deno.test("del() cleans the node where the pod's namespace is gone", async () => {
  const { ports, kernel, namespaces, records } = await added();
  namespaces.there.clear();
  kernel.endPod();
  assert.ok((await del(coordinatorCall({ netns: "" }), ports)).ok);
  assert.deepEqual(kernel.node.routes.filter(({ table }) => table === 500), []);
  assert.deepEqual(kernel.node.rules.filter(({ table }) => table === 500), []);
  assert.deepEqual([...records.texts.keys()], []);
});

Deno.test("del() undoes an ADD whose configuration is disabled or broken by now", async () => {
  for (const config of [{ mode: "disabled" }, { mode: "nonsense" }, { prevResult: 5 }]) {
    const { ports, kernel, before } = await added();
    assert.ok((await del(coordinatorCall({ config }), ports)).ok);
    assert.deepEqual(kernel.snapshot(), before);
  }
});

Deno.test("del() goes by what is there where the record is lost or broken", async () => {
  for (const text of [undefined, "garbage", '{"network":"n","netns":"x"}\n{"format":2}\n']) {
    const { ports, kernel, records } = await added();
    if (text === undefined) records.texts.clear();
    else records.texts.set(RECORD, text);
    assert.ok((await del(coordinatorCall(), ports)).ok);
    assert.ok(!kernel.node.links.some(({ name }) => name.startsWith("veth")));
    assert.deepEqual(kernel.node.routes.filter(({ table }) => table === 500), []);
  }
});

Deno.test("del() that the kernel refuses keeps the record, and the next one ends it", async () => {
  const { ports, kernel, records, namespaces, before } = await added();
  namespaces.refusal = { kind: "link_remove", after: 0 };
  const refused = await del(coordinatorCall(), ports);
  assert.ok(!refused.ok);
  assert.deepEqual(refused.error, { code: 999, msg: "Cannot do link_remove: no (EPERM)" });
  assert.ok(records.texts.has(RECORD));
  namespaces.refusal = undefined;
  assert.ok((await del(coordinatorCall(), ports)).ok);
  assert.deepEqual(kernel.snapshot(), before);
});

Deno.test("check() says nothing while all is as the ADD left it", async () => {
  const { ports, kernel } = await added();
  const after = kernel.snapshot();
  assert.deepEqual(await check(coordinatorCall(), ports), { ok: true, value: undefined });
  assert.deepEqual(kernel.snapshot(), after, "and changes nothing");
});

Deno.test("check() says what is missing", async () => {
  const { ports, kernel } = await added();
  kernel.pod.routes = kernel.pod.routes.filter(({ destination }) =>
    destination !== "10.244.0.0/16"
  );
  const refused = await check(coordinatorCall(), ports);
  assert.ok(!refused.ok);
  assert.match(
    refused.error.msg,
    /^NIC "eth0" of container "abc\w+" is not as its ADD left it, this is missing: pod: ip route /,
  );
  assert.match(refused.error.msg, /10\.244\.0\.0\/16 via 10\.6\.0\.2 dev veth0/);
});

Deno.test("check() of a disabled coordinator has nothing to look at", async () => {
  const world = coordinatorWorld({ steps: [] });
  const call = coordinatorCall({ config: { mode: "disable" } });
  assert.deepEqual(await check(call, world.ports), { ok: true, value: undefined });
});

function gcCall(config: Readonly<Record<string, unknown>> = {}) {
  const { network } = coordinatorCall({ config, version: "1.1.0" });
  return { network, attachment: { containerId: "", netns: "", ifName: "", args: "" } };
}

Deno.test("gc() undoes what a container left whose DEL never came", async () => {
  const { ports, kernel, records, namespaces } = await added();
  namespaces.there.clear();
  kernel.endPod();
  assert.ok((await gc(gcCall({ "cni.dev/valid-attachments": [] }), ports)).ok);
  assert.deepEqual([...records.texts.keys()], []);
  assert.deepEqual(kernel.node.rules.filter(({ table }) => table === 500), []);
});

Deno.test("gc() leaves whoever lives, is listed, or is of another network", async () => {
  const { ports, kernel, records, namespaces } = await added();
  const after = kernel.snapshot();
  assert.ok((await gc(gcCall(), ports)).ok);
  namespaces.there.delete(NETNS);
  const listed = [{ containerID: "abcdef0123456789", ifname: "eth0" }];
  assert.ok((await gc(gcCall({ "cni.dev/valid-attachments": listed }), ports)).ok);
  const { network, attachment } = gcCall();
  assert.ok((await gc({ network: { ...network, name: "net-b" }, attachment }, ports)).ok);
  assert.deepEqual(kernel.snapshot(), after);
  assert.ok(records.texts.has(RECORD));
});

Deno.test("status() is unavailable while the agent is away", async () => {
  const there = coordinatorWorld({ steps: [{ status: 200 }] });
  assert.deepEqual(await status(gcCall(), there.ports), { ok: true, value: undefined });
  const refused = await status(gcCall(), coordinatorWorld({ steps: [] }).ports);
  assert.ok(!refused.ok);
  assert.equal(refused.error.code, 50);
});
