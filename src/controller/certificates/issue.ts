/** Makes certificates: an authority of our own, and what it vouches for. */
import "reflect-metadata"; // Before @peculiar/x509, which asks for it.
import * as x509 from "@peculiar/x509";
import type { Random } from "../../base/random.ts";
import type { Pair } from "./certificate.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** Bits of a serial number, which is not guessed and never repeats. */
const SERIAL_BITS = 120n;

/** When a certificate is made, by the server's clock, and how long it is good for. */
export interface Span {
  readonly nowMs: number;
  readonly lifetimeMs: number;
  /** Milliseconds that it was good already, for verifiers whose clock is behind. */
  readonly backdatedMs: number;
}

/** What making a certificate takes. */
export interface IssueOptions extends Span {
  readonly random: Random;
}

/** Makes an authority with a key of its own. */
export async function makeAuthority(name: string, options: IssueOptions): Promise<Pair> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(options.random),
    name: [{ CN: [name] }],
    ...validity(options),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pairOf(certificate, keys.privateKey);
}

/** Makes the certificate of a server. @param options.hosts DNS names; the first is its name. */
export async function issueServing(
  authority: Pair,
  { hosts, ...options }: IssueOptions & { readonly hosts: readonly string[] },
): Promise<Pair> {
  const keys = await generateKeys();
  const root = new x509.X509Certificate(authority.cert);
  const names = hosts.map((value) => ({ type: "dns" as const, value }));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(options.random),
    subject: [{ CN: ["spiderpool-controller"] }],
    issuer: root.subjectName,
    ...validity(options),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(root),
      new x509.SubjectAlternativeNameExtension(names),
    ],
  });
  return pairOf(certificate, keys.privateKey);
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

function importKey(pem: string): Promise<CryptoKey> {
  const [der] = x509.PemConverter.decode(pem);
  return crypto.subtle.importKey("pkcs8", der ?? new ArrayBuffer(0), ALGORITHM, false, ["sign"]);
}

async function pairOf(certificate: x509.X509Certificate, key: CryptoKey): Promise<Pair> {
  const der = await crypto.subtle.exportKey("pkcs8", key);
  return {
    cert: `${certificate.toString("pem")}\n`,
    key: `${x509.PemConverter.encode(der, "PRIVATE KEY")}\n`,
  };
}

function serialNumber(random: Random): string {
  // Positive, and never so short that zeros lead it.
  return `1${random.bigBelow(1n << SERIAL_BITS).toString(16).padStart(31, "0")}`;
}

function validity(
  { nowMs, lifetimeMs, backdatedMs }: Span,
): { readonly notBefore: Date; readonly notAfter: Date } {
  return { notBefore: new Date(nowMs - backdatedMs), notAfter: new Date(nowMs + lifetimeMs) };
}
