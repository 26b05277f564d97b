import assert from "node:assert/strict";
import { ADMISSION_SETTINGS } from "../../../tests/support/admission_judge.ts";
import { makeAuthority } from "../../../tests/support/authority.ts";
import { untilTrue } from "../../../tests/support/hang_limit.ts";
import { ManualClock } from "../../../tests/support/manual_clock.ts";
import { SILENT_LOG } from "../../base/log.ts";
import { seededRandom } from "../../base/random.ts";
import { openWebhookServer } from "../../kube/webhook_server.ts";
import { openMemoryStore } from "../../store/memory_store.ts";
import type { Pair } from "../certificates/certificate.ts";
import { Admission } from "./admission.ts";
import { webhookPath } from "./webhooks.ts";

const { signal } = new AbortController();
const LEAVE_MS = 6_000;

function review(object: unknown): string {
  const group = "spiderpool.spidernet.io";
  const kind = { group, version: "v2beta1", kind: "SpiderIPPool" };
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "u", operation: "CREATE", name: "p", kind, object },
  });
}

/** Webhooks of one replica over an empty store. */
class Replica implements AsyncDisposable {
  readonly clock = new ManualClock();
  /** What the leader has made. */
  pair: Pair | undefined;
  readonly admission: Admission;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;

  constructor() {
    const { clock } = this;
    const random = seededRandom(1);
    const store = openMemoryStore({ clock, random });
    const ports = { store, clock, random, log: SILENT_LOG, openServer: openWebhookServer };
    this.admission = new Admission(ports, {
      ...{ hostname: "localhost", port: 0, settings: ADMISSION_SETTINGS },
      ...{ origin: { read: () => Promise.resolve(this.pair) }, leaveMs: LEAVE_MS },
    });
    this.#running = this.admission.run({ signal: this.#end.signal });
    this.#running.catch(() => {});
  }

  /** Gives it a certificate, and waits until it serves. */
  async serve(pair: Pair): Promise<void> {
    this.pair = pair;
    await this.clock.advance(1_000);
    await untilTrue(() => this.admission.port !== undefined);
  }

  /** What a webhook says against a pool of this subnet. */
  async ask(subnet: string, client: Deno.HttpClient): Promise<unknown> {
    const port = this.admission.port;
    const url = `https://localhost:${port}${webhookPath("validate", "spiderippool")}`;
    const body = review({ metadata: { name: "p" }, spec: { subnet } });
    const reply = await fetch(url, { method: "POST", body, client });
    const { response } = await reply.json();
    return response.allowed ? "allowed" : response.status.details.causes;
  }

  /** Tells it to stop. */
  stop(): void {
    this.#end.abort(new Error("over"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
    await this.clock.advance(LEAVE_MS);
    await assert.rejects(this.#running, /over/);
  }
}

function clientOf({ cert }: { readonly cert: string }): Deno.HttpClient {
  return Deno.createHttpClient({ caCerts: [cert], http2: false });
}

Deno.test("Admission serves once there is a certificate, and each next one", async () => {
  const [one, two] = [await makeAuthority("one"), await makeAuthority("two")];
  const wish = { commonName: "w", hosts: ["localhost"] };
  await using replica = new Replica();
  const { admission, clock } = replica;
  await clock.advance(2_000);
  assert.deepEqual(admission.readiness, {
    ok: false,
    error: "There is no certificate for the webhooks yet: the controller that leads makes one",
  });
  assert.deepEqual(await admission.ask({ signal }), { ok: true, value: undefined });

  const causes = [{
    reason: "FieldValueInvalid",
    field: "spec.subnet",
    message: 'Invalid value: "10.6.0.1/16": it has host bits set; write its network "10.6.0.0/16"',
  }];
  await replica.serve(await one.issue(wish));
  using first = clientOf(one);
  assert.deepEqual(await replica.ask("10.6.0.1/16", first), causes);
  assert.deepEqual(admission.readiness, { ok: true, value: undefined });
  assert.deepEqual(await admission.ask({ signal }), { ok: true, value: undefined });

  replica.pair = await two.issue(wish);
  await clock.advance(30_000);
  using second = clientOf(two);
  assert.deepEqual(await replica.ask("10.6.0.1/16", second), causes);
  using late = clientOf(one);
  await assert.rejects(replica.ask("10.6.0.1/16", late));
});

Deno.test("Admission that is told to stop says so, and answers a while longer", async () => {
  const authority = await makeAuthority();
  await using replica = new Replica();
  await replica.serve(await authority.issue({ commonName: "w", hosts: ["localhost"] }));
  const { admission, clock } = replica;
  using client = clientOf(authority);
  assert.equal(await replica.ask("10.6.0.0/16", client), "allowed");
  replica.stop();
  await clock.advance(0);
  assert.deepEqual(admission.readiness, {
    ok: false,
    error: "Cannot answer webhooks much longer: the program stops",
  });
  await clock.advance(LEAVE_MS - 1);
  assert.equal(await replica.ask("10.6.0.0/16", client), "allowed");
  assert.deepEqual(await admission.ask({ signal }), { ok: true, value: undefined });
  using late = clientOf(authority);
  assert.equal(await replica.ask("10.6.0.0/16", late), "allowed");
  await clock.advance(1);
  await untilTrue(() => admission.port === undefined);
});

Deno.test("Admission ends with a sentence where it cannot listen", async () => {
  const authority = await makeAuthority();
  const pair = await authority.issue({ commonName: "w", hosts: ["localhost"] });
  using taken = Deno.listen({ hostname: "localhost", port: 0 });
  const { port } = taken.addr;
  const clock = new ManualClock();
  const random = seededRandom(1);
  const store = openMemoryStore({ clock, random });
  const ports = { store, clock, random, log: SILENT_LOG, openServer: openWebhookServer };
  const origin = { read: () => Promise.resolve(pair) };
  const admission = new Admission(ports, {
    ...{ hostname: "localhost", port, settings: ADMISSION_SETTINGS, origin, leaveMs: 0 },
  });
  await assert.rejects(
    admission.run({ signal }),
    new RegExp(
      `^Error: Cannot listen on TCP port ${port}: .*EADDRINUSE.*: stop what listens there, or ` +
        "set SPIDERPOOL_WEBHOOK_PORT$",
    ),
  );
});

Deno.test("Admission answers 1,000 reviews at a time", async () => {
  const authority = await makeAuthority();
  await using replica = new Replica();
  await replica.serve(await authority.issue({ commonName: "w", hosts: ["localhost"] }));
  using client = clientOf(authority);
  const answers = await Promise.all(Array.from({ length: 1_000 }, (_, index) => {
    return replica.ask(index % 2 === 0 ? "10.6.0.1/16" : "10.6.0.0/16", client);
  }));
  assert.equal(answers.filter((answer) => answer === "allowed").length, 500);
  assert.equal(answers.filter((answer) => Array.isArray(answer)).length, 500);
});

Deno.test("Admission survives who leaves in the middle of a review", async () => {
  const authority = await makeAuthority();
  await using replica = new Replica();
  await replica.serve(await authority.issue({ commonName: "w", hosts: ["localhost"] }));
  const path = webhookPath("validate", "spiderippool");
  for (let count = 0; count < 20; count++) {
    const port = replica.admission.port ?? 0;
    using one = await Deno.connectTls({ hostname: "localhost", port, caCerts: [authority.cert] });
    const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{`;
    await one.write(new TextEncoder().encode(head));
  }
  using client = clientOf(authority);
  assert.equal(await replica.ask("10.6.0.0/16", client), "allowed");
});
