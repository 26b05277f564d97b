/** AdmissionReview (admission.k8s.io/v1): reads a request, writes a verdict or a JSON patch. */
import { err, ok, type Result } from "../base/result.ts";
import { asRecord, asText, isRecord, type JsonRecord } from "./json_value.ts";

/** Bytes of a review: an object of the largest size, twice (old and new), and its envelope. */
export const REVIEW_BYTES_MAX = 3_500_000;
/** Bytes of the reasons that a refusal or a warning carries; the rest is cut. */
const MESSAGE_BYTES_MAX = 4_096;
/** Warnings of one answer; the server shows no more. */
const WARNINGS_MAX = 16;
/** Causes of one refusal; kubectl prints a line for each. */
const CAUSES_MAX = 32;

/** What the API server asks about. */
export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: "CREATE" | "UPDATE" | "DELETE" | "CONNECT";
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Plural of the resource, and the subresource: empty for the object itself. */
  readonly resource: string;
  readonly subResource: string;
  readonly namespace: string | undefined;
  /** Empty where the server is to make one. */
  readonly name: string;
  readonly username: string;
  readonly groups: readonly string[];
  readonly dryRun: boolean;
  /** Absent for DELETE. */
  readonly object: unknown;
  /** Absent for CREATE. */
  readonly oldObject: unknown;
}

/** One operation of RFC 6902. */
export type JsonPatchOperation =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** One wrong field, as a Kubernetes Status names it; kubectl prints `field: message`. */
export interface StatusCause {
  readonly reason:
    | "FieldValueInvalid"
    | "FieldValueRequired"
    | "FieldValueForbidden"
    | "FieldValueDuplicate"
    | "FieldValueNotSupported";
  /** Such as `spec.ips[3]`. */
  readonly field: string;
  readonly message: string;
}

/** What is answered. */
export type AdmissionVerdict =
  | {
    readonly allowed: true;
    /** What a mutating webhook changes; empty: nothing. */
    readonly patch?: readonly JsonPatchOperation[] | undefined;
    readonly warnings?: readonly string[] | undefined;
  }
  | {
    readonly allowed: false;
    /** One sentence: field, value, what is allowed. */
    readonly message: string;
    /** HTTP status for the client; 403 where absent, 422 for content. */
    readonly status?: RefusalStatus | undefined;
    /** Every wrong field; clients that print them leave `message` out. */
    readonly causes?: readonly StatusCause[] | undefined;
    readonly warnings?: readonly string[] | undefined;
  };

/** HTTP status of a refusal. */
export type RefusalStatus = 400 | 403 | 409 | 422 | 503;

const OPERATIONS = ["CREATE", "UPDATE", "DELETE", "CONNECT"] as const;
const REASONS: Readonly<Record<RefusalStatus, string>> = {
  400: "BadRequest",
  403: "Forbidden",
  409: "AlreadyExists",
  422: "Invalid",
  503: "ServiceUnavailable",
};

/**
 * Reads a review.
 *
 * @param bytes Body of the webhook request.
 * @returns A refusal is one sentence for the server's log; answer it with HTTP 400.
 */
export function readReview(bytes: Uint8Array): Result<AdmissionRequest, string> {
  if (bytes.length > REVIEW_BYTES_MAX) {
    return err(`The review has ${bytes.length} bytes: ${REVIEW_BYTES_MAX} are taken`);
  }
  let review: JsonRecord | undefined;
  try {
    review = asRecord(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)));
  } catch {
    return err("The review is not JSON: send an AdmissionReview");
  }
  if (review?.["kind"] !== "AdmissionReview") {
    return err(`kind is ${JSON.stringify(review?.["kind"])}: send an AdmissionReview`);
  }
  if (review["apiVersion"] !== "admission.k8s.io/v1") {
    return err(
      `apiVersion is ${JSON.stringify(review["apiVersion"])}: only admission.k8s.io/v1 is known`,
    );
  }
  const request = asRecord(review["request"]);
  if (request === undefined) return err("request is missing");
  const uid = asText(request["uid"]);
  if (uid === undefined) return err("request.uid is missing");
  const operation = OPERATIONS.find((known) => known === request["operation"]);
  if (operation === undefined) {
    return err(
      `request.operation is ${JSON.stringify(request["operation"])}: ` +
        `${OPERATIONS.join(", ")} are known`,
    );
  }
  const kind = asRecord(request["kind"]) ?? {};
  const user = asRecord(request["userInfo"]) ?? {};
  const groups = user["groups"];
  return ok({
    uid,
    operation,
    group: asText(kind["group"]) ?? "",
    version: asText(kind["version"]) ?? "",
    kind: asText(kind["kind"]) ?? "",
    resource: asText(asRecord(request["resource"])?.["resource"]) ?? "",
    subResource: asText(request["subResource"]) ?? "",
    namespace: asText(request["namespace"]),
    name: asText(request["name"]) ?? "",
    username: asText(user["username"]) ?? "",
    groups: Array.isArray(groups) ? groups.map(String) : [],
    dryRun: request["dryRun"] === true,
    object: isRecord(request["object"]) ? request["object"] : undefined,
    oldObject: isRecord(request["oldObject"]) ? request["oldObject"] : undefined,
  });
}

/** Writes the answer to a request as the text of an AdmissionReview. */
export function writeReview(
  request: Pick<AdmissionRequest, "uid"> & Partial<AdmissionRequest>,
  verdict: AdmissionVerdict,
): string {
  const { uid } = request;
  const warnings = (verdict.warnings ?? []).slice(0, WARNINGS_MAX).map(shorten);
  const common = { uid, allowed: verdict.allowed, ...(warnings.length > 0 && { warnings }) };
  const response = verdict.allowed ? { ...common, ...patchOf(verdict.patch) } : {
    ...common,
    status: {
      code: verdict.status ?? 403,
      reason: REASONS[verdict.status ?? 403],
      message: shorten(verdict.message),
      ...detailsOf(request, verdict.causes),
    },
  };
  return JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
}

/** A field as a step of a JSON pointer: `a/b` is `a~1b`. */
export function pointerStep(field: string): string {
  return field.replaceAll("~", "~0").replaceAll("/", "~1");
}

function detailsOf(
  { group, kind, name }: Partial<AdmissionRequest>,
  causes: readonly StatusCause[] = [],
): JsonRecord {
  if (causes.length === 0) return {};
  const shown = causes.slice(0, CAUSES_MAX).map((cause) => {
    return { ...cause, message: shorten(cause.message) };
  });
  const more = causes.length - shown.length;
  if (more > 0) {
    const message = `${more} more ${more === 1 ? "field is" : "fields are"} wrong as well`;
    shown.push({ reason: "FieldValueInvalid", field: "", message });
  }
  return { details: { group, kind, name, causes: shown } };
}

function patchOf(patch: readonly JsonPatchOperation[] | undefined): JsonRecord {
  if (patch === undefined || patch.length === 0) return {};
  const bytes = new TextEncoder().encode(JSON.stringify(patch));
  return { patchType: "JSONPatch", patch: bytes.toBase64() };
}

function shorten(text: string): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= MESSAGE_BYTES_MAX) return text;
  // A character that is cut in two becomes a replacement character, which is dropped.
  const head = new TextDecoder().decode(bytes.subarray(0, MESSAGE_BYTES_MAX - 3));
  return `${head.replace(/\uFFFD$/, "")}…`;
}
