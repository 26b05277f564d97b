/** The Secret that keeps the certificates, and what stands in it. */
import type { Secret } from "../../api/kubernetes/secret.ts";
import {
  bundleOf,
  type CertificateFacts,
  certificatesIn,
  factsOf,
  isIssuedBy,
  isPair,
  type Pair,
  textOf,
} from "./certificate.ts";
import type { CertificatesFound } from "./rotation.ts";

/** Name of the Secret, as the reference's chart calls it. */
export const CERTIFICATES_SECRET = "spiderpool-controller-server-certs";

/**
 * Keys of the Secret. `ca.crt` holds every authority that is trusted; which of them issues, and
 * which one will, their keys tell. The first three are the reference's.
 */
const KEYS = {
  trusted: "ca.crt",
  cert: "tls.crt",
  key: "tls.key",
  authorityKey: "ca.key",
  nextKey: "next-ca.key",
} as const;

/** What the Secret keeps. */
export interface Certificates {
  /** That issues. */
  readonly authority?: Pair | undefined;
  /** That will issue. */
  readonly next?: Pair | undefined;
  /** Further authorities that are trusted, PEM. */
  readonly former: readonly string[];
  readonly serving?: Pair | undefined;
}

/** Reads the Secret; what is no certificate, or has another one's key, is left out. */
export function readCertificates(secret: Secret | undefined): Certificates {
  const data = secret?.data ?? {};
  const trusted = certificatesIn(textOf(data[KEYS.trusted]));
  const authority = pairAmong(trusted, textOf(data[KEYS.authorityKey]));
  const next = pairAmong(trusted, textOf(data[KEYS.nextKey]));
  const serving = { cert: textOf(data[KEYS.cert]), key: textOf(data[KEYS.key]) };
  return {
    authority,
    next: next?.cert === authority?.cert ? undefined : next,
    former: trusted.filter((cert) => cert !== authority?.cert && cert !== next?.cert),
    serving: isPair(serving) ? serving : undefined,
  };
}

/** Writes what the Secret keeps, beside whatever else it has. */
export function writeCertificates(
  certificates: Certificates,
  data: Secret["data"] = {},
): Readonly<Record<string, string>> {
  const { authority, next, serving } = certificates;
  const { [KEYS.nextKey]: _nextKey, ...rest } = data;
  return {
    ...rest,
    [KEYS.trusted]: bytesOf(trustedBundle(certificates)),
    [KEYS.cert]: bytesOf(serving?.cert ?? ""),
    [KEYS.key]: bytesOf(serving?.key ?? ""),
    [KEYS.authorityKey]: bytesOf(authority?.key ?? ""),
    ...next === undefined ? {} : { [KEYS.nextKey]: bytesOf(next.key) },
  };
}

/** Every authority that API servers must trust, as one PEM bundle. */
export function trustedBundle({ authority, next, former }: Certificates): string {
  const certs = [authority?.cert, next?.cert, ...former].filter((cert) => cert !== undefined);
  return bundleOf(certs);
}

/** What a decision needs to know. */
export function foundIn(
  { authority, next, former, serving }: Certificates,
  { isTrusted, hosts }: Pick<CertificatesFound, "isTrusted" | "hosts">,
): CertificatesFound {
  const served = serving === undefined ? undefined : factsOf(serving.cert);
  const issuer = authority?.cert;
  return {
    authority: authority && factsOf(authority.cert),
    next: next && factsOf(next.cert),
    former: former.map(factsOf).filter((facts): facts is CertificateFacts => facts !== undefined),
    serving: served && {
      ...served,
      isOfAuthority: issuer !== undefined && isIssuedBy(served.cert, { issuer }),
    },
    isTrusted,
    hosts,
  };
}

function pairAmong(certs: readonly string[], key: string): Pair | undefined {
  if (key === "") return undefined;
  const cert = certs.find((cert) => isPair({ cert, key }));
  return cert === undefined ? undefined : { cert, key };
}

function bytesOf(text: string): string {
  return new TextEncoder().encode(text).toBase64();
}
