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

function review(object: unknown): string {
  const group = "spiderpool.spidernet.io";
  const kind = { group, version: "v2beta1", kind: "SpiderIPPool" };
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "u", operation: "CREATE", name: "p", kind, object },
  });
}

Deno.test("Admission serves once there is a certificate, and each next one", async () => {
  const authorities = [await makeAuthority("one"), await makeAuthority("two")] as const;
  const issued = [];
  for (const authority of authorities) {
    issued.push(await authority.issue({ commonName: "w", hosts: ["localhost"] }));
  }
  let pair: Pair | undefined;
  const clock = new ManualClock();
  const random = seededRandom(1);
  const store = openMemoryStore({ clock, random });
  const ports = { store, clock, random, log: SILENT_LOG, openServer: openWebhookServer };
  const admission = new Admission(ports, {
    ...{ hostname: "localhost", port: 0, settings: ADMISSION_SETTINGS },
    readPair: () => Promise.resolve(pair),
  });
  const end = new AbortController();
  const running = admission.run({ signal: end.signal });
  await clock.advance(2_000);
  assert.deepEqual(admission.readiness, {
    ok: false,
    error: "There is no certificate for the webhooks yet: the controller that leads makes one",
  });
  assert.deepEqual(await admission.ask({ signal }), { ok: true, value: undefined });

  async function ask({ cert }: { readonly cert: string }): Promise<unknown> {
    using client = Deno.createHttpClient({ caCerts: [cert], http2: false });
    const url = `https://localhost:${admission.port}${webhookPath("validate", "spiderippool")}`;
    const body = review({ metadata: { name: "p" }, spec: { subnet: "10.6.0.1/16" } });
    const reply = await fetch(url, { method: "POST", body, client });
    return (await reply.json()).response.status.details.causes;
  }
  const causes = [{
    reason: "FieldValueInvalid",
    field: "spec.subnet",
    message: 'Invalid value: "10.6.0.1/16": it has host bits set; write its network "10.6.0.0/16"',
  }];
  pair = issued[0];
  await clock.advance(1_000);
  await untilTrue(() => admission.port !== undefined);
  assert.deepEqual(await ask(authorities[0]), causes);
  assert.deepEqual(admission.readiness, { ok: true, value: undefined });
  assert.deepEqual(await admission.ask({ signal }), { ok: true, value: undefined });

  pair = issued[1];
  await clock.advance(30_000);
  assert.deepEqual(await ask(authorities[1]), causes);
  await assert.rejects(ask(authorities[0]));

  end.abort(new Error("over"));
  await assert.rejects(running, /over/);
  assert.equal(admission.port, undefined);
});
