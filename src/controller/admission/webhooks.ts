/** The webhooks over HTTP: paths, bodies and deadlines; every request is answered. */
import { type Clock, DeadlineError, startDeadline } from "../../base/clock.ts";
import { REVIEW_BODIES_BYTES_MAX, REVIEW_MS, REVIEW_SPARE_MS } from "../../base/limits.ts";
import { errorText, type Log } from "../../base/log.ts";
import { SPIDERPOOL_GROUP, SPIDERPOOL_VERSION } from "../../api/group.ts";
import { parseGoDuration } from "../../api/go_text.ts";
import {
  type AdmissionRequest,
  readReview,
  REVIEW_BYTES_MAX,
  type WebhookReply,
  type WebhookRequest,
  writeReview,
} from "../../kube/mod.ts";
import { judgeReview } from "./judge.ts";
import type { KindJudge, Question } from "./kind_judge.ts";

/** Path of the health check, as in the reference. */
export const WEBHOOK_HEALTH_PATH = "/webhook-health-check";

/** What the webhooks work with. */
export interface WebhooksOptions {
  /** By the end of the path: `spiderippool`. */
  readonly judges: ReadonlyMap<string, KindJudge>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * The path of a webhook: `/validate-spiderpool-spidernet-io-v2beta1-spiderippool`, or
 * `/mutate--v1-pod` for a kind of the core group.
 */
export function webhookPath(
  question: Question,
  singular: string,
  { group, version }: Pick<KindJudge, "group" | "version"> = SPIDERPOOL,
): string {
  return `/${question}-${group.replaceAll(".", "-")}-${version}-${singular}`;
}

const SPIDERPOOL = { group: SPIDERPOOL_GROUP, version: SPIDERPOOL_VERSION };

interface Route {
  readonly question: Question;
  readonly judge: KindJudge;
}

/** Thrown while a request is read, and answered where it is caught. */
class RefusedRequest extends Error {
  override readonly name = "RefusedRequest";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Answers the requests of API servers. */
export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #routes = new Map<string, Route>();
  /** Bytes of the bodies that are held now. */
  #bytesHeld = 0;

  constructor(options: WebhooksOptions) {
    this.#options = options;
    for (const [singular, judge] of options.judges) {
      for (const question of ["mutate", "validate"] as const) {
        this.#routes.set(webhookPath(question, singular, judge), { question, judge });
      }
    }
  }

  /** Answers one request. Never rejects. */
  async answer(request: WebhookRequest): Promise<WebhookReply> {
    const { clock, log } = this.#options;
    // Not `URL`: it refuses some texts, such as "//", and anybody may ask for anything.
    const [pathname = "", query = ""] = request.target.split("?");
    if (pathname === WEBHOOK_HEALTH_PATH && request.method === "GET") return { status: 200 };
    const route = this.#routes.get(pathname);
    if (route === undefined) return textReply(404, `There is no webhook at ${pathname}`);
    if (request.method !== "POST") {
      return textReply(405, `Cannot answer ${request.method}: POST an AdmissionReview`);
    }
    using deadline = startDeadline(clock, {
      timeoutMs: timeoutMs(new URLSearchParams(query).get("timeout")),
      what: "the review",
      signal: request.signal,
    });
    try {
      return await this.#review(request, { route, signal: deadline.signal });
    } catch (error) {
      if (error instanceof RefusedRequest) return textReply(error.status, error.message);
      if (error instanceof DeadlineError) return textReply(504, error.message);
      if (request.signal.aborted) return textReply(499, "Nobody waits for the answer any more");
      log.error("a review met a bug", { error, path: pathname });
      return textReply(500, "Cannot judge the object: the webhook met a bug, see its log");
    }
  }

  async #review(
    request: WebhookRequest,
    { route, signal }: { readonly route: Route; readonly signal: AbortSignal },
  ): Promise<WebhookReply> {
    const { clock, log } = this.#options;
    const fromMs = clock.monotonicMs();
    const review = await this.#read(request, { signal });
    const { question, judge } = route;
    const verdict = await judgeReview(review, { judge, question, signal });
    const { kind, name, namespace, operation } = review;
    const ms = Math.round(clock.monotonicMs() - fromMs);
    const fields = { question, kind, name, namespace, operation, ms };
    if (verdict.allowed) log.debug("object admitted", fields);
    else log.info("object refused", { ...fields, reason: verdict.message });
    return { status: 200, json: writeReview(review, verdict) };
  }

  /** Reads the body up to the bound, one of many at a time. */
  async #read(
    { body, bodyBytes }: WebhookRequest,
    { signal }: { readonly signal: AbortSignal },
  ): Promise<AdmissionRequest> {
    if ((bodyBytes ?? 0) > REVIEW_BYTES_MAX) throw tooLarge();
    const chunks: Uint8Array[] = [];
    let held = 0;
    try {
      for await (const chunk of untilAborted(body, { signal })) {
        held += chunk.length;
        this.#bytesHeld += chunk.length;
        if (held > REVIEW_BYTES_MAX) throw tooLarge();
        if (this.#bytesHeld > REVIEW_BODIES_BYTES_MAX) {
          throw new RefusedRequest(503, "Too many large reviews at a time: ask again");
        }
        chunks.push(chunk);
      }
      const read = readReview(joined(chunks, held));
      if (!read.ok) throw new RefusedRequest(400, read.error);
      return read.value;
    } finally {
      this.#bytesHeld -= held;
    }
  }
}

/** The API server says how long it waits; with less than that the answer is of use. */
function timeoutMs(text: string | null): number {
  const askedMs = text === null ? undefined : parseGoDuration(text);
  if (askedMs === undefined) return REVIEW_MS;
  return Math.min(REVIEW_MS, Math.max(REVIEW_SPARE_MS, askedMs - REVIEW_SPARE_MS));
}

function tooLarge(): RefusedRequest {
  return new RefusedRequest(413, `The review is too large: ${REVIEW_BYTES_MAX} bytes are taken`);
}

function textReply(status: number, text: string): WebhookReply {
  return { status, text: `${text}\n` };
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [only] = chunks;
  if (only !== undefined && chunks.length === 1) return only;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** The chunks, until the signal aborts: a sender that stops in the middle is not waited for. */
async function* untilAborted(
  body: AsyncIterable<Uint8Array>,
  { signal }: { readonly signal: AbortSignal },
): AsyncGenerator<Uint8Array> {
  const chunks = body[Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const abort = (): void => aborted.reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    for (;;) {
      const reading = chunks.next().catch((error) => {
        throw new RefusedRequest(400, `The review ended in the middle: ${errorText(error)}`);
      });
      const next = await Promise.race([reading, aborted.promise]);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
