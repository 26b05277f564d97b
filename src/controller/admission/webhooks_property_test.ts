import assert from "node:assert/strict";
import fc from "fast-check";
import { AdmissionWorld } from "../../../tests/support/admission_world.ts";
import { type Log, SILENT_LOG } from "../../base/log.ts";
import { webhookPath, Webhooks } from "./webhooks.ts";

const KINDS = {
  spiderippool: "SpiderIPPool",
  spidersubnet: "SpiderSubnet",
  spiderreservedip: "SpiderReservedIP",
  spidercoordinator: "SpiderCoordinator",
  spidermultusconfig: "SpiderMultusConfig",
  spiderendpoint: "SpiderEndpoint",
} as const;

const singular = fc.constantFrom(...Object.entries(KINDS));
const question = fc.constantFrom("mutate" as const, "validate" as const);
const metadata = fc.record({
  name: fc.oneof(fc.constant("x"), fc.jsonValue()),
  labels: fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.jsonValue()),
  annotations: fc.oneof(fc.dictionary(fc.string(), fc.string()), fc.jsonValue()),
  finalizers: fc.jsonValue(),
  ownerReferences: fc.jsonValue(),
}, { requiredKeys: [] });
const object = fc.oneof(
  fc.jsonValue(),
  fc.record({
    metadata,
    spec: fc.oneof(fc.jsonValue(), fc.record({ subnet: fc.string(), ips: fc.array(fc.string()) })),
    status: fc.jsonValue(),
  }, { requiredKeys: [] }),
);

/** A log that a bug would be told to. */
function noting(bugs: unknown[]): Log {
  return { ...SILENT_LOG, error: (_text, fields) => void bugs.push(fields) };
}

Deno.test("property: every review of every kind is answered, and none meets a bug", async () => {
  await using world = new AdmissionWorld();
  await world.follow();
  const bugs: unknown[] = [];
  const webhooks = new Webhooks({ ...world, log: noting(bugs) });
  const operation = fc.constantFrom("CREATE", "UPDATE", "DELETE");
  await fc.assert(
    fc.asyncProperty(
      ...[singular, question, operation, object, object] as const,
      async ([name, kindName], asked, operation, one, other) => {
        const group = "spiderpool.spidernet.io";
        const kind = { group, version: "v2beta1", kind: kindName };
        const request = { uid: "u", operation, name: "x", kind, object: one, oldObject: other };
        const review = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request };
        const bytes = new TextEncoder().encode(JSON.stringify(review));
        const reply = await answerTo(webhooks, { bytes, target: webhookPath(asked, name) });
        assert.equal(reply.status, 200, reply.text ?? "");
        const { response } = JSON.parse(reply.json ?? "{}");
        assert.equal(response.uid, "u");
        if (!response.allowed) assert.ok(response.status.message.length > 0);
        assert.deepEqual(bugs, []);
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("property: any bytes under any path are answered", async () => {
  await using world = new AdmissionWorld();
  const bugs: unknown[] = [];
  const webhooks = new Webhooks({ ...world, log: noting(bugs) });
  const target = fc.oneof(
    fc.constant(webhookPath("validate", "spiderippool")),
    fc.webPath(),
    fc.string().map((text) => `/${text}`),
  );
  const bytes = fc.oneof(fc.uint8Array(), fc.json().map((text) => new TextEncoder().encode(text)));
  await fc.assert(fc.asyncProperty(bytes, target, async (bytes, target) => {
    const { status } = await answerTo(webhooks, { bytes, target });
    assert.ok([400, 404].includes(status), String(status));
    assert.deepEqual(bugs, []);
  }));
});

function answerTo(
  webhooks: Webhooks,
  { bytes, target }: { readonly bytes: Uint8Array; readonly target: string },
) {
  return webhooks.answer({
    method: "POST",
    target,
    bodyBytes: bytes.length,
    body: ReadableStream.from([bytes]),
    signal: new AbortController().signal,
  });
}
