/**
 * What a failed connection means. Deno tells apart only by text; a test holds the lines of the
 * table against the running Deno, so that an upgrade that changes a text is noticed.
 */
import { errorText } from "../base/log.ts";

/** Why a request got no answer. */
export interface ConnectProblem {
  /** Part of a sentence: what is wrong, a colon, what to do. */
  readonly text: string;
  /** True when the request cannot have reached the server. */
  readonly nothingSent: boolean;
}

interface Row {
  readonly pattern: RegExp;
  readonly text: (origin: string) => string;
}

const CLIENT_REFUSED =
  /fatal alert: ?(?:(?:Bad)?Certificate(?:Required|Expired|Unknown)?|UnknownCA|AccessDenied)/;
const CUT =
  /connection (?:closed|reset)|broken pipe|unexpected.eof|close_notify|reading a body|http2 error/i;

const ROWS: readonly Row[] = [
  {
    pattern: /connection refused/i,
    text: (origin) =>
      `the connection was refused: check that the API server runs and that ${origin} names its ` +
      `address`,
  },
  {
    pattern: /no route to host|network is unreachable|host unreachable/i,
    text: () => "there is no route to the server: check the node's network",
  },
  {
    pattern: /dns error|failed to lookup address/i,
    text: (origin) =>
      `the host name cannot be resolved: check DNS and the server named by ${origin}`,
  },
  {
    pattern: /UnknownIssuer/,
    text: (origin) =>
      `the server's certificate is signed by an authority that is not trusted: set ` +
      `certificate-authority-data in ${origin}`,
  },
  {
    pattern: /certificate expired/i,
    text: () => "the server's certificate has expired: renew it, or correct this machine's clock",
  },
  {
    pattern: /not ?valid ?yet/i,
    text: () => "the server's certificate is not valid yet: correct this machine's clock",
  },
  {
    pattern: /not valid for name/i,
    text: (origin) =>
      `the server's certificate names other hosts: use one of those in ${origin}, or add this ` +
      `one to the certificate`,
  },
  {
    pattern: /invalid peer certificate/i,
    text: (origin) =>
      `the server's certificate is not accepted: check certificate-authority in ${origin}`,
  },
  {
    pattern: CLIENT_REFUSED,
    text: (origin) =>
      `the server refused our certificate during the TLS handshake: renew the client ` +
      `certificate of ${origin}`,
  },
  {
    pattern: /InvalidContentType|corrupt message/i,
    text: (origin) => `the server does not speak TLS: correct the port or scheme in ${origin}`,
  },
  {
    pattern: /tls handshake eof/i,
    text: () =>
      "the server closed the connection during the TLS handshake: check that the port is the " +
      "API server's",
  },
];

/**
 * Reads what `fetch` threw.
 *
 * @param options.origin Where the server's address was read, for the remedy.
 */
export function connectProblemOf(
  error: unknown,
  { origin }: { readonly origin: string },
): ConnectProblem {
  const chain = errorText(error);
  // hyper's word for everything up to the end of the TLS handshake. A TLS 1.3 server refuses a
  // client certificate after it, so that refusal counts as sent; that is the safe side.
  const nothingSent = chain.includes("client error (Connect)") ||
    chain.includes("are blocked");
  const row = ROWS.find(({ pattern }) => pattern.test(chain));
  if (row !== undefined) return { text: row.text(origin), nothingSent };
  if (CUT.test(chain)) {
    return {
      text: `the connection was cut before the answer was complete (${tail(chain)})`,
      nothingSent,
    };
  }
  return { text: `the request failed (${tail(chain)})`, nothingSent };
}

/** The part that says something: behind hyper's own words and addresses. */
function tail(chain: string): string {
  const parts = chain.split(/client error \(\w+\): |fetch failed: /);
  return parts.at(-1) ?? chain;
}
