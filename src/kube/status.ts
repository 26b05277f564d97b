/** What the server's refusals mean: HTTP status and `Status` body to `StoreError`. */
import type { StoreError } from "../base/object_store.ts";
import { asList, asNumber, asRecord, asText, type JsonRecord, valueAt } from "./json_value.ts";

/** A reply that is not a success. */
export interface Refusal {
  /** HTTP status, or the `code` of an ERROR event of a watch. */
  readonly status: number;
  /** Body, parsed if it is JSON. */
  readonly body: unknown;
  /** Value of the `Retry-After` header. */
  readonly retryAfter: string | undefined;
}

/** What was asked: for messages, and because an unclear end means more for a write. */
export interface Asked {
  /** `create pods "default/web-0"`: goes behind "Cannot". */
  readonly what: string;
  readonly server: string;
  readonly isWrite: boolean;
}

/** Milliseconds to wait when a 429 does not say how long. */
const RETRY_AFTER_MS_DEFAULT = 1_000;
/** A longer wait than this is not believed. */
const RETRY_AFTER_MS_MAX = 60_000;
/** Characters of an answer that is quoted in a message. */
const QUOTE_LENGTH_MAX = 300;

/**
 * Translates a refusal. Every status has a meaning; what is not known is `unavailable`.
 *
 * | status | reason or cause | StoreError |
 * | --- | --- | --- |
 * | 400, 405, 406, 413, 415, 422 | | `invalid` |
 * | 401 | | `forbidden` (transport.ts says what is wrong with the credential) |
 * | 403 | cause `NamespaceTerminating` | `forbidden`, `namespaceTerminating` |
 * | 403 | | `forbidden` |
 * | 404 | `Status` that names an object | `not_found` |
 * | 404 | anything else: the path itself is not served | `unavailable`, `isUnserved` |
 * | 409 | `AlreadyExists` | `already_exists` |
 * | 409 | | `conflict` |
 * | 410 | | `gone` |
 * | 429 | | `throttled` |
 * | 408, 504 | | `timeout`, a write is unknown |
 * | 500 | the object is too large for etcd | `invalid` |
 * | 3xx, 5xx, others | | `unavailable`, a write is unknown |
 *
 * @source Kubernetes API conventions, "HTTP Status codes"; apimachinery `pkg/api/errors`
 */
export function storeErrorOf(refusal: Refusal, asked: Asked): StoreError {
  const { status, body } = refusal;
  const tell = (problem: string): string => `Cannot ${asked.what} at ${asked.server}: ${problem}`;
  const kubeStatus = kubeStatusOf(body);
  const said = asText(kubeStatus?.["message"]);
  const reason = asText(kubeStatus?.["reason"]);
  const message = tell(said === undefined ? quote(status, body) : withoutFullStop(said));
  switch (status) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415:
    case 422:
      return { code: "invalid", message };
    case 401:
      return { code: "forbidden", message, namespaceTerminating: false };
    case 403: {
      const namespaceTerminating = hasCause(kubeStatus, "NamespaceTerminating");
      const remedy = namespaceTerminating || !/ cannot | is forbidden: User /.test(said ?? "")
        ? ""
        : ": grant it with a Role or ClusterRole bound to this user";
      return { code: "forbidden", message: `${message}${remedy}`, namespaceTerminating };
    }
    case 404:
      if (asText(valueAt(kubeStatus, ["details", "name"])) !== undefined) {
        return { code: "not_found", message };
      }
      if (kubeStatus === undefined && typeof body === "string" && !isPathAnswer(body)) {
        const remedy = "check that this is the address of a Kubernetes API server";
        const elsewhere = tell(`${quote(status, body)}: ${remedy}`);
        return { code: "unavailable", message: elsewhere, outcomeUnknown: false };
      }
      return {
        code: "unavailable",
        message: tell("the server does not serve this kind: apply its CustomResourceDefinition"),
        outcomeUnknown: false,
        isUnserved: true,
      };
    case 409:
      return { code: reason === "AlreadyExists" ? "already_exists" : "conflict", message };
    case 410:
      return { code: "gone", message };
    case 429:
      return {
        code: "throttled",
        message,
        retryAfterMs: retryAfterMsOf(refusal, kubeStatus) ?? RETRY_AFTER_MS_DEFAULT,
      };
    case 408:
    case 504:
      return { code: "timeout", message, outcomeUnknown: asked.isWrite };
    default:
      if (/request is too large|larger than max/.test(said ?? "")) {
        return { code: "invalid", message };
      }
      return { code: "unavailable", message, outcomeUnknown: asked.isWrite };
  }
}

/** Milliseconds that a refusal asks to wait; `undefined` if it does not ask, at most a minute. */
export function retryAfterMsOf(
  refusal: Refusal,
  kubeStatus: JsonRecord | undefined = kubeStatusOf(refusal.body),
): number | undefined {
  const seconds = Number(refusal.retryAfter ?? Number.NaN);
  const asked = Number.isFinite(seconds)
    ? seconds
    : asNumber(valueAt(kubeStatus, ["details", "retryAfterSeconds"]));
  if (asked === undefined || asked < 0) return undefined;
  return Math.min(asked * 1_000, RETRY_AFTER_MS_MAX);
}

function kubeStatusOf(body: unknown): JsonRecord | undefined {
  const record = asRecord(body);
  return record?.["kind"] === "Status" ? record : undefined;
}

function hasCause(kubeStatus: JsonRecord | undefined, reason: string): boolean {
  return asList(valueAt(kubeStatus, ["details", "causes"]))
    .some((cause) => asRecord(cause)?.["reason"] === reason);
}

/** What the API server itself says for a path it does not know. */
function isPathAnswer(body: string): boolean {
  return body.trim() === "404 page not found";
}

function quote(status: number, body: unknown): string {
  const text = typeof body === "string" ? body : JSON.stringify(body) ?? "";
  if (/^\s*<(?:!doctype|html)/i.test(text)) {
    return `the server answered ${status} with an HTML page`;
  }
  const line = text.trim().replaceAll(/\s+/g, " ").slice(0, QUOTE_LENGTH_MAX);
  return `the server answered ${status}${line === "" ? "" : ` "${line}"`}`;
}

function withoutFullStop(text: string): string {
  return text.trim().replace(/\.$/, "");
}
