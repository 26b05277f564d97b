/** Certificates and keys as PEM: what they say, and whether they belong together. */
import { createPrivateKey, X509Certificate } from "node:crypto";

/** A certificate (or a chain that begins with it) and its key, PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** What decisions need to know of a certificate. */
export interface CertificateFacts {
  readonly cert: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** DNS names that it is for. */
  readonly hosts: readonly string[];
}

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates of a bundle, one PEM each; those that are none are left out. */
export function certificatesIn(bundle: string): readonly string[] {
  return (bundle.match(PEM) ?? []).map((text) => `${text}\n`)
    .filter((text) => parsed(text) !== undefined);
}

/** Certificates as one bundle, each once. */
export function bundleOf(certs: Iterable<string>): string {
  return [...new Set(certs)].join("");
}

/** What a certificate says; `undefined` for a text that is none. */
export function factsOf(cert: string): CertificateFacts | undefined {
  const certificate = parsed(cert);
  if (certificate === undefined) return undefined;
  const hosts = (certificate.subjectAltName ?? "").split(", ")
    .flatMap((name) => name.startsWith("DNS:") ? [name.slice("DNS:".length)] : []);
  return {
    cert,
    notBeforeMs: Date.parse(certificate.validFrom),
    notAfterMs: Date.parse(certificate.validTo),
    hosts,
  };
}

/** Whether a key is that of a certificate. */
export function isPair({ cert, key }: Pair): boolean {
  try {
    return parsed(cert)?.checkPrivateKey(createPrivateKey(key)) ?? false;
  } catch {
    return false; // No key at all.
  }
}

/** Whether a certificate was signed by the key of another one. */
export function isIssuedBy(cert: string, { issuer }: { readonly issuer: string }): boolean {
  try {
    const key = parsed(issuer)?.publicKey;
    return key !== undefined && (parsed(cert)?.verify(key) ?? false);
  } catch {
    return false; // Of another kind of key.
  }
}

/** The text that base64 of an API object holds; empty for what is none. */
export function textOf(base64: string | undefined): string {
  if (base64 === undefined) return "";
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(base64));
  } catch {
    return "";
  }
}

function parsed(cert: string): X509Certificate | undefined {
  try {
    return new X509Certificate(cert);
  } catch {
    return undefined;
  }
}
