/**
 * A certificate authority for tests: makes X.509 certificates and keys in memory, with WebCrypto
 * and the few lines of DER that takes (RFC 5280).
 */

/** A certificate and its key, PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is issued for. */
export interface IssueOptions {
  readonly commonName: string;
  /** Makes it a certificate of a server; IPv4 addresses and DNS names. Absent: of a client. */
  readonly hosts?: readonly string[];
  readonly organization?: string;
  /** An hour ago where absent. */
  readonly notBefore?: Date;
  /** A day from now where absent. */
  readonly notAfter?: Date;
}

/** Issues certificates that `cert` vouches for. */
export interface Authority {
  /** PEM of the authority itself. */
  readonly cert: string;
  issue(options: IssueOptions): Promise<KeyPair>;
}

type Bytes = Uint8Array<ArrayBuffer>;

interface Subject {
  readonly name: Bytes;
  readonly publicKey: CryptoKey;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly extensions: readonly Bytes[];
}

const KEY = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const HOUR_MS = 3_600_000;

const COMMON_NAME = oid(0x55, 0x04, 0x03);
const ORGANIZATION = oid(0x55, 0x04, 0x0a);
const ECDSA_WITH_SHA256 = tag(0x30, oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13);
const SUBJECT_ALTERNATIVE_NAME = oid(0x55, 0x1d, 0x11);
const EXTENDED_KEY_USAGE = oid(0x55, 0x1d, 0x25);
const SERVER_AUTH = oid(0x2b, 6, 1, 5, 5, 7, 3, 1);
const CLIENT_AUTH = oid(0x2b, 6, 1, 5, 5, 7, 3, 2);
const TRUE = tag(0x01, Uint8Array.of(0xff));

/** Makes an authority with a key of its own. */
export async function makeAuthority(name = "test-authority"): Promise<Authority> {
  const keys = await crypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
  const issuer = { name: nameOf({ commonName: name }), key: keys.privateKey };
  const cert = await sign({
    name: issuer.name,
    publicKey: keys.publicKey,
    ...spanOf({}),
    extensions: [extension(BASIC_CONSTRAINTS, { critical: true, value: tag(0x30, TRUE) })],
  }, issuer);
  return {
    cert,
    issue: async (options) => {
      const own = await crypto.subtle.generateKey(KEY, true, ["sign", "verify"]);
      const hosts = options.hosts ?? [];
      const usage = hosts.length > 0 ? SERVER_AUTH : CLIENT_AUTH;
      const extensions = [extension(EXTENDED_KEY_USAGE, { value: tag(0x30, usage) })];
      if (hosts.length > 0) {
        const value = tag(0x30, ...hosts.map(generalName));
        extensions.push(extension(SUBJECT_ALTERNATIVE_NAME, { value }));
      }
      const subject = { name: nameOf(options), publicKey: own.publicKey, ...spanOf(options) };
      const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", own.privateKey));
      return {
        cert: await sign({ ...subject, extensions }, issuer),
        key: pem("PRIVATE KEY", pkcs8),
      };
    },
  };
}

async function sign(
  subject: Subject,
  issuer: { readonly name: Bytes; readonly key: CryptoKey },
): Promise<string> {
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", subject.publicKey));
  const serial = crypto.getRandomValues(new Uint8Array(8));
  serial[0] = 0x01; // Positive, and never shortened.
  const body = tag(
    0x30,
    tag(0xa0, tag(0x02, Uint8Array.of(2))),
    tag(0x02, serial),
    ECDSA_WITH_SHA256,
    issuer.name,
    tag(0x30, time(subject.notBefore), time(subject.notAfter)),
    subject.name,
    spki,
    tag(0xa3, tag(0x30, ...subject.extensions)),
  );
  const pair = new Uint8Array(await crypto.subtle.sign(SIGNATURE, issuer.key, body));
  const signature = tag(0x30, integer(pair.slice(0, 32)), integer(pair.slice(32)));
  return pem("CERTIFICATE", tag(0x30, body, ECDSA_WITH_SHA256, tag(0x03, ZERO, signature)));
}

const ZERO = Uint8Array.of(0);

function spanOf(
  { notBefore, notAfter }: Pick<IssueOptions, "notBefore" | "notAfter">,
): { readonly notBefore: Date; readonly notAfter: Date } {
  return {
    notBefore: notBefore ?? new Date(Date.now() - HOUR_MS),
    notAfter: notAfter ?? new Date(Date.now() + 24 * HOUR_MS),
  };
}

function nameOf(
  { commonName, organization }: { readonly commonName: string; readonly organization?: string },
): Bytes {
  const parts = organization === undefined ? [] : [attribute(ORGANIZATION, organization)];
  return tag(0x30, ...parts, attribute(COMMON_NAME, commonName));
}

function attribute(type: Bytes, text: string): Bytes {
  return tag(0x31, tag(0x30, type, tag(0x0c, encode(text))));
}

function generalName(host: string): Bytes {
  if (/^[\d.]+$/.test(host)) return tag(0x87, Uint8Array.from(host.split("."), Number));
  return tag(0x82, encode(host));
}

function extension(
  id: Bytes,
  { critical = false, value }: { readonly critical?: boolean; readonly value: Bytes },
): Bytes {
  return tag(0x30, id, ...(critical ? [TRUE] : []), tag(0x04, value));
}

/** GeneralizedTime, which every verifier reads for every year. */
function time(date: Date): Bytes {
  return tag(0x18, encode(date.toISOString().replaceAll(/[-:T]|\.\d+/g, "")));
}

/** An unsigned number as the shortest INTEGER that is not negative. */
function integer(bytes: Bytes): Bytes {
  const first = bytes.findIndex((byte) => byte !== 0);
  const short = first < 0 ? ZERO : bytes.slice(first);
  return tag(0x02, ...((short[0] ?? 0) >= 0x80 ? [ZERO, short] : [short]));
}

function oid(...bytes: readonly number[]): Bytes {
  return tag(0x06, Uint8Array.from(bytes));
}

function tag(number: number, ...parts: readonly Bytes[]): Bytes {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const size = length < 0x80
    ? [length]
    : length < 0x100
    ? [0x81, length]
    : [0x82, length >> 8, length & 0xff];
  const out = new Uint8Array(1 + size.length + length);
  out.set([number, ...size]);
  let at = 1 + size.length;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function encode(text: string): Bytes {
  return new TextEncoder().encode(text);
}

function pem(label: string, bytes: Bytes): string {
  const lines = bytes.toBase64().replaceAll(/(.{64})/g, "$1\n").trimEnd();
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
