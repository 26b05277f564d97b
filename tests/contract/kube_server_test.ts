/** What only a real API server can show of `src/kube`: RBAC, Leases, Events, informers. */
import assert from "node:assert/strict";
import { systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { expectOk } from "../../src/base/result.ts";
import {
  EventRecorder,
  EVENTS,
  Informer,
  KubeStore,
  LeaseCandidate,
  LEASES,
  readKubeConfig,
  Transport,
} from "../../src/kube/mod.ts";
import { hangLimit } from "../support/hang_limit.ts";
import { testWith } from "../support/require.ts";
import { connect, openApiServer, plainResource, realApiServer } from "./api_server.ts";
import { THING_METADATA, THINGS } from "./kinds.ts";
import { createThing, must, replaceThing, setStage } from "./steps.ts";

const needs = [realApiServer];
const clock = systemClock();
const random = systemRandom();
const ACCOUNTS = plainResource({ kind: "ServiceAccount", plural: "serviceaccounts" });
const PODS = plainResource({ kind: "Pod", plural: "pods" });

/** Asks the server for a token of a ServiceAccount that may do nothing. */
async function powerlessToken(namespace: string, signal: AbortSignal): Promise<string> {
  using session = await connect();
  const metadata = { namespace, name: "nobody" };
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata };
  must(await session.store.create(ACCOUNTS, account, { signal }));
  const reply = must(
    await session.transport.call({
      method: "POST",
      path: `/api/v1/namespaces/${namespace}/serviceaccounts/nobody/token`,
      accept: "application/json",
      body: JSON.stringify({
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        spec: { expirationSeconds: 600 },
      }),
      what: "request a token",
    }, { signal }),
  );
  return (reply as { readonly status: { readonly token: string } }).status.token;
}

testWith({
  name: "API server: a refusal of RBAC names user, verb and kind, and the remedy",
  needs,
  fn: async () => {
    await using harness = await openApiServer();
    using stage = setStage(harness);
    const { signal } = stage.options;
    const text = await powerlessToken(stage.namespace, signal);
    const admin = expectOk(
      await readKubeConfig([Deno.env.get("CONTRACT_KUBECONFIG") ?? ""], {
        readText: (path) => Deno.readTextFile(path),
      }),
      "CONTRACT_KUBECONFIG is good",
    );
    const access = { ...admin, identity: { token: { kind: "text" as const, text } } };
    using transport = new Transport(access, { clock, random, userAgent: "contract-test" });
    const store = new KubeStore(transport, { random });
    const refused = await store.list(PODS, { namespace: stage.namespace, signal });
    assert.ok(!refused.ok && refused.error.code === "forbidden");
    const { message } = refused.error;
    assert.match(message, /^Cannot list pods in namespace ".*" at https:.*: pods is forbidden: /);
    assert.match(message, /User "system:serviceaccount:.*:nobody" cannot list resource "pods" /);
    assert.match(message, /: grant it with a Role or ClusterRole bound to this user$/);
    using stranger = new Transport(
      { ...access, identity: { token: { kind: "text", text: "rubbish" } } },
      { clock, random, userAgent: "contract-test" },
    );
    const unknown = await new KubeStore(stranger, { random }).list(PODS, { signal });
    assert.ok(!unknown.ok && unknown.error.code === "forbidden");
    assert.match(unknown.error.message, /does not accept the credentials of context ".*": renew/);
  },
});

testWith({
  name: "API server: creation in a namespace that is being deleted is a final refusal",
  needs,
  fn: async () => {
    using limit = hangLimit();
    const { signal } = limit;
    using session = await connect();
    const namespaces = plainResource({
      kind: "Namespace",
      plural: "namespaces",
      namespaced: false,
    });
    const name = `contract-${crypto.randomUUID().slice(0, 8)}`;
    const made = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    must(await session.store.create(namespaces, made, { signal }));
    // Nobody empties it without controllers, and with them its own finalizer takes a moment.
    assert.equal(must(await session.store.remove(namespaces, { name }, { signal })), "terminating");
    const metadata = { namespace: name, name: "late" };
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata };
    const late = await session.store.create(ACCOUNTS, account, { signal });
    assert.ok(!late.ok, "refused");
    if (late.error.code === "forbidden") assert.equal(late.error.namespaceTerminating, true);
    else assert.equal(late.error.code, "not_found", late.error.message);
  },
});

