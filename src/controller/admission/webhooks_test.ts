import assert from "node:assert/strict";
import { AdmissionWorld } from "../../../tests/support/admission_world.ts";
import { ManualClock } from "../../../tests/support/manual_clock.ts";
import { jsonLog, SILENT_LOG } from "../../base/log.ts";
import { REVIEW_BYTES_MAX, type WebhookRequest } from "../../kube/mod.ts";
import type { KindJudge } from "./kind_judge.ts";
import { WEBHOOK_HEALTH_PATH, webhookPath, Webhooks } from "./webhooks.ts";

const VALIDATE = webhookPath("validate", "spiderippool");
const POOL = {
  apiVersion: "spiderpool.spidernet.io/v2beta1",
  kind: "SpiderIPPool",
  metadata: { name: "p" },
  spec: { subnet: "10.6.0.0/16" },
};

function review(object: unknown, more: object = {}): string {
  const group = "spiderpool.spidernet.io";
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "u1",
      operation: "CREATE",
      kind: { group, version: "v2beta1", kind: "SpiderIPPool" },
      resource: { group, version: "v2beta1", resource: "spiderippools" },
      name: "p",
      object,
      ...more,
    },
  });
}

function requestOf(
  body: string | readonly Uint8Array[],
  { target = VALIDATE, method = "POST", signal = new AbortController().signal, bodyBytes }:
    & Partial<Omit<WebhookRequest, "body" | "bodyBytes">>
    & { readonly bodyBytes?: number } = {},
): WebhookRequest {
  const chunks = typeof body === "string" ? [new TextEncoder().encode(body)] : body;
  return { method, target, bodyBytes, body: ReadableStream.from(chunks), signal };
}

async function answerOf(webhooks: Webhooks, request: WebhookRequest) {
  const { status, json, text } = await webhooks.answer(request);
  return { status, text, review: json === undefined ? undefined : JSON.parse(json) };
}

Deno.test("webhookPath() is the reference's", () => {
  assert.equal(VALIDATE, "/validate-spiderpool-spidernet-io-v2beta1-spiderippool");
  const core = { group: "", version: "v1" };
  assert.equal(webhookPath("mutate", "pod", core), "/mutate--v1-pod");
});

Deno.test("Webhooks answers reviews of every kind under both paths", async () => {
  await using world = new AdmissionWorld();
  const webhooks = new Webhooks({ ...world, log: SILENT_LOG });
  for (const [singular, judge] of world.judges) {
    for (const question of ["mutate", "validate"] as const) {
      const target = webhookPath(question, singular, judge);
      const foreign = { kind: { group: "apps", version: "v1", kind: "Deployment" } };
      const { status, review: answer } = await answerOf(
        webhooks,
        requestOf(review({}, foreign), { target }),
      );
      assert.deepEqual([status, answer.response.allowed], [200, true], target);
    }
  }
  const good = await answerOf(webhooks, requestOf(review(POOL)));
  assert.deepEqual(good.review.response, { uid: "u1", allowed: true });
  const bad = await answerOf(webhooks, requestOf(review({ ...POOL, spec: { subnet: "x" } })));
  assert.equal(bad.review.response.status.code, 422);
  assert.equal(bad.review.response.status.details.causes[0].field, "spec.subnet");
});

Deno.test("Webhooks answers what is no review", async () => {
  await using world = new AdmissionWorld();
  const webhooks = new Webhooks({ ...world, log: SILENT_LOG });
  const old = review(POOL).replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1");
  const half = new Uint8Array(REVIEW_BYTES_MAX);
  const cases: readonly (readonly [WebhookRequest, number, RegExp])[] = [
    [requestOf("", { target: WEBHOOK_HEALTH_PATH, method: "GET" }), 200, /^$/],
    [requestOf("", { target: "/" }), 404, /^There is no webhook at \/\n$/],
    [requestOf("", { method: "GET" }), 405, /^Cannot answer GET: POST an AdmissionReview\n$/],
    [requestOf("{"), 400, /is not JSON/],
    [requestOf([Uint8Array.of(0xff)]), 400, /is not JSON/],
    [requestOf("[]"), 400, /send an AdmissionReview/],
    [requestOf(old), 400, /only admission\.k8s\.io\/v1 is known/],
    [requestOf(review(POOL, { operation: "PATCH" })), 400, /PATCH/],
    [requestOf("", { bodyBytes: REVIEW_BYTES_MAX + 1 }), 413, /too large: 3500000 bytes are taken/],
    [requestOf([half, new Uint8Array(1)]), 413, /too large/],
  ];
  for (const [request, status, text] of cases) {
    const answer = await answerOf(webhooks, request);
    assert.equal(answer.status, status, answer.text ?? request.target);
    assert.match(answer.text ?? "", text);
  }
  const odd = { kind: null, resource: 5, name: {}, userInfo: [], namespace: 7 };
  assert.equal((await answerOf(webhooks, requestOf(review(POOL, odd)))).status, 200);
});

