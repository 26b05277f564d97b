/** Request line and headers out of text. Pure. */
import { err, ok, type Result } from "../../base/result.ts";
import { shown } from "../../api/problem.ts";

/** Why bytes are no request; nothing after them on the connection can be read. */
export interface HttpRefusal {
  readonly status: 400 | 413 | 431 | 501 | 505;
  /** One sentence. */
  readonly message: string;
}

/** Where a body ends. */
export type BodyFraming =
  | { readonly kind: "fixed"; readonly size: number }
  | { readonly kind: "chunked" };

/** What comes before the body. */
export interface RequestHead {
  readonly method: string;
  /** As it was sent, up to the query. */
  readonly path: string;
  /** After the question mark; empty for none. */
  readonly query: string;
  /** Names in lower case; fields of one name are joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  readonly framing: BodyFraming;
  /** Whether the connection may carry another request after the reply. */
  readonly keepsAlive: boolean;
  /** Whether the sender waits for `100 Continue`. */
  readonly expectsContinue: boolean;
}

const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;
const BODY_DIGITS_MAX = 15;

/** @param text Everything before the empty line, one character for each byte. */
export function readHead(text: string): Result<RequestHead, HttpRefusal> {
  const [first = "", ...lines] = text.split("\r\n");
  const line = readRequestLine(first);
  if (!line.ok) return line;
  const headers = readHeaders(lines);
  if (!headers.ok) return headers;
  const framing = readFraming(headers.value);
  if (!framing.ok) return framing;
  const { isNewer, ...rest } = line.value;
  const connection = tokensOf(headers.value.get("connection"));
  return ok({
    ...rest,
    headers: headers.value,
    framing: framing.value,
    keepsAlive: isNewer ? !connection.includes("close") : connection.includes("keep-alive"),
    expectsContinue: isNewer && tokensOf(headers.value.get("expect")).includes("100-continue"),
  });
}

interface RequestLine {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** Of HTTP/1.1 rather than 1.0. */
  readonly isNewer: boolean;
}

function readRequestLine(line: string): Result<RequestLine, HttpRefusal> {
  const [method = "", target = "", version = "", ...more] = line.split(" ");
  if (more.length > 0 || !TOKEN.test(method) || !/^[\x21-\x7e]+$/.test(target)) {
    return badRequest(`line ${shown(line)}: write a method, a path and HTTP/1.1`);
  }
  if (version !== "HTTP/1.1" && version !== "HTTP/1.0") {
    if (!/^HTTP\/\d/.test(version)) {
      return badRequest(`line ${shown(line)}: write a method, a path and HTTP/1.1`);
    }
    return err({ status: 505, message: `Cannot speak ${shown(version)}: speak HTTP/1.1` });
  }
  const origin = originForm(target);
  if (origin === undefined) {
    return badRequest(`target ${shown(target)}: write a path that begins with a slash`);
  }
  const cut = origin.indexOf("?");
  const path = cut < 0 ? origin : origin.slice(0, cut);
  const query = cut < 0 ? "" : origin.slice(cut + 1);
  return ok({ method, path, query, isNewer: version === "HTTP/1.1" });
}

/** Path and query of a target; proxies and some clients write the whole URL. */
function originForm(target: string): string | undefined {
  if (target.startsWith("/")) return target;
  const url = /^https?:\/\//i.test(target) ? URL.parse(target) : null;
  return url === null ? undefined : url.pathname + url.search;
}

function readHeaders(
  lines: readonly string[],
): Result<ReadonlyMap<string, string>, HttpRefusal> {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const cut = line.indexOf(":");
    const name = line.slice(0, Math.max(cut, 0));
    const value = line.slice(cut + 1).trim();
    // deno-lint-ignore no-control-regex -- control characters are what is refused
    if (!TOKEN.test(name) || /[\0-\x08\x0a-\x1f\x7f]/.test(value)) {
      return badRequest(`header ${shown(line)}: write "name: value", without line breaks`);
    }
    const key = name.toLowerCase();
    const before = headers.get(key);
    headers.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return ok(headers);
}

function readFraming(headers: ReadonlyMap<string, string>): Result<BodyFraming, HttpRefusal> {
  const length = headers.get("content-length");
  const coding = headers.get("transfer-encoding");
  if (coding !== undefined) {
    if (length !== undefined) {
      return badRequest("framing: write content-length or transfer-encoding, not both");
    }
    if (coding.toLowerCase() === "chunked") return ok({ kind: "chunked" });
    return err({
      status: 501,
      message: `Cannot read the transfer-encoding ${shown(coding)}: send "chunked" or a length`,
    });
  }
  if (length === undefined) return ok({ kind: "fixed", size: 0 });
  const lengths = new Set(length.split(/\s*,\s*/));
  const [digits = ""] = lengths;
  if (lengths.size > 1 || !/^\d+$/.test(digits) || digits.length > BODY_DIGITS_MAX) {
    return badRequest(`content-length ${shown(length)}: write one number of bytes`);
  }
  return ok({ kind: "fixed", size: Number(digits) });
}

function tokensOf(value: string | undefined): readonly string[] {
  return (value ?? "").toLowerCase().split(",").map((token) => token.trim());
}

function badRequest(problem: string): Result<never, HttpRefusal> {
  return err({ status: 400, message: `Cannot read the request ${problem}` });
}