testWith({
  name: "API server: an informer follows full objects and metadata alone",
  needs,
  fn: async () => {
    await using harness = await openApiServer();
    using stage = setStage(harness);
    const a = await createThing(stage, "a", { spec: { colour: "red" } });
    const { namespace } = stage;
    const stop = new AbortController();
    const full = new Informer(stage.store, THINGS, { clock, random, selection: { namespace } });
    const lean = new Informer(stage.store, THING_METADATA, {
      clock,
      random,
      selection: { namespace, fieldSelector: "metadata.name=a" },
    });
    const running = [full, lean].map((informer) =>
      assert.rejects(informer.run({ signal: stop.signal }), /end of the test/)
    );
    const events = full.events({ signal: stage.options.signal });
    const leanEvents = lean.events({ signal: stage.options.signal });
    assert.deepEqual((await events.next()).value, { type: "added", object: a });
    assert.equal((await events.next()).value.type, "synced");
    const { spec: _spec, ...metadataOnly } = a;
    assert.deepEqual((await leanEvents.next()).value, { type: "added", object: metadataOnly });
    assert.equal((await leanEvents.next()).value.type, "synced");
    await createThing(stage, "b");
    assert.equal((await events.next()).value.type, "added");
    const a2 = await replaceThing(stage, a, { spec: { colour: "blue" } });
    const told = { type: "modified", object: a2, previous: a };
    assert.deepEqual((await events.next()).value, told);
    assert.equal((await leanEvents.next()).value.type, "modified", "b is not selected");
    assert.equal(full.status().listCount, 1);
    stop.abort(new Error("end of the test"));
    await Promise.all(running);
    await events.return(undefined);
    await leanEvents.return(undefined);
  },
});

testWith({
  name: "API server: a Lease has one leader, and goes to the next when it is given up",
  needs,
  fn: async () => {
    await using harness = await openApiServer();
    using stage = setStage(harness);
    const key = { namespace: stage.namespace, name: "leader" };
    let leaders = 0;
    let leadersMax = 0;
    const order: string[] = [];
    await Promise.all(["a", "b", "c"].map(async (identity) => {
      const lease = new LeaseCandidate({
        store: stage.store,
        clock,
        random,
        key,
        identity,
        durationMs: 2_000,
      });
      await lease.run({
        signal: stage.options.signal,
        work: async () => {
          leadersMax = Math.max(leadersMax, ++leaders);
          order.push(identity);
          await stage.store.get(LEASES, key, stage.options);
          leaders--;
        },
      });
    }));
    assert.equal(leadersMax, 1);
    assert.deepEqual(order.toSorted(), ["a", "b", "c"]);
    const lease = must(await stage.store.get(LEASES, key, stage.options));
    assert.equal(lease.spec?.leaseTransitions, 3);
  },
});

testWith({
  name: "API server: an Event is taken, and shown with what it regards",
  needs,
  fn: async () => {
    await using harness = await openApiServer();
    using stage = setStage(harness);
    const thing = await createThing(stage, "a");
    const recorder = new EventRecorder({
      store: stage.store,
      clock,
      random,
      controller: "spidernet.io/contract-test",
      instance: "here",
    });
    const stop = new AbortController();
    const running = assert.rejects(recorder.run({ signal: stop.signal }), /end of the test/);
    recorder.record({
      type: "Normal",
      reason: "Painted",
      action: "Paint",
      note: "The thing is red now",
      regarding: {
        apiVersion: thing.apiVersion,
        kind: thing.kind,
        namespace: stage.namespace,
        name: "a",
        uid: thing.metadata.uid,
      },
    });
    const { namespace } = stage;
    for await (const event of stage.store.watch(EVENTS, { namespace, ...stage.options })) {
      if (event.type !== "added") continue;
      assert.equal(event.object.reason, "Painted");
      assert.equal(event.object.regarding?.uid, thing.metadata.uid);
      break;
    }
    assert.equal(recorder.error, undefined);
    stop.abort(new Error("end of the test"));
    await running;
  },
});