Deno.test("Webhooks gives up before the API server does", async () => {
  await using world = new AdmissionWorld();
  world.reads = "hang";
  const { clock } = world;
  const webhooks = new Webhooks({ ...world, log: SILENT_LOG });
  async function waited(target: string): Promise<number> {
    const fromMs = clock.monotonicMs();
    const answer = answerOf(webhooks, requestOf(review(POOL), { target }));
    let isOver = false;
    answer.finally(() => isOver = true);
    while (!isOver) await clock.advance(500);
    const { response } = (await answer).review;
    assert.deepEqual([response.allowed, response.status.code], [false, 503]);
    assert.match(response.status.message, /Gave up on the review after \d+ ms; try again$/);
    return clock.monotonicMs() - fromMs;
  }
  assert.ok(await waited(VALIDATE) <= 9_000);
  assert.ok(await waited(`${VALIDATE}?timeout=3s`) <= 3_000);
  assert.ok(await waited(`${VALIDATE}?timeout=nonsense`) <= 9_000);
});

Deno.test("Webhooks does not wait for a body that stops in the middle", async () => {
  await using world = new AdmissionWorld();
  const webhooks = new Webhooks({ ...world, log: SILENT_LOG });
  const body = new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(Uint8Array.of(0x7b)) });
  const { signal } = new AbortController();
  const request = { method: "POST", target: VALIDATE, bodyBytes: undefined, body, signal };
  const answer = answerOf(webhooks, request);
  await world.clock.advance(10_000);
  assert.equal((await answer).status, 504);

  const broken = new ReadableStream<Uint8Array>({ start: (c) => c.error(new Error("reset")) });
  assert.deepEqual(await webhooks.answer({ ...request, body: broken }), {
    status: 400,
    text: "The review ended in the middle: reset\n",
  });

  const gone = new AbortController();
  const left = answerOf(webhooks, { ...request, body: new ReadableStream(), signal: gone.signal });
  gone.abort(new Error("gone"));
  assert.equal((await left).status, 499);
});

Deno.test("Webhooks bounds the bodies that it holds", async () => {
  const clock = new ManualClock();
  const webhooks = new Webhooks({
    judges: new Map([["spiderippool", STUCK]]),
    clock,
    log: SILENT_LOG,
  });
  const { signal } = new AbortController();
  const megabytes = new Uint8Array(3_000_000).fill(0x20);
  function open() {
    return new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(megabytes) });
  }
  const waiting = Array.from({ length: 22 }, () => {
    return webhooks.answer({
      method: "POST",
      target: VALIDATE,
      bodyBytes: undefined,
      body: open(),
      signal,
    });
  });
  const refused = await webhooks.answer(requestOf([megabytes]));
  assert.deepEqual(refused, { status: 503, text: "Too many large reviews at a time: ask again\n" });
  await clock.advance(10_000);
  assert.ok((await Promise.all(waiting)).every(({ status }) => status === 504));
  const after = await webhooks.answer(requestOf("{"));
  assert.equal(after.status, 400, "what was held is held no more");
});

const STUCK: KindJudge = {
  group: "spiderpool.spidernet.io",
  version: "v2beta1",
  kind: "SpiderIPPool",
  mutate: () => Promise.reject(new Error("a bug")),
  validate: () => Promise.reject(new Error("a bug")),
};

Deno.test("Webhooks survives a bug, and says so in the log", async () => {
  const clock = new ManualClock();
  const lines: string[] = [];
  const log = jsonLog((line) => lines.push(line), { clock, level: "info" });
  const webhooks = new Webhooks({ judges: new Map([["spiderippool", STUCK]]), clock, log });
  const answer = await answerOf(webhooks, requestOf(review(POOL)));
  assert.equal(answer.status, 500);
  assert.match(lines.join(""), /"text":"a review met a bug".*"a bug"/);
});
