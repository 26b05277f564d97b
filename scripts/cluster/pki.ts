import "reflect-metadata"; // Before @peculiar/x509, which asks for it.
import * as x509 from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const YEAR_MS = 365 * 24 * 3600 * 1000;

/** A private key (PKCS #8) and its certificate or public key, all PEM. */
export interface PemPair {
  readonly key: string;
  readonly certificate: string;
}

/** Whom a certificate names, and where its server answers. */
export interface CertificateWish {
  readonly commonName: string;
  readonly organization?: string;
  readonly dnsNames?: readonly string[];
  readonly addresses?: readonly string[];
}

/** A certificate authority that lives as long as one cluster. */
export interface Authority {
  readonly certificate: string;
  /** Its private key (PKCS #8, PEM), of which `openAuthority` makes it again. */
  readonly key: string;
  /** Signs a certificate for client and server use, good for a year. */
  issue(wish: CertificateWish): Promise<PemPair>;
}

/** Makes an authority with a new key. */
export async function createAuthority(commonName: string): Promise<Authority> {
  x509.cryptoProvider.set(crypto);
  const keys = await generateKeys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [commonName] }],
    ...validity(),
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificate: root.toString("pem"),
    key: await privatePem(keys.privateKey),
    issue: (wish) => issue(wish, { root, signingKey: keys.privateKey }),
  };
}

/** An authority that was made before. */
export async function openAuthority(pair: PemPair): Promise<Authority> {
  x509.cryptoProvider.set(crypto);
  const root = new x509.X509Certificate(pair.certificate);
  const key = x509.PemConverter.decodeFirst(pair.key);
  const signingKey = await crypto.subtle.importKey("pkcs8", key, ALGORITHM, false, ["sign"]);
  return { ...pair, issue: (wish) => issue(wish, { root, signingKey }) };
}

/** Makes the pair that signs and checks service account tokens. */
export async function createTokenKeys(): Promise<
  { readonly key: string; readonly public: string }
> {
  const keys = await generateKeys();
  const spki = await crypto.subtle.exportKey("spki", keys.publicKey);
  return {
    key: await privatePem(keys.privateKey),
    public: x509.PemConverter.encode(spki, "PUBLIC KEY"),
  };
}

async function issue(
  wish: CertificateWish,
  { root, signingKey }: { readonly root: x509.X509Certificate; readonly signingKey: CryptoKey },
): Promise<PemPair> {
  const keys = await generateKeys();
  const names = [
    ...(wish.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
    ...(wish.addresses ?? []).map((value) => ({ type: "ip" as const, value })),
  ];
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [
      ...(wish.organization === undefined ? [] : [{ O: [wish.organization] }]),
      { CN: [wish.commonName] },
    ],
    issuer: root.subjectName,
    ...validity(),
    signingAlgorithm: ALGORITHM,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      await x509.AuthorityKeyIdentifierExtension.create(root),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  });
  return { key: await privatePem(keys.privateKey), certificate: certificate.toString("pem") };
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function privatePem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

function serialNumber(): string {
  return crypto.randomUUID().replaceAll("-", "").replace(/^./, "1"); // Positive, never zero-led.
}

function validity(): { readonly notBefore: Date; readonly notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - 60_000), notAfter: new Date(now + YEAR_MS) };
}
