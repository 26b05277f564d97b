/** Reads when a certificate ends: just enough of DER for that one field. */

/** One element of DER: what it is and where its content stands. */
interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

const SEQUENCE = 0x30;
const VERSION = 0xa0;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

/**
 * When a certificate ends.
 *
 * @param pem PEM; its first certificate counts.
 * @returns Unix milliseconds; `undefined` if there is no certificate that can be read.
 * @source RFC 5280 section 4.1: Certificate { tbsCertificate { [0] version, serialNumber,
 *   signature, issuer, validity { notBefore, notAfter }, ... } ... }
 */
export function expiryOf(pem: string | undefined): number | undefined {
  const [, base64] = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(pem ?? "") ?? [];
  if (base64 === undefined) return undefined;
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(base64);
  } catch {
    return undefined;
  }
  const certificate = elementAt(bytes, 0);
  const body = certificate && elementAt(bytes, certificate.start);
  if (body?.tag !== SEQUENCE) return undefined;
  let field = elementAt(bytes, body.start);
  if (field?.tag === VERSION) field = elementAt(bytes, field.end);
  // From the serial number over signature and issuer to the validity.
  for (let step = 0; step < 3; step++) field = field && elementAt(bytes, field.end);
  const notBefore = field?.tag === SEQUENCE ? elementAt(bytes, field.start) : undefined;
  const notAfter = notBefore && elementAt(bytes, notBefore.end);
  return notAfter && timeOf(bytes, notAfter);
}

function elementAt(bytes: Uint8Array, at: number): Element | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 3) return undefined; // No certificate has 16 MB.
  let length = lengthBytes === 0 ? first : 0;
  for (let index = 0; index < lengthBytes; index++) {
    length = (length << 8) | (bytes[at + 2 + index] ?? 0);
  }
  const start = at + 2 + lengthBytes;
  const end = start + length;
  return end <= bytes.length ? { tag, start, end } : undefined;
}

/** `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`; two digits below 50 are of this century. */
function timeOf(bytes: Uint8Array, { tag, start, end }: Element): number | undefined {
  if (tag !== UTC_TIME && tag !== GENERALIZED_TIME) return undefined;
  const text = new TextDecoder().decode(bytes.subarray(start, end));
  const digits = tag === GENERALIZED_TIME
    ? text
    : `${Number(text.slice(0, 2)) < 50 ? 20 : 19}${text}`;
  const found = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(digits);
  if (found === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1).map(
    Number,
  );
  return Date.UTC(year, month - 1, day, hour, minute, second);
}
