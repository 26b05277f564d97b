/** Records go back into pools of a real API server, with the rights of `manifests/give_back`. */
import assert from "node:assert/strict";
import { ANNOTATION_NOT_USABLE } from "../../src/api/annotations.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { FENCE_LOOK_MS } from "../../src/base/limits.ts";
import { systemRandom } from "../../src/base/random.ts";
import { ok } from "../../src/base/result.ts";
import { runGiveBack } from "../../src/controller/give_back/program.ts";
import { tellPodOf } from "../../src/daemon/last_word.ts";
import { program, testWith } from "../support/require.ts";
import { connectAs } from "./account.ts";
import {
  apiServer,
  applyKinds,
  kubectlOk,
  stored,
  type TestObject,
  TestObjects,
} from "./kubectl.ts";

const API_VERSION = "spiderpool.spidernet.io/v2beta1";
const NAMESPACE = "spiderpool";
const PROGRAM = "spiderpool-give-back";
const POD = "contract-give-back";
/** Of a pod that nobody could make: a few records of such pods do not fit one object. */
const LONG = "x".repeat(100_000);
const TOO_MANY = 13;

/** A clock on which no long sleep takes time; short ones are for the server, which needs them. */
function hurriedClock(): Clock {
  const clock = systemClock();
  let skippedMs = 0;
  return {
    nowMs: () => clock.nowMs() + skippedMs,
    monotonicMs: () => clock.monotonicMs() + skippedMs,
    sleep: (ms, options) => {
      if (ms <= FENCE_LOOK_MS) return clock.sleep(ms, options);
      skippedMs += ms;
      return Promise.resolve();
    },
  };
}

/** Runs the command as its Job does. @returns Its code, and what it complains of. */
async function giveBack(): Promise<{ readonly code: number; readonly error: string }> {
  using session = await connectAs(PROGRAM);
  const { store } = session;
  const environment: Readonly<Record<string, string>> = {
    SPIDERPOOL_POD_NAMESPACE: NAMESPACE,
    SPIDERPOOL_POD_NAME: POD,
  };
  const ports = {
    clock: hurriedClock(),
    random: systemRandom(),
    readEnvironment: (name: string) => environment[name],
    openStore: () => Promise.resolve(ok({ store, [Symbol.dispose]: () => {} })),
  };
  let error = "";
  const code = await runGiveBack([], {
    ...ports,
    stop: new AbortController().signal,
    writeError: (text) => error += text,
    writeLog: () => {},
    tellPod: tellPodOf("spiderpool-controller", ports),
  });
  return { code, error };
}

function podOf(name: string, labels: Readonly<Record<string, string>> = {}): TestObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NAMESPACE, labels },
    spec: {
      serviceAccountName: PROGRAM,
      automountServiceAccountToken: false,
      containers: [{ name: "one", image: "none.local/none:1" }],
    },
  };
}

/** A pool that was taken over, with so many addresses of pods of that name. */
async function pool(
  objects: TestObjects,
  { number, claims, podName }: {
    readonly number: number;
    readonly claims: number;
    readonly podName: string;
  },
): Promise<TestObject> {
  const name = `contract-give-back-${number}`;
  const spec = { subnet: `10.${number}.0.0/16`, ips: [`10.${number}.0.1-10.${number}.0.99`] };
  const made: TestObject = {
    ...{ apiVersion: API_VERSION, kind: "SpiderIPPool" },
    ...{ metadata: { name }, spec },
  };
  await objects.created(made);
  const patch = JSON.stringify({ status: { truth: "SpiderIP" } });
  const status = ["--subresource=status", "--type=merge", "-p", patch];
  await kubectlOk(["patch", "spiderippool", name, ...status]);
  for (let last = 1; last <= claims; last++) {
    const ip = `10.${number}.0.${last}`;
    const pod = { podNamespace: "default", podName, podUID: "u", nic: "eth0" };
    await objects.created({
      ...{ apiVersion: API_VERSION, kind: "SpiderIP" },
      ...{ metadata: { name: ip }, spec: { ip, pool: name, ...pod } },
    });
  }
  return made;
}

testWith({
  name: "give-back writes records, and disables a pool whose records do not fit, with its rights",
  needs: [apiServer, program("kubectl")],
  async fn() {
    await applyKinds();
    await using undo = new AsyncDisposableStack();
    undo.defer(applyKinds); // Without the fence other tests would be about another server.
    await using objects = new TestObjects();
    const few = await pool(objects, { number: 204, claims: 2, podName: "web" });
    const many = await pool(objects, { number: 205, claims: TOO_MANY, podName: LONG });
    assert.deepEqual(await giveBack(), { code: 0, error: "" });
    const { status } = await stored(few);
    const { allocatedIPs = "{}" } = status as { readonly allocatedIPs?: string };
    assert.deepEqual(Object.keys(JSON.parse(allocatedIPs)), ["10.204.0.1", "10.204.0.2"]);
    const { spec, metadata } = await stored(many);
    assert.equal((spec as { readonly disable?: boolean }).disable, true);
    assert.match(JSON.stringify(metadata), new RegExp(ANNOTATION_NOT_USABLE));
  },
});

testWith({
  name: "give-back tells on its pod what is in its way, with its rights",
  needs: [apiServer, program("kubectl")],
  async fn() {
    await applyKinds();
    using _session = await connectAs(PROGRAM);
    await using objects = new TestObjects();
    const component = { "app.kubernetes.io/component": "spiderpool-agent" };
    const agent = "contract-agent";
    const own = await objects.created(podOf(POD));
    await objects.created(podOf(agent, component));
    const { code, error } = await giveBack();
    assert.equal(code, 1);
    assert.match(error, /^Cannot give addresses back: "contract-agent" still runs /);
    const found = await kubectlOk(["get", "events", "-n", NAMESPACE, "-o", "json"]);
    const events: { items: { involvedObject: { uid: string }; message: string }[] } = JSON.parse(
      found,
    );
    const told = events.items.filter(({ involvedObject: { uid } }) => uid === own.metadata.uid);
    assert.deepEqual(told.map(({ message }) => message), [error.trim()]);
  },
});
