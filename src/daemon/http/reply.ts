/** HTTP/1.1 replies, as values and as bytes. Pure. */

/** A reply whose body is JSON, a text, or empty. */
export interface HttpReply {
  readonly status: number;
  /** Written as JSON; `undefined`: no body, or `text`. */
  readonly json?: unknown;
  /** A body that is no JSON. */
  readonly text?: { readonly contentType: string; readonly body: string } | undefined;
  /** Beside those that every reply has. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Bytes that let a sender go on who waits before it sends a body. */
export const CONTINUE: Uint8Array = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

const REASONS: ReadonlyMap<number, string> = new Map([
  [200, "OK"],
  [400, "Bad Request"],
  [404, "Not Found"],
  [405, "Method Not Allowed"],
  [408, "Request Timeout"],
  [413, "Content Too Large"],
  [422, "Unprocessable Content"],
  [431, "Request Header Fields Too Large"],
  [500, "Internal Server Error"],
  [501, "Not Implemented"],
  [503, "Service Unavailable"],
  [505, "HTTP Version Not Supported"],
]);

/**
 * A reply in the form that every refusal has which no operation made: `{"code": …, "message": …}`.
 *
 * @param code The status unless it says more.
 */
export function refusalReply(
  status: number,
  { message, code = status, headers = {} }: {
    readonly message: string;
    readonly code?: number;
    readonly headers?: Readonly<Record<string, string>>;
  },
): HttpReply {
  return { status, json: { code, message }, headers };
}

/**
 * Writes a reply.
 *
 * @param options.nowMs Unix milliseconds, for `Date`.
 * @param options.isClosing Whether the connection ends with it.
 * @param options.isHead Whether HEAD was asked, whose reply says the length of a body it has not.
 */
export function encodeReply(
  { status, json, text, headers = {} }: HttpReply,
  { nowMs, isClosing, isHead }: {
    readonly nowMs: number;
    readonly isClosing: boolean;
    readonly isHead: boolean;
  },
): Uint8Array {
  const content = json === undefined
    ? text
    : { contentType: "application/json", body: `${JSON.stringify(json)}\n` };
  const body = content?.body ?? "";
  const size = new TextEncoder().encode(body).length;
  const lines = [
    `HTTP/1.1 ${status} ${REASONS.get(status) ?? ""}`,
    ...(content === undefined ? [] : [`Content-Type: ${content.contentType}`]),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    `Content-Length: ${size}`,
    `Date: ${new Date(nowMs).toUTCString()}`,
    ...(isClosing ? ["Connection: close"] : []),
  ];
  return new TextEncoder().encode(`${lines.join("\r\n")}\r\n\r\n${isHead ? "" : body}`);
}
